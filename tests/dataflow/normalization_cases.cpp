// Softmax and normalizations along any axes: bytes in, bytes out.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

template <class T>
ValueId activation(ModelBuilder& b, const Shape& shape, float scale, T zero_point) {
  return b.dequantize("x.dq", b.input("x", element_type_of<T>(), shape), scale, zero_point);
}

ValueId layer_norm(ModelBuilder& b, ValueId x, std::int64_t length, bool biased) {
  std::vector<ValueId> inputs = {x, b.constant("gamma", random_floats({length}, 5, 0.4f, 1.9f))};
  if (biased) inputs.push_back(b.constant("beta", random_floats({length}, 6, -1.0f, 1.0f)));
  return b.node("LayerNormalization", "norm", inputs);
}

/// Softmax of `shape` between two grids.
template <class T>
auto softmax(const Shape& shape, float scale, T in_zero_point, T out_zero_point,
             std::int64_t axis = -1) {
  return [=](ModelBuilder& b) -> FoldModel {
    const ValueId x = activation<T>(b, shape, scale, in_zero_point);
    const ValueId y = b.node("Softmax", "softmax", {x}, {{"axis", axis}});
    return {{b.round("y", y, 1.0f / 256, out_zero_point)}, {random_integers<T>(shape, 3)}};
  };
}

template <class T>
auto normalized(const Shape& shape, T in_zero_point, T out_zero_point, bool biased) {
  return [=](ModelBuilder& b) -> FoldModel {
    const ValueId x = activation<T>(b, shape, 0.043f, in_zero_point);
    const ValueId y = layer_norm(b, x, shape.back(), biased);
    return {{b.round("y", y, 0.0317f, out_zero_point)}, {random_integers<T>(shape, 4)}};
  };
}

/// InstanceNormalization, a clamp and a convolution. `zero_point`: of the grid behind the clamp.
auto clamped_norm(const std::string& clamp, std::uint8_t zero_point) {
  return [=](ModelBuilder& b) -> FoldModel {
    const Shape shape = {1, 8, 6, 7};
    const ValueId x = activation<std::uint8_t>(b, shape, 0.043f, 119);
    const ValueId norm = b.node("InstanceNormalization", "norm",
                                {x, b.constant("gamma", random_floats({8}, 5, 0.4f, 1.9f)),
                                 b.constant("beta", random_floats({8}, 6, -1.0f, 1.0f))});
    const ValueId clamped =
        clamp == "Relu"
            ? b.node("Relu", "clamp", {norm})
            : b.node("Clip", "clamp", {norm, b.scalar("low", -10.0f), b.scalar("high", 2.0f)});
    const ValueId rounded = b.round("r", clamped, 0.0131f, zero_point);
    const ValueId y = b.node("Conv", "conv", {rounded, grid_weights(b, "w", {8, 8, 1, 1})});
    return {{b.round("y", y, 0.061f, std::uint8_t{128})},
            {random_integers<std::uint8_t>(shape, 3)}};
  };
}

TEST(NormalizationCases, ClampsThatTheGridImpliesCostNothing) {
  const auto flow = [](const std::string& clamp, std::uint8_t zero_point) {
    ModelBuilder b;
    const FoldModel model = clamped_norm(clamp, zero_point)(b);
    return session_of(b.build(model.outputs)).flow();
  };
  EXPECT_EQ(count_of(flow("Relu", 0), "InstanceNormalization+Relu"), 1);
  EXPECT_EQ(count_of(flow("Relu", 0), "Quantize"), 0);
  EXPECT_EQ(count_of(flow("Relu", 7), "Quantize"), 1) << "the grid reaches below 0";
}

/// The result is a float graph output: nothing behind it needs bytes.
FoldModel softmax_float_output(ModelBuilder& b) {
  const ValueId x = activation<std::uint8_t>(b, {3, 37}, 0.05f, 140);
  return {{b.node("Softmax", "softmax", {x})}, {random_integers<std::uint8_t>({3, 37}, 3)}};
}

