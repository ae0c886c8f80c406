// Transposed convolutions: every way in which strides, pads and kernels split the output.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

AttributeList attributes(std::int64_t stride, std::vector<std::int64_t> pads = {},
                         std::vector<std::int64_t> output_padding = {}, std::int64_t group = 1,
                         std::int64_t dilation = 1, std::size_t axes = 2) {
  AttributeList list = {{"strides", std::vector<std::int64_t>(axes, stride)},
                        {"dilations", std::vector<std::int64_t>(axes, dilation)},
                        {"group", group}};
  if (!pads.empty()) list.emplace_back("pads", std::move(pads));
  if (!output_padding.empty()) list.emplace_back("output_padding", std::move(output_padding));
  return list;
}

template <class T>
std::vector<T> ramp(std::int64_t count, T first, T step) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(static_cast<T>(first + static_cast<T>(i % 7) * step));
  return values;
}

/// What varies between the cases; the rest is a bytes input, the operator and a Round.
struct Transposed {
  Shape image = {2, 6, 5, 4}, weights = {6, 5, 2, 2};
  AttributeList attributes;
  bool signed_input = false, per_channel = false, u8_weights = false;
  bool int32_bias = false, float_bias = false, relu = false, round = true, twice = false;
};

ValueId weights_of(ModelBuilder& b, const Transposed& t) {
  if (t.u8_weights)
    return b.dequantize("w.dq", b.constant("w", random_integers<std::uint8_t>(t.weights, 5)), 0.01f,
                        std::uint8_t{113});
  const ValueId w = b.constant("w", random_integers<std::int8_t>(t.weights, 5));
  if (!t.per_channel) return b.dequantize("w.dq", w, 0.01f, std::int8_t{0});
  const std::int64_t channels = t.weights[1];
  return b.node("DequantizeLinear", "w.dq",
                {w, b.vector("w.s", ramp(channels, 0.008f, 0.0013f)),
                 b.vector("w.z", std::vector<std::int8_t>(static_cast<std::size_t>(channels)))},
                {{"axis", std::int64_t{1}}});
}

FoldModel build(ModelBuilder& b, const Transposed& t) {
  std::int64_t group = 1;
  for (const auto& [key, value] : t.attributes)
    if (key == "group") group = std::get<std::int64_t>(value);
  const std::int64_t channels = t.weights[1] * group;
  FoldModel model;
  ValueId x = no_value;
  if (t.signed_input) {
    x = b.dequantize("x.dq", b.input("x", ElementType::s8, t.image), 0.021f, std::int8_t{-9});
    model.inputs = {random_integers<std::int8_t>(t.image, 3)};
  } else {
    x = b.dequantize("x.dq", b.input("x", ElementType::u8, t.image), 0.021f, std::uint8_t{117});
    model.inputs = {random_integers<std::uint8_t>(t.image, 3)};
  }
  std::vector<ValueId> operands = {x, weights_of(b, t)};
  if (t.int32_bias)
    operands.push_back(b.dequantize("b.dq", b.vector("b", ramp(channels, -2000, 731)),
                                    0.021f * 0.01f, std::int32_t{0}));
  if (t.float_bias) operands.push_back(b.vector("b", ramp(channels, -1.7f, 0.61f)));
  ValueId y = b.node("ConvTranspose", "up", operands, t.attributes);
  if (t.relu) y = b.node("Relu", "relu", {y});
  if (t.round) y = b.round("y", y, 0.153f, std::uint8_t{131});
  if (t.twice) {  // the output is read by an operator on bytes
    const ValueId w = grid_weights(b, "w2", {4, channels, 3, 3});
    y = b.round("z", b.node("Conv", "conv", {y, w}), 0.21f, std::uint8_t{120});
  }
  model.outputs = {y};
  return model;
}

FoldCase fold(const std::string& name, const Transposed& t, int float_nodes = 0) {
  FoldCase result;
  result.name = "conv_transpose_" + name;
  result.build = [t](ModelBuilder& b) { return build(b, t); };
  result.float_nodes = float_nodes;
  return result;
}

