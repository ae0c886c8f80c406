// Spellings of weights and biases: how files write the constant operands of a product.
#include <algorithm>

#include "spelling.hpp"

namespace intact::testing {
namespace {

constexpr ElementType u8 = ElementType::u8, s8 = ElementType::s8, u4 = ElementType::u4,
                      s4 = ElementType::s4, s16 = ElementType::s16, s32 = ElementType::s32;

AttributeList along(std::int64_t axis) {
  return {{"axis", axis}};
}

/// One scale per channel, zero points 0.
Spelled per_channel(ElementType type, std::size_t channels, std::int64_t axis,
                    float scale = 0.01f) {
  return {type, spread_scales(channels, scale), std::vector<int>(channels, 0), along(axis)};
}

/// Unsigned weights with a zero point of their own per channel.
Spelled asymmetric(ElementType type, std::size_t channels, std::int64_t axis, float scale) {
  Spelled grid = per_channel(type, channels, axis, scale);
  const int middle = (highest(type) + lowest(type) + 1) / 2;
  for (std::size_t c = 0; c < channels; ++c)
    grid.zero_point[c] =
        std::clamp(middle + static_cast<int>(c % 5) - 2, int{lowest(type)}, int{highest(type)});
  return grid;
}

std::vector<FoldCase> operator_sets() {
  std::vector<FoldCase> cases;
  for (const int opset : {10, 13, 19, 21, 23, 25}) {
    const std::string suffix = "_opset_" + std::to_string(opset);
    cases.push_back(conv_with("qdq" + suffix, opset, stored({s8, {0.01f}, {0}})));
    cases.push_back(
        conv_with("qdq_unsigned_weights" + suffix, opset, stored({u8, {0.01f}, {131}})));
    if (opset < 13) continue;
    cases.push_back(conv_with("qdq_per_channel" + suffix, opset, stored(per_channel(s8, 6, 0))));
    cases.push_back(matmul_with("qdq_matmul" + suffix, opset, stored(per_channel(s8, 10, 1))));
  }
  return cases;
}

std::vector<FoldCase> axes() {
  return {
      conv_with("conv_axis_negative", 13, stored(per_channel(s8, 6, -4))),
      conv_transpose_with("conv_transpose_axis_1", 13, stored(per_channel(s8, 6, 1))),
      conv_transpose_with("conv_transpose_axis_negative", 13, stored(per_channel(s8, 6, -3))),
      conv_transpose_with("conv_transpose_default_axis", 13,
                          [](ModelBuilder& b, const Shape& s) {
                            Spelled grid = per_channel(s8, 6, 1);
                            grid.attributes.clear();
                            return stored(grid)(b, s);
                          }),
      gemm_with("gemm_axis_1", 13, false, stored(per_channel(s8, 10, 1))),
      gemm_with("gemm_axis_negative", 13, false, stored(per_channel(s8, 10, -1))),
      gemm_with("gemm_transposed_axis_0", 13, true, stored(per_channel(s8, 10, 0))),
      gemm_with("gemm_transposed_axis_negative", 13, true, stored(per_channel(s8, 10, -2))),
      matmul_with("matmul_axis_1", 13, stored(per_channel(s8, 10, 1))),
      matmul_with("matmul_axis_negative", 13, stored(per_channel(s8, 10, -1))),
      in_float(conv_with("conv_scale_per_input_channel", 13, stored(per_channel(s8, 4, 1))),
               "quantize the weights along axis 0"),
      in_float(matmul_with("matmul_scale_per_row", 13, stored(per_channel(s8, 12, 0))),
               "quantize the weights along axis 1"),
  };
}

std::vector<FoldCase> element_types() {
  return {
      conv_with("weights_u8_zero_point_0", 13, stored({u8, {0.01f}, {0}})),
      conv_with("weights_u8_zero_point_255", 13, stored({u8, {0.01f}, {255}})),
      conv_with("weights_s8_zero_point", 13, stored({s8, {0.01f}, {-17}})),
      conv_with("weights_u8_per_channel_zero_points", 13, stored(asymmetric(u8, 6, 0, 0.01f))),
      conv_with("weights_s8_per_channel_zero_points", 13, stored(asymmetric(s8, 6, 0, 0.01f))),
      conv_transpose_with("transposed_u8_zero_points", 13, stored(asymmetric(u8, 6, 1, 0.01f))),
      gemm_with("gemm_u8_zero_points", 13, true, stored(asymmetric(u8, 10, 0, 0.01f))),
      matmul_with("matmul_u8_zero_points", 13, stored(asymmetric(u8, 10, 1, 0.01f))),
      conv_with("weights_s4", 21, stored({s4, {0.13f}, {0}})),
      conv_with("weights_u4", 21, stored({u4, {0.13f}, {8}})),
      conv_with("weights_s4_zero_point", 21, stored({s4, {0.13f}, {-3}})),
      conv_with("weights_s4_per_channel", 21, stored(per_channel(s4, 6, 0, 0.13f))),
      conv_with("weights_u4_per_channel_zero_points", 21, stored(asymmetric(u4, 6, 0, 0.13f))),
      conv_transpose_with("transposed_s4", 21, stored(per_channel(s4, 6, 1, 0.13f))),
      gemm_with("gemm_s4", 21, true, stored(per_channel(s4, 10, 0, 0.13f))),
      matmul_with("matmul_u4_zero_points", 21, stored(asymmetric(u4, 10, 1, 0.13f))),
      conv_with("weights_s2", 25, stored({ElementType::s2, {0.5f}, {0}})),
      conv_with("weights_u2_zero_point", 25, stored({ElementType::u2, {0.5f}, {2}})),
      conv_with("weights_s2_per_channel", 25, stored(per_channel(ElementType::s2, 6, 0, 0.5f))),
      gemm_with("gemm_u2_zero_points", 25, true, stored(asymmetric(ElementType::u2, 10, 0, 0.5f))),
      in_float(conv_with("weights_s16", 21, stored({s16, {0.0001f}, {0}})),
               "quantize the weights to 8 bits"),
  };
}

/// Values at and beyond the ends of the grid, and ties.
ValueId weights_with_ties(ModelBuilder& b, const Shape& shape) {
  Tensor floats(ElementType::f32, shape);
  const std::span<float> w = floats.data<float>();
  for (std::size_t i = 0; i < w.size(); ++i)
    w[i] = (static_cast<float>(i % 300) - 150.0f + 0.5f * static_cast<float>(i % 2)) / 64;
  return pair(b, "w", b.constant("w", floats), {s8, {1.0f / 64}, {0}});
}

Operand quantized_then(const std::function<ValueId(ModelBuilder&, ValueId)>& between,
                       const Spelled& grid) {
  return [=](ModelBuilder& b, const Shape& shape) {
    const ValueId w = b.constant("w", random_floats(shape, 2));
    return dequantize(b, "w.dq", between(b, quantize(b, "w.q", w, grid)), grid);
  };
}

std::vector<FoldCase> float_weights() {
  const auto clip = [](ModelBuilder& b, ValueId q) {
    return b.node("Clip", "narrow",
                  {q, b.scalar("low", std::int8_t{-127}), b.scalar("high", std::int8_t{127})});
  };
  return {
      conv_with("float_weights", 13, rounded_floats({s8, {0.009f}, {0}})),
      conv_with("float_weights_per_channel", 13, rounded_floats(per_channel(s8, 6, 0, 0.009f))),
      conv_with("float_weights_per_channel_u8", 13, rounded_floats(asymmetric(u8, 6, 0, 0.009f))),
      conv_with("float_weights_that_saturate", 13, rounded_floats({s8, {0.003f}, {0}})),
      conv_with("float_weights_ties", 13, weights_with_ties),
      conv_with("float_weights_s4", 21, rounded_floats(per_channel(s4, 6, 0, 0.12f))),
      conv_with("float_weights_narrow_range", 13, quantized_then(clip, {s8, {0.007f}, {0}})),
      conv_with("float_weights_narrow_range_per_channel", 13,
                quantized_then(clip, per_channel(s8, 6, 0, 0.008f))),
      conv_transpose_with("float_weights_transposed_convolution", 13,
                          rounded_floats(per_channel(s8, 6, 1, 0.009f))),
      gemm_with("float_weights_gemm", 13, true, rounded_floats(per_channel(s8, 10, 0, 0.009f))),
      matmul_with("float_weights_matmul", 13, rounded_floats(per_channel(s8, 10, -1, 0.009f))),
  };
}

/// Operators between the stored integers and their DequantizeLinear, or behind it.
std::vector<FoldCase> moved_weights() {
  const Spelled grid = per_channel(s8, 10, 0);
  const auto transposed_bytes = [=](ModelBuilder& b, const Shape& s) {
    const ValueId w = b.constant("w", integers(s8, {s[1], s[0]}, 2));
    return dequantize(b, "w.dq", b.node("Transpose", "t", {w}), per_channel(s8, 10, 1));
  };
  const auto transposed_reals = [=](ModelBuilder& b, const Shape& s) {
    return b.node("Transpose", "t", {stored(grid)(b, {s[1], s[0]})},
                  {{"perm", std::vector<std::int64_t>{1, 0}}});
  };
  const auto reshaped_bytes = [](ModelBuilder& b, const Shape& s) {
    const ValueId w = b.constant("w", integers(s8, {element_count(s)}, 2));
    const ValueId shaped = b.node("Reshape", "r", {w, b.vector("shape", s)});
    return dequantize(b, "w.dq", shaped, per_channel(s8, 6, 0));
  };
  const auto reshaped_reals = [](ModelBuilder& b, const Shape& s) {
    const ValueId w = stored(per_channel(s8, 6, 0))(b, {s[0], element_count(s) / s[0]});
    return b.node("Reshape", "r", {w, b.vector("shape", s)});
  };
  const auto unsqueezed = [](ModelBuilder& b, const Shape& s) {
    const ValueId w = stored(per_channel(s8, 6, 1))(b, {1, s[0], s[1], s[2], s[3]});
    return b.node("Squeeze", "s", {w, b.vector<std::int64_t>("axes", {0})});
  };
  const auto identity = [](ModelBuilder& b, const Shape& s) {
    const ValueId w = b.node("Identity", "i", {b.constant("w", integers(s8, s, 2))});
    return b.node("Identity", "k", {dequantize(b, "w.dq", w, per_channel(s8, 6, 0))});
  };
  const auto constant_nodes = [](ModelBuilder& b, const Shape& s) {
    const auto node = [&](const std::string& name, const Tensor& value) {
      return b.node("Constant", name, {}, {{"value", value}});
    };
    return b.node("DequantizeLinear", "w.dq",
                  {node("w", integers(s8, s, 2)), node("w.s", Tensor::scalar(0.01f)),
                   node("w.z", Tensor::scalar(std::int8_t{3}))});
  };
  const auto cast = [](ModelBuilder& b, const Shape& s) {
    const ValueId w = b.constant("w", convert(integers(s8, s, 2), s32));
    const ValueId bytes = b.node("Cast", "c", {w}, {{"to", std::int64_t{3}}});
    return dequantize(b, "w.dq", bytes, {s8, {0.01f}, {0}});
  };
  return {
      matmul_with("weights_transpose_between", 13, transposed_bytes),
      matmul_with("weights_transpose_behind", 13, transposed_reals),
      gemm_with("gemm_weights_transpose_behind", 13, false, transposed_reals),
      conv_with("weights_reshape_between", 13, reshaped_bytes),
      conv_with("weights_reshape_behind", 13, reshaped_reals),
      conv_with("weights_squeeze_behind", 13, unsqueezed),
      conv_with("weights_identity_around", 13, identity),
      conv_with("weights_constant_nodes", 13, constant_nodes),
      conv_with("weights_cast_to_bytes", 13, cast),
  };
}

/// Integers of a bias on the grid of the accumulator, times `factor`.
Operand integer_bias(const std::vector<float>& weight_scales, float factor, bool zero_point,
                     bool one_scale = false) {
  return [=](ModelBuilder& b, const Shape& shape) {
    Spelled grid{s32, {}, {}};
    for (const float s : weight_scales) grid.scale.push_back(image_grid().scale[0] * s * factor);
    if (one_scale) grid.scale.resize(1);
    if (grid.scale.size() != 1) grid.attributes = along(0);
    if (zero_point) grid.zero_point.assign(grid.scale.size(), 0);
    Tensor bias(s32, shape);
    for (std::size_t c = 0; c < bias.data<std::int32_t>().size(); ++c)
      bias.data<std::int32_t>()[c] = static_cast<std::int32_t>(c) * 1531 - 4000;
    return dequantize(b, "b.dq", b.constant("b", bias), grid);
  };
}

ValueId float_bias(ModelBuilder& b, const Shape& shape) {
  return b.constant("b", random_floats(shape, 9, -1.5f, 1.5f));
}

std::vector<FoldCase> biases() {
  const Spelled one{s8, {0.01f}, {0}}, many = per_channel(s8, 6, 0);
  const Spelled columns = per_channel(s8, 10, 1), rows = per_channel(s8, 10, 0);
  const auto byte_bias = [](ModelBuilder& b, const Shape& shape) {
    return dequantize(b, "b.dq", b.constant("b", integers(s8, shape, 4)), {s8, {0.012f}, {5}});
  };
  const auto rounded_bias = [](ModelBuilder& b, const Shape& shape) {
    return pair(b, "b", float_bias(b, shape), {s8, {0.012f}, {0}});
  };
  const auto moved_bias = [=](ModelBuilder& b, const Shape& shape) {
    const ValueId bias = integer_bias({0.01f}, 1, false)(b, {1, shape[0]});
    return b.node("Reshape", "r", {b.node("Identity", "i", {bias}), b.vector("shape", shape)});
  };
  return {
      conv_with("bias_accumulator_grid", 13, stored(one), integer_bias(one.scale, 1, false)),
      conv_with("bias_with_zero_point", 13, stored(one), integer_bias(one.scale, 1, true)),
      conv_with("bias_per_channel", 13, stored(many), integer_bias(many.scale, 1, false)),
      conv_with("bias_one_scale_for_weights_per_channel", 13, stored(many),
                integer_bias(many.scale, 1, false, true)),
      conv_with("bias_foreign_scale", 13, stored(one), integer_bias(one.scale, 1.37f, false)),
      conv_with("bias_foreign_scales", 13, stored(many), integer_bias(many.scale, 0.61f, true)),
      conv_with("bias_float", 13, stored(many), float_bias),
      conv_with("bias_float_behind_u8_zero_points", 13, stored(asymmetric(u8, 6, 0, 0.01f)),
                float_bias),
      conv_with("bias_bytes", 13, stored(many), byte_bias),
      conv_with("bias_rounded_floats", 13, stored(many), rounded_bias),
      conv_with("bias_moved", 13, stored(one), moved_bias),
      conv_transpose_with("transposed_bias", 13, stored(per_channel(s8, 6, 1)),
                          integer_bias(per_channel(s8, 6, 1).scale, 1, false)),
      conv_transpose_with("transposed_bias_float", 13, stored(one), float_bias),
      gemm_with("gemm_bias", 13, true, stored(rows), integer_bias(rows.scale, 1, false)),
      gemm_with("gemm_bias_float", 13, false, stored(columns), float_bias),
      gemm_with("gemm_bias_foreign", 13, true, stored(rows), integer_bias(rows.scale, 2.3f, true)),
      matmul_with("matmul_bias", 13, stored(columns), integer_bias(columns.scale, 1, false)),
      matmul_with("matmul_bias_float", 13, stored(columns), float_bias),
      matmul_with("matmul_bias_foreign", 13, stored(columns),
                  integer_bias(columns.scale, 0.7f, false)),
  };
}

/// Two convolutions of one input, added.
FoldCase two_convolutions(
    const std::string& name,
    const std::function<std::pair<ValueId, ValueId>(ModelBuilder&)>& weights) {
  return {
      name, [=](ModelBuilder& b) -> FoldModel {
        const ValueId x =
            pair(b, "x", b.input("image", ElementType::f32, {1, 4, 6, 5}), image_grid());
        const auto [v, w] = weights(b);
        const ValueId y = pair(b, "y", b.node("Conv", "first", {x, v}), {u8, {0.051f}, {119}});
        const ValueId z = pair(b, "z", b.node("Conv", "second", {x, w}), {u8, {0.0617f}, {131}});
        return {{pair(b, "sum", b.node("Add", "add", {y, z}), {u8, {0.1031f}, {128}})},
                {random_floats({1, 4, 6, 5}, 3, -2.4f, 2.4f)}};
      }};
}

std::vector<FoldCase> tied_weights() {
  const Shape shape = {4, 4, 1, 1};
  const Spelled one{s8, {0.01f}, {0}}, other{s8, {0.013f}, {0}};
  return {
      two_convolutions("tied_dequantize",
                       [=](ModelBuilder& b) {
                         const ValueId w = stored(one)(b, shape);
                         return std::pair(w, w);
                       }),
      two_convolutions("tied_initializer",
                       [=](ModelBuilder& b) {
                         const ValueId w = b.constant("w", integers(s8, shape, 2));
                         return std::pair(dequantize(b, "v.dq", w, one),
                                          dequantize(b, "w.dq", w, one));
                       }),
      two_convolutions("tied_initializer_two_scales",
                       [=](ModelBuilder& b) {
                         const ValueId w = b.constant("w", integers(s8, shape, 2));
                         return std::pair(dequantize(b, "v.dq", w, one),
                                          dequantize(b, "w.dq", w, other));
                       }),
      two_convolutions(
          "tied_quantize",
          [=](ModelBuilder& b) {
            const ValueId q = quantize(b, "w.q", b.constant("w", random_floats(shape, 2)), one);
            return std::pair(dequantize(b, "v.dq", q, one), dequantize(b, "w.dq", q, one));
          }),
      two_convolutions("tied_floats",
                       [=](ModelBuilder& b) {
                         const ValueId w = b.constant("w", random_floats(shape, 2));
                         return std::pair(pair(b, "v", w, one), pair(b, "w", w, other));
                       }),
  };
}

}  // namespace

std::vector<FoldCase> spelling_cases() {
  std::vector<FoldCase> cases;
  for (const auto list :
       {operator_sets, axes, element_types, float_weights, moved_weights, biases, tied_weights})
    for (FoldCase& fold : list()) cases.push_back(std::move(fold));
  return cases;
}

}  // namespace intact::testing