FoldModel layer_norm_float_output(ModelBuilder& b) {
  const ValueId x = activation<std::uint8_t>(b, {3, 37}, 0.05f, 140);
  return {{layer_norm(b, x, 37, true)}, {random_integers<std::uint8_t>({3, 37}, 3)}};
}

/// The rounded result has two readers.
FoldModel softmax_two_consumers(ModelBuilder& b) {
  const ValueId x = activation<std::uint8_t>(b, {2, 32}, 0.05f, 133);
  const ValueId p = b.round("p", b.node("Softmax", "softmax", {x}), 1.0f / 255, std::uint8_t{0});
  const ValueId a = b.node("MatMul", "a", {p, grid_weights(b, "wa", {32, 16})});
  const ValueId c = b.node("MatMul", "c", {p, grid_weights(b, "wc", {32, 8})});
  return {{b.round("ya", a, 0.011f, std::uint8_t{125}), b.round("yc", c, 0.013f, std::uint8_t{99})},
          {random_integers<std::uint8_t>({2, 32}, 8)}};
}

/// A residual is read by the normalization and by the addition around it.
FoldModel layer_norm_in_residual(ModelBuilder& b) {
  const ValueId x = activation<std::uint8_t>(b, {1, 5, 48}, 0.05f, 133);
  const ValueId n = b.round("n", layer_norm(b, x, 48, true), 0.031f, std::uint8_t{121});
  const ValueId product = b.node("MatMul", "product", {n, grid_weights(b, "w", {48, 48})});
  const ValueId rounded = b.round("rounded", product, 0.21f, std::uint8_t{127});
  const ValueId sum = b.node("Add", "add", {rounded, x});
  return {{b.round("y", sum, 0.23f, std::uint8_t{129})},
          {random_integers<std::uint8_t>({1, 5, 48}, 8)}};
}

/// Channels-last bytes from a convolution, normalized along the width.
FoldModel softmax_behind_conv(ModelBuilder& b) {
  const Shape shape = {1, 8, 6, 7};
  const ValueId x = activation<std::uint8_t>(b, shape, 0.021f, 117);
  const ValueId conv = b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})});
  const ValueId c = b.round("c", conv, 0.051f, std::uint8_t{131});
  return {{b.round("y", b.node("Softmax", "softmax", {c}), 1.0f / 256, std::uint8_t{0})},
          {random_integers<std::uint8_t>(shape, 3)}};
}

ValueId factors(ModelBuilder& b, const std::string& name, const Shape& shape, unsigned seed) {
  return b.constant(name, random_floats(shape, seed, 0.4f, 1.9f));
}

/// Any row operator, alone or behind a convolution, which writes channels last.
template <class T>
auto rows_of(const std::string& op, const Shape& shape, const AttributeList& attributes,
             const std::vector<Shape>& operands, bool behind_conv = false) {
  return [=](ModelBuilder& b) -> FoldModel {
    const T zero = static_cast<T>(std::is_signed_v<T> ? -7 : 119);
    ValueId x = activation<T>(b, shape, 0.043f, zero);
    if (behind_conv) {
      const ValueId w = grid_weights(b, "w", {shape[1], shape[1], 1, 1});
      x = b.round("c", b.node("Conv", "conv", {x, w}), 0.061f, zero);
    }
    std::vector<ValueId> inputs = {x};
    for (std::size_t i = 0; i < operands.size(); ++i)
      inputs.push_back(
          factors(b, "f" + std::to_string(i), operands[i], static_cast<unsigned>(20 + i)));
    const ValueId y = b.node(op, "rows", inputs, attributes);
    const bool logarithm = op == "LogSoftmax";
    const float scale = op == "Softmax" ? 1.0f / 256 : logarithm ? 0.067f : 0.037f;
    const T zero_y = static_cast<T>((logarithm         ? 255
                                     : op == "Softmax" ? 0
                                                       : 127) -
                                    (std::is_signed_v<T> ? 128 : 0));
    return {{b.round("y", y, scale, zero_y)}, {random_integers<T>(shape, 3)}};
  };
}