std::vector<FoldCase> geometry_cases() {
  const Shape image = {2, 6, 5, 4};
  AttributeList same = attributes(2);
  same.emplace_back("auto_pad", std::string("SAME_UPPER"));
  AttributeList sized = attributes(2);
  sized.emplace_back("output_shape", std::vector<std::int64_t>{13, 8});
  return {
      fold("2x2_stride_2", {image, {6, 5, 2, 2}, attributes(2)}),
      fold("3x3_stride_2", {image, {6, 5, 3, 3}, attributes(2)}),
      fold("3x3_stride_2_pads", {image, {6, 5, 3, 3}, attributes(2, {1, 1, 1, 1})}),
      fold("3x3_stride_2_output_padding",
           {image, {6, 5, 3, 3}, attributes(2, {1, 1, 1, 1}, {1, 1})}),
      fold("4x4_stride_2_pads", {image, {6, 16, 4, 4}, attributes(2, {1, 1, 1, 1})}),
      fold("uneven_pads", {image, {6, 5, 4, 3}, attributes(2, {2, 0, 1, 1})}),
      fold("5x5_stride_3_deep_pads", {image, {6, 5, 5, 5}, attributes(3, {4, 4, 4, 4})}),
      fold("3x3_stride_1", {image, {6, 5, 3, 3}, attributes(1)}),
      fold("3x3_stride_1_pads", {image, {6, 5, 3, 3}, attributes(1, {1, 1, 1, 1})}),
      fold("1x1_stride_1", {image, {6, 5, 1, 1}, attributes(1)}),
      fold("1x1_stride_2", {image, {6, 5, 1, 1}, attributes(2)}),
      fold("2x2_stride_3", {image, {6, 5, 2, 2}, attributes(3)}),
      fold("2x2_stride_3_output_padding", {image, {6, 5, 2, 2}, attributes(3, {}, {2, 1})}),
      fold("dilation_2_stride_1", {image, {6, 5, 3, 3}, attributes(1, {}, {}, 1, 2)}),
      fold("dilation_2_stride_2", {image, {6, 5, 3, 3}, attributes(2, {}, {}, 1, 2)}),
      fold("dilation_3_stride_2", {image, {6, 5, 3, 3}, attributes(2, {2, 2, 2, 2}, {}, 1, 3)}),
      fold("dilation_2_stride_3", {image, {6, 5, 4, 4}, attributes(3, {1, 0, 0, 1}, {}, 1, 2)}),
      fold("groups", {image, {6, 4, 3, 3}, attributes(2, {1, 1, 1, 1}, {}, 3)}),
      fold("depthwise", {image, {6, 1, 4, 4}, attributes(2, {1, 1, 1, 1}, {}, 6)}),
      fold("depthwise_3x3_negative_pads",
           {image, {6, 1, 3, 3}, attributes(2, {2, 2, 0, 0}, {}, 6)}),
      fold("1d", {{2, 6, 9}, {6, 5, 4}, attributes(2, {1, 1}, {}, 1, 1, 1)}),
      fold("1d_stride_3", {{1, 6, 9}, {6, 5, 2}, attributes(3, {}, {}, 1, 1, 1)}),
      fold("3d", {{1, 3, 3, 4, 2}, {3, 4, 2, 3, 2}, attributes(2, {}, {}, 1, 1, 3)}),
      fold("auto_pad_same", {image, {6, 5, 3, 3}, same}),
      fold("output_shape", {image, {6, 5, 3, 3}, sized}),
      fold("one_output_channel", {image, {6, 1, 2, 2}, attributes(2)}),
      fold("one_pixel", {{1, 6, 1, 1}, {6, 5, 2, 2}, attributes(2)}),
      fold("wide", {{1, 32, 7, 9}, {32, 24, 4, 4}, attributes(2, {1, 1, 1, 1})}),
  };
}

std::vector<FoldCase> arithmetic_cases() {
  Transposed t;
  t.weights = {6, 5, 3, 3};
  t.attributes = attributes(2, {1, 1, 1, 1}, {1, 1});
  const auto with = [&](bool Transposed::*option) {
    Transposed changed = t;
    changed.*option = true;
    return changed;
  };
  Transposed all = t;
  all.signed_input = all.per_channel = all.float_bias = all.relu = all.twice = true;
  Transposed grouped = with(&Transposed::per_channel);
  grouped.weights = {6, 4, 3, 3};
  grouped.attributes = attributes(2, {}, {}, 2);
  Transposed gaps = with(&Transposed::int32_bias);
  gaps.weights = {6, 5, 2, 2};
  gaps.attributes = attributes(3);
  Transposed unsigned_gaps = gaps;
  unsigned_gaps.u8_weights = true;
  Transposed direct = with(&Transposed::relu);
  direct.attributes = attributes(1);
  direct.round = false;
  return {
      fold("signed", with(&Transposed::signed_input)),
      fold("per_channel", with(&Transposed::per_channel)),
      fold("per_channel_groups", grouped),
      fold("u8_weights", with(&Transposed::u8_weights)),
      fold("int32_bias", with(&Transposed::int32_bias)),
      fold("float_bias", with(&Transposed::float_bias)),
      fold("gaps_hold_the_bias", gaps),
      fold("gaps_with_u8_weights", unsigned_gaps),
      fold("relu", with(&Transposed::relu)),
      fold("before_conv", with(&Transposed::twice)),
      fold("signed_per_channel_bias_relu_before_conv", all),
      fold("float_output_stride_1", direct, 1),
  };
}

}  // namespace

std::vector<FoldCase> conv_transpose_cases() {
  std::vector<FoldCase> cases = geometry_cases();
  for (FoldCase& more : arithmetic_cases()) cases.push_back(std::move(more));
  Transposed t;  // four phases go to their positions as floats, and the output to channels first
  t.attributes = attributes(2);
  t.round = false;
  cases.push_back(fold("float_output", t, 5));
  return cases;
}

}  // namespace intact::testing
