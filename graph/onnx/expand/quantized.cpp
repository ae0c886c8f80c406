// Operators on integers: QLinearConv and QLinearMatMul of ONNX, and those of com.microsoft. Each is
// the operator on real numbers between DequantizeLinear and QuantizeLinear, which is what their
// definitions say, with one rounding at the end. ONNX Runtime's own kernels differ from that by one
// step in places: it rounds the ratio of scales to float first (products, pools, QLinearAdd), and
// computes QLinearSoftmax and QLinearReduceMean in float of its own order.
#include "graph/onnx/expand/channels_last.hpp"
#include "graph/onnx/expand/families.hpp"
#include "graph/onnx/expand/grids.hpp"

namespace intact {
namespace {

constexpr QuantizedPlace first{0, 1, 2}, second{3, 4, 5};
constexpr std::size_t product_scale = 6;  ///< scale of the result, behind two operands

ElementType first_type(const Expansion& e) {
  return e.type(e.operand(0));
}

/// Output 0 is `reals` on the grid at operand `scale`.
void give_quantized(Expansion& e, ValueId reals, std::size_t scale) {
  e.give(0, quantized(e, reals, scale, first_type(e)));
}

// x, w: integers, scale, zero point each; scale and zero point of y; the bias.
void expand_convolution(Expansion& e, const char* op, bool channels_last) {
  const ValueId weights = e.operand(3);
  const int channel_axis = std::string_view(op) == "Conv" ? 0 : 1;
  const QuantizedValue w = quantized_at(e, second);
  ImageLayout layout(e, channels_last, channels_last ? e.needed_rank(weights) : 0);
  QuantizedValue x = quantized_at(e, first);
  x.integers = layout.read(x.integers);
  const ValueId reals = dequantized(e, x), real_weights = dequantized(e, w, channel_axis);
  const ValueId bias = dequantized_bias(e, e.optional(8), x.scale, w.scale, 1.0f, 0);
  const ValueId y =
      e.main(e.add(op, {reals, real_weights, bias}, e.attributes_without({"channels_last"})));
  layout.give(0, quantized(e, y, product_scale, first_type(e)));
}

void expand_conv(Expansion& e) {
  expand_convolution(e, "Conv", is_channels_last(e) || e.node().domain == "com.ms.internal.nhwc");
}
void expand_conv_transpose(Expansion& e) {
  expand_convolution(e, "ConvTranspose", is_channels_last(e));
}

/// Scales per row of the first matrix, per column of the second one.
void expand_matmul(Expansion& e) {
  const ValueId a = dequantized(e, quantized_at(e, first), -2);
  const ValueId b = dequantized(e, quantized_at(e, second), -1);
  give_quantized(e, e.main(e.add("MatMul", {a, b})), product_scale);
}

/// A, B, the 32-bit C in products of scales, and y; without a scale of y the result is float.
void expand_gemm(Expansion& e) {
  const QuantizedValue a = quantized_at(e, first), b = quantized_at(e, second);
  const int columns = e.node().attributes.integer("transB", 0) != 0 ? 0 : 1;
  const float alpha = e.node().attributes.number("alpha", 1.0f);
  const ValueId reals = dequantized(e, a), real_weights = dequantized(e, b, columns);
  const ValueId c = dequantized_bias(e, e.optional(6), a.scale, b.scale, alpha, -1);
  const ValueId y = e.main(e.add("Gemm", {reals, real_weights, c}, e.node().attributes));
  if (e.has(7))
    give_quantized(e, y, 7);
  else
    e.give(0, y);
}

/// The real numbers of an operand whose axes may lie in the order of `layout`.
ValueId reals_in(ImageLayout& layout, Expansion& e, QuantizedPlace place) {
  QuantizedValue x = quantized_at(e, place);
  x.integers = layout.read(x.integers);
  return dequantized(e, x);
}

void expand_binary(Expansion& e, const char* op) {
  ImageLayout layout = ImageLayout::following(e, {first.integers, second.integers});
  const ValueId a = reals_in(layout, e, first), b = reals_in(layout, e, second);
  const ValueId y = e.main(e.add(op, {a, b}));
  layout.give(0, quantized(e, y, product_scale, first_type(e)));
}
void expand_add(Expansion& e) {
  expand_binary(e, "Add");
}
void expand_mul(Expansion& e) {
  expand_binary(e, "Mul");
}

/// The condition, then two operands.
void expand_where(Expansion& e) {
  const ValueId a = dequantized(e, quantized_at(e, {1, 2, 3}));
  const ValueId b = dequantized(e, quantized_at(e, {4, 5, 6}));
  const ValueId y = e.main(e.add("Where", {e.operand(0), a, b}));
  e.give(0, quantized(e, y, 7, e.type(e.operand(1))));
}

/// An operator on one tensor; the scale of y is operand 3.
void expand_unary(Expansion& e, const char* op, const Attributes& attributes) {
  const ValueId x = dequantized(e, quantized_at(e, first));
  give_quantized(e, e.main(e.add(op, {x}, attributes)), 3);
}
/// One that takes each element by itself.
void expand_elementwise(Expansion& e, const char* op) {
  ImageLayout layout = ImageLayout::following(e, {first.integers});
  const ValueId y = e.main(e.add(op, {reals_in(layout, e, first)}, e.node().attributes));
  layout.give(0, quantized(e, y, 3, first_type(e)));
}
void expand_sigmoid(Expansion& e) {
  expand_elementwise(e, "Sigmoid");
}
void expand_leaky_relu(Expansion& e) {
  expand_elementwise(e, "LeakyRelu");
}
/// Axes are an attribute here, as before operator set 18.
void expand_reduce_mean(Expansion& e) {
  expand_unary(e, "ReduceMean", e.node().attributes);
}

/// The node names the operator set whose Softmax it means.
void expand_softmax(Expansion& e) {
  const auto version = e.node().attributes.integer("opset", 13);
  if (version < 1 || version > 25)
    refuse(e.node(), "opset is {}; it must name an operator set that has Softmax", version);
  const ValueId x = dequantized(e, quantized_at(e, first));
  const ValueId y = e.main(e.add("Softmax", {x}, e.attributes_without({"opset"})));
  e.set_version(y, static_cast<int>(version));
  give_quantized(e, y, 3);
}

void expand_pool(Expansion& e, const char* op, int rank) {
  ImageLayout layout(e, is_channels_last(e), rank);
  const ValueId y =
      e.main(e.add(op, {reals_in(layout, e, first)}, e.attributes_without({"channels_last"})));
  layout.give(0, quantized(e, y, 3, first_type(e)));
}
void expand_average_pool(Expansion& e) {
  const auto spatial = e.node().attributes.integers("kernel_shape").size();
  expand_pool(e, "AveragePool", static_cast<int>(spatial) + 2);
}
void expand_global_average_pool(Expansion& e) {
  expand_pool(e, "GlobalAveragePool", is_channels_last(e) ? e.needed_rank(e.operand(0)) : 0);
}

/// Scale and zero point of y, then three operands per tensor.
void expand_concat(Expansion& e) {
  const std::size_t count = e.node().inputs.size();
  if (count < 4) refuse(e.node(), "it has {} operands; it must have at least 4", count);
  std::vector<std::size_t> places;
  for (std::size_t i = 2; i < count; i += 3) places.push_back(i);
  ImageLayout layout = ImageLayout::following(e, places);
  std::vector<ValueId> reals;
  for (const std::size_t i : places) reals.push_back(reals_in(layout, e, {i, i + 1, i + 2}));
  Attributes attributes = e.node().attributes;
  if (attributes.has("axis")) attributes.set("axis", layout.axis(attributes.integer("axis", 0)));
  const ValueId y = e.main(e.add("Concat", reals, attributes));
  layout.give(0, quantized(e, y, 0, e.type(e.operand(2))));
}

/// The older home of the types and forms that operator set 21 has.
void expand_conversion(Expansion& e) {
  const ValueId y = e.main(e.add(e.node().op, e.node().inputs, e.node().attributes));
  e.set_version(y, 21);
  e.give(0, y);
}

constexpr const char* microsoft = "com.microsoft";

constexpr ExpansionRule rules[] = {
    {"QLinearConv", "", expand_conv},
    {"QLinearMatMul", "", expand_matmul},
    {"QLinearConv", microsoft, expand_conv},
    {"QLinearConv", "com.ms.internal.nhwc", expand_conv},
    {"QLinearConvTranspose", microsoft, expand_conv_transpose},
    {"QLinearMatMul", microsoft, expand_matmul},
    {"QGemm", microsoft, expand_gemm},
    {"QLinearAdd", microsoft, expand_add},
    {"QLinearMul", microsoft, expand_mul},
    {"QLinearWhere", microsoft, expand_where},
    {"QLinearSigmoid", microsoft, expand_sigmoid},
    {"QLinearLeakyRelu", microsoft, expand_leaky_relu},
    {"QLinearReduceMean", microsoft, expand_reduce_mean},
    {"QLinearSoftmax", microsoft, expand_softmax},
    {"QLinearAveragePool", microsoft, expand_average_pool},
    {"QLinearGlobalAveragePool", microsoft, expand_global_average_pool},
    {"QLinearConcat", microsoft, expand_concat},
    {"QuantizeLinear", microsoft, expand_conversion},
    {"DequantizeLinear", microsoft, expand_conversion},
};

}  // namespace

std::span<const ExpansionRule> quantized_rules() {
  return rules;
}

}  // namespace intact
