// Arithmetic of two tensors: on bytes when both lie on byte grids, else float kernels.
#include <algorithm>
#include <optional>

#include "engine/lower/lowering.hpp"

namespace intact {
namespace {

/// The kernels' broadcasting: `b` has the output's shape, or one element per channel (and image),
/// or one element in all.
bool broadcast_fits(const Shape& b, const Shape& out, Layout layout) {
  if (b == out || element_count(b) == 1) return true;
  Shape padded(out.size() - std::min(out.size(), b.size()), 1);
  padded.insert(padded.end(), b.begin(), b.end());
  if (padded.size() != out.size()) return false;
  const std::size_t inner = layout == Layout::channels_last ? 1 : out.size() - 1;
  if (padded[inner] != out[inner]) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool image = layout == Layout::channels_last && i == 0 && padded[i] == out[i];
    if (i != inner && padded[i] != 1 && !image) return false;
  }
  return true;
}

/// Which operand has the output's shape (`a`); no value when neither does or the other does not
/// fit.
struct Operands {
  ValueId a, b;
  bool swapped;
  Layout layout;
};

std::optional<Operands> order_operands(const Lowering& lowering, const Node& node, bool commutes) {
  const Shape& out = lowering.shape(node.outputs[0]);
  // Of two tensors of equal shape the one written later comes first: an addition then has the same
  // order whether or not it is fused into the convolution that wrote it.
  const bool later =
      commutes && lowering.written_at(node.inputs[1]) > lowering.written_at(node.inputs[0]);
  for (const bool swapped : {later, !later}) {
    Operands operands{node.inputs[swapped ? 1 : 0], node.inputs[swapped ? 0 : 1], swapped,
                      Layout::plain};
    if (lowering.shape(operands.a) != out) continue;
    const bool last = lowering.layout_of(operands.a) == Layout::channels_last ||
                      (lowering.shape(operands.b) == out &&
                       lowering.layout_of(operands.b) == Layout::channels_last);
    for (const Layout layout : {last ? Layout::channels_last : Layout::plain,
                                last ? Layout::plain : Layout::channels_last}) {
      if (layout == Layout::channels_last && out.size() < 3) continue;
      if (!broadcast_fits(lowering.shape(operands.b), out, layout)) continue;
      operands.layout = layout;
      return operands;
    }
  }
  return std::nullopt;
}

/// An operand of the output's shape has its layout; a broadcast one has the same order in both.
Layout second_layout(const Lowering& lowering, const Operands& operands) {
  const bool broadcast = lowering.shape(operands.a) != lowering.shape(operands.b);
  return broadcast && same_order(lowering.shape(operands.b)) ? Layout::plain : operands.layout;
}

bool lower_bytes(Lowering& lowering, const Node& node) {
  const bool multiply = node.op == "Mul";
  if (!multiply && node.op != "Add" && node.op != "Sub") return false;
  if (!lowering.on_byte_grid(node.inputs[0]) || !lowering.on_byte_grid(node.inputs[1]))
    return false;
  const auto operands = order_operands(lowering, node, true);
  if (!operands) return false;
  const Grid& a = *lowering.value(operands->a).grid;
  const Grid& b = *lowering.value(operands->b).grid;
  const Tail preview = lowering.peek_tail(node);
  const float divisor = preview.grid ? preview.grid->scale[0] : 1.0f;
  const float largest = multiply ? 255 * 255 * (a.scale[0] * b.scale[0] / divisor)
                                 : 255 * (a.scale[0] / divisor + b.scale[0] / divisor);
  if (preview.grid && !(largest < largest_rescaled)) return false;
  const TensorId inputs[] = {lowering.bytes(operands->a, operands->layout),
                             lowering.bytes(operands->b, second_layout(lowering, *operands))};
  const Tail tail = lowering.take_tail(node);
  ByteBinaryOperation operation;
  operation.operation = multiply ? kernels::ByteBinary::mul : kernels::ByteBinary::add;
  operation.zero_point_a = stored_zero_point(a);
  operation.zero_point_b = stored_zero_point(b);
  operation.stage = lowering.stage_of(tail);
  if (multiply) {
    operation.multiplier_a = a.scale[0] * b.scale[0] / divisor;
  } else {
    operation.multiplier_a = a.scale[0] / divisor;
    operation.multiplier_b = b.scale[0] / divisor;
    if (node.op == "Sub")
      (operands->swapped ? operation.multiplier_a : operation.multiplier_b) *= -1;
  }
  const TensorId output = lowering.result_tensor(tail, operands->layout);
  lowering.emit(node, tail, std::move(operation), {inputs[0], inputs[1]}, output);
  return true;
}

std::optional<kernels::FloatBinary> float_operation(const Node& node, bool swapped) {
  using kernels::FloatBinary;
  if (node.op == "Add") return FloatBinary::add;
  if (node.op == "Mul") return FloatBinary::mul;
  if (node.op == "Max" && node.inputs.size() == 2) return FloatBinary::max;
  if (node.op == "Min" && node.inputs.size() == 2) return FloatBinary::min;
  if (node.op == "Sub" && !swapped) return FloatBinary::sub;
  if (node.op == "Div" && !swapped) return FloatBinary::div;
  return std::nullopt;
}

}  // namespace

bool lower_binary(Lowering& lowering, const Node& node) {
  if (node.domain != "" || node.inputs.size() != 2 ||
      lowering.value(node.outputs[0]).type != ElementType::f32)
    return false;
  if (lowering.value(node.inputs[0]).type != ElementType::f32 ||
      lowering.value(node.inputs[1]).type != ElementType::f32)
    return false;
  if (lower_bytes(lowering, node)) return true;
  const auto operands = order_operands(lowering, node, node.op != "Sub" && node.op != "Div");
  if (!operands) return false;
  const auto function = float_operation(node, operands->swapped);
  if (!function) return false;
  const TensorId inputs[] = {lowering.real(operands->a, operands->layout),
                             lowering.real(operands->b, second_layout(lowering, *operands))};
  const Tail tail = lowering.take_float_tail(node);
  const TensorId output = lowering.result_tensor(tail, operands->layout);
  lowering.emit_float(node, tail, FloatBinaryOperation{*function, tail.lower, tail.upper},
                      {inputs[0], inputs[1]}, output);
  return true;
}

}  // namespace intact