struct RowCase {
  std::string name, op;
  Shape shape;
  AttributeList attributes;
  std::vector<Shape> operands;
  bool behind_conv = false;
  int opset = 17;
};

const RowCase row_cases[] = {
    {"softmax_channels", "Softmax", {2, 8, 5, 6}, {{"axis", std::int64_t{1}}}, {}, true},
    {"softmax_channels_plain", "Softmax", {2, 21, 5, 6}, {{"axis", std::int64_t{1}}}, {}},
    {"softmax_height", "Softmax", {2, 8, 5, 6}, {{"axis", std::int64_t{2}}}, {}, true},
    {"softmax_batch", "Softmax", {7, 3, 11}, {{"axis", std::int64_t{0}}}, {}},
    {"softmax_middle", "Softmax", {3, 16, 11}, {{"axis", std::int64_t{-2}}}, {}},
    {"softmax_flattening", "Softmax", {3, 4, 5, 2}, {{"axis", std::int64_t{2}}}, {}, false, 11},
    {"softmax_flattening_default", "Softmax", {3, 4, 5, 2}, {}, {}, false, 10},
    {"log_softmax_last", "LogSoftmax", {3, 41}, {}, {}},
    {"log_softmax_channels", "LogSoftmax", {2, 8, 5, 6}, {{"axis", std::int64_t{1}}}, {}, true},
    {"log_softmax_flattening", "LogSoftmax", {3, 4, 5}, {}, {}, false, 11},
    {"lrn", "LRN", {2, 24, 5, 6}, {{"size", std::int64_t{5}}, {"alpha", 0.5f}}, {}, true},
    {"lrn_even_window", "LRN", {3, 7, 9}, {{"size", std::int64_t{4}}, {"beta", 0.6f}}, {}},
    {"lp_norm_channels", "LpNormalization", {2, 24, 5, 6}, {{"axis", std::int64_t{1}}}, {}, true},
    {"lp_norm_absolute", "LpNormalization", {3, 41}, {{"p", std::int64_t{1}}}, {}},
    {"layer_norm_two_axes",
     "LayerNormalization",
     {3, 6, 10},
     {{"axis", std::int64_t{-2}}},
     {{6, 10}, {6, 10}}},
    {"layer_norm_three_axes",
     "LayerNormalization",
     {2, 4, 5, 6},
     {{"axis", std::int64_t{1}}},
     {{4, 5, 6}},
     true},
    {"layer_norm_repeated_factors",
     "LayerNormalization",
     {2, 4, 5, 6},
     {{"axis", std::int64_t{1}}},
     {{4, 1, 1}, {4, 1, 1}}},
    {"layer_norm_one_factor", "LayerNormalization", {5, 37}, {}, {{1}, {1}}},
    {"layer_norm_epsilon", "LayerNormalization", {5, 37}, {{"epsilon", 0.1f}}, {{37}, {37}}},
    {"rms_norm", "RMSNormalization", {2, 5, 48}, {}, {{48}}, false, 23},
    {"rms_norm_two_axes",
     "RMSNormalization",
     {2, 5, 8},
     {{"axis", std::int64_t{1}}},
     {{5, 8}},
     false,
     23},
    {"instance_norm", "InstanceNormalization", {2, 6, 7, 5}, {}, {{6}, {6}}},
    {"instance_norm_behind_conv", "InstanceNormalization", {2, 8, 7, 5}, {}, {{8}, {8}}, true},
    {"instance_norm_1d", "InstanceNormalization", {2, 6, 31}, {{"epsilon", 1e-3f}}, {{6}, {6}}},
    {"instance_norm_3d", "InstanceNormalization", {1, 3, 4, 5, 3}, {}, {{3}, {3}}},
    {"group_norm",
     "GroupNormalization",
     {2, 8, 5, 6},
     {{"num_groups", std::int64_t{4}}},
     {{8}, {8}},
     true,
     21},
    {"group_norm_one_group",
     "GroupNormalization",
     {2, 6, 17},
     {{"num_groups", std::int64_t{1}}},
     {{6}, {6}},
     false,
     21},
    {"group_norm_per_group",
     "GroupNormalization",
     {2, 8, 5, 6},
     {{"num_groups", std::int64_t{2}}},
     {{2}, {2}},
     false,
     18},
    {"mean_variance", "MeanVarianceNormalization", {3, 4, 5, 6}, {}, {}},
    {"mean_variance_image",
     "MeanVarianceNormalization",
     {3, 8, 5, 6},
     {{"axes", std::vector<std::int64_t>{2, 3}}},
     {},
     true},
};

