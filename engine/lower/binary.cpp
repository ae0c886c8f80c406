// Arithmetic of two tensors: on bytes when both lie on byte grids, else float kernels.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "engine/lower/broadcast.hpp"
#include "engine/pixel_walk.hpp"
#include "graph/ops/groups.hpp"

namespace intact {
namespace {

/// Both operands, in an order and layouts that broadcast_loops can walk.
struct Operands {
  ValueId a, b;
  bool swapped;
  Layout layout, layout_a, layout_b;  ///< of the result, and of the operands
};

/// Of two tensors of equal shape the one written later comes first: an addition then has the same
/// order whether or not it is fused into the convolution that wrote it. Otherwise the one of the
/// output's shape does. Operators that do not commute keep the order of the file.
bool swaps(const Lowering& lowering, const Node& node) {
  const Shape& out = lowering.shape(node.outputs[0]);
  const Shape &a = lowering.shape(node.inputs[0]), &b = lowering.shape(node.inputs[1]);
  if (a == out && b == out)
    return lowering.written_at(node.inputs[1]) > lowering.written_at(node.inputs[0]);
  return b == out;
}

Operands order_operands(const Lowering& lowering, const Node& node, bool commutes) {
  const Shape& out = lowering.shape(node.outputs[0]);
  Operands operands{node.inputs[0], node.inputs[1], commutes && swaps(lowering, node),
                    Layout::plain,  Layout::plain,  Layout::plain};
  if (operands.swapped) std::swap(operands.a, operands.b);
  const BroadcastLayouts layouts = broadcast_layouts(lowering, {operands.a, operands.b}, out);
  operands.layout = layouts.result;
  operands.layout_a = layouts.operands[0];
  operands.layout_b = layouts.operands[1];
  return operands;
}

std::optional<kernels::ByteBinary> byte_operation(const Node& node) {
  using kernels::ByteBinary;
  if (node.op == "Add" || node.op == "Sub") return ByteBinary::add;
  if (node.op == "Mul") return ByteBinary::mul;
  if (node.op == "Div") return ByteBinary::div;
  if (node.op == "Max") return ByteBinary::max;
  if (node.op == "Min") return ByteBinary::min;
  return std::nullopt;
}

/// Multipliers in units of the result's grid. False where they could leave the integers' range, or
/// that of floats.
bool set_multipliers(ByteBinaryOperation& operation, float scale_a, float scale_b,
                     const std::optional<Grid>& grid) {
  const float divisor = grid ? grid->scale[0] : 1.0f;
  if (kernels::on_reals(operation.operation)) {
    operation.multiplier_a = scale_a;
    operation.multiplier_b = scale_b;
    operation.divisor = divisor;
    return true;
  }
  const bool multiply = operation.operation == kernels::ByteBinary::mul;
  operation.multiplier_a = multiply ? scale_a * scale_b / divisor : scale_a / divisor;
  operation.multiplier_b = multiply ? 1.0f : scale_b / divisor;
  const float largest = multiply ? 255 * 255 * operation.multiplier_a
                                 : 255 * (operation.multiplier_a + operation.multiplier_b);
  return grid ? largest < largest_rescaled : std::isfinite(largest);
}

bool lower_bytes(Lowering& lowering, const Node& node) {
  const auto function = byte_operation(node);
  if (!function) return false;
  if (!lowering.on_byte_grid(node.inputs[0]) || !lowering.on_byte_grid(node.inputs[1]))
    return false;
  const Operands operands = order_operands(lowering, node, node.op != "Div");
  const Grid& a = *lowering.value(operands.a).grid;
  const Grid& b = *lowering.value(operands.b).grid;
  ByteBinaryOperation operation;
  operation.operation = *function;
  operation.zero_point_a = stored_zero_point(a);
  operation.zero_point_b = stored_zero_point(b);
  if (!set_multipliers(operation, a.scale[0], b.scale[0], lowering.peek_tail(node).grid))
    return false;
  if (node.op == "Sub") (operands.swapped ? operation.multiplier_a : operation.multiplier_b) *= -1;
  const TensorId inputs[] = {lowering.bytes(operands.a, operands.layout_a),
                             lowering.bytes(operands.b, operands.layout_b)};
  const Tail tail = lowering.take_tail(node);
  operation.stage = lowering.stage_of(tail);
  if (kernels::on_reals(*function)) {
    operation.stage.lower = 0;  // clamps reals: NaN passes them and rounds to the lowest integer
    operation.stage.upper = 255;
  }
  const TensorId output = lowering.result_tensor(tail, operands.layout);
  lowering.emit(node, tail, std::move(operation), {inputs[0], inputs[1]}, output);
  return true;
}

std::optional<kernels::FloatBinary> float_operation(const Node& node) {
  using kernels::FloatBinary;
  if (node.op == "Add") return FloatBinary::add;
  if (node.op == "Mul") return FloatBinary::mul;
  if (node.op == "Max") return FloatBinary::max;
  if (node.op == "Min") return FloatBinary::min;
  if (node.op == "Sub") return FloatBinary::sub;
  if (node.op == "Div") return FloatBinary::div;
  if (node.op == "PRelu" && node.version >= 7) return FloatBinary::prelu;
  return std::nullopt;
}

/// A float operand. A constant that is repeated along an axis between two others, so that chains
/// could not read it along with their tiles (engine/pixel_walk.hpp), is stored repeated from its
/// first axis on.
TensorId real_operand(Lowering& lowering, ValueId id, Layout layout, const Shape& out,
                      Layout out_layout) {
  const TensorId stored = lowering.real(id, layout);
  StoredTensor result;
  result.shape = out;
  result.layout = out_layout;
  const StoredTensor given = lowering.program().tensor(stored);
  if (!given.constant.defined() || given.layout != Layout::plain || out_layout != Layout::plain ||
      pixel_walk(given, result))
    return stored;
  const Shape& own = given.shape;
  const auto first = static_cast<std::size_t>(
      std::find_if(own.begin(), own.end(), [](std::int64_t extent) { return extent != 1; }) -
      own.begin());
  Shape repeated(out.end() - static_cast<std::ptrdiff_t>(own.size() - first), out.end());
  repeated.back() = own.back();
  Tensor constant(ElementType::f32, repeated);
  const auto from = given.constant.data<float>();
  const auto to = constant.data<float>();
  const auto indices = broadcast_indices(
      Shape(own.begin() + static_cast<std::ptrdiff_t>(first), own.end()), repeated);
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[indices[i]];
  const TensorId tensor =
      lowering.new_tensor(given.name, ElementType::f32, repeated, Layout::plain);
  lowering.program().tensor(tensor).constant = std::move(constant);
  return tensor;
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
  const auto function = float_operation(node);
  if (!function) return false;
  using kernels::FloatBinary;
  const bool commutes = *function != FloatBinary::sub && *function != FloatBinary::div &&
                        *function != FloatBinary::prelu;
  const Operands operands = order_operands(lowering, node, commutes);
  const Shape& out = lowering.shape(node.outputs[0]);
  const TensorId inputs[] = {
      real_operand(lowering, operands.a, operands.layout_a, out, operands.layout),
      real_operand(lowering, operands.b, operands.layout_b, out, operands.layout)};
  const Tail tail = lowering.take_float_tail(node);
  const TensorId output = lowering.result_tensor(tail, operands.layout);
  lowering.emit_float(node, tail, FloatBinaryOperation{*function, tail.lower, tail.upper},
                      {inputs[0], inputs[1]}, output);
  return true;
}

}  // namespace intact