/// Rows of channels written into the slot of a Concat, and channels last after a convolution.
FoldModel softmax_into_concat(ModelBuilder& b) {
  const Shape shape = {2, 8, 5, 6};
  const ValueId x = activation<std::uint8_t>(b, shape, 0.021f, 117);
  const ValueId conv = b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})});
  const ValueId c = b.round("c", conv, 1.0f / 256, std::uint8_t{0});
  const ValueId p = b.round("p", b.node("Softmax", "softmax", {c}, {{"axis", std::int64_t{1}}}),
                            1.0f / 256, std::uint8_t{0});
  const ValueId joined = b.node("Concat", "concat", {c, p}, {{"axis", std::int64_t{1}}});
  const ValueId y = b.node("Conv", "last", {joined, grid_weights(b, "v", {4, 16, 3, 3})});
  return {{b.round("y", y, 0.01f, std::uint8_t{128})}, {random_integers<std::uint8_t>(shape, 3)}};
}

}  // namespace

std::vector<FoldCase> normalization_cases() {
  using U = std::uint8_t;
  using S = std::int8_t;
  std::vector<FoldCase> cases = {
      {"softmax_u8", softmax<U>({2, 3, 50}, 0.05f, 128, 0)},
      {"softmax_s8", softmax<S>({2, 3, 50}, 0.05f, 3, -128)},
      {"softmax_odd_zero_points", softmax<U>({4, 17}, 0.031f, 97, 13)},
      {"softmax_last_axis_by_number", softmax<U>({2, 5, 33}, 0.02f, 111, 0, 2)},
      {"softmax_opset_11", softmax<U>({4, 21}, 0.04f, 111, 0, 1), 11},
      {"softmax_one_row", softmax<S>({1000}, 0.08f, -5, -128)},
      {"softmax_float_output", softmax_float_output},
      {"softmax_two_consumers", softmax_two_consumers},
      {"softmax_behind_conv", softmax_behind_conv},
      {"layer_norm_u8", normalized<U>({2, 7, 64}, 119, 130, true)},
      {"layer_norm_s8", normalized<S>({2, 7, 64}, -9, 2, true)},
      {"layer_norm_without_bias", normalized<U>({3, 45}, 128, 128, false)},
      {"layer_norm_s8_without_bias", normalized<S>({1, 197, 24}, 0, 7, false)},
      {"layer_norm_float_output", layer_norm_float_output},
      {"layer_norm_in_residual", layer_norm_in_residual},
      {"softmax_into_concat", softmax_into_concat},
      {"instance_norm_relu", clamped_norm("Relu", 0)},
      {"instance_norm_clip_beyond_the_grid", clamped_norm("Clip", 128)},
  };
  for (const RowCase& row : row_cases) {
    cases.push_back({"rows_" + row.name + "_u8",
                     rows_of<U>(row.op, row.shape, row.attributes, row.operands, row.behind_conv),
                     row.opset});
    cases.push_back({"rows_" + row.name + "_s8",
                     rows_of<S>(row.op, row.shape, row.attributes, row.operands, row.behind_conv),
                     row.opset});
  }
  return cases;
}

}  // namespace intact::testing
