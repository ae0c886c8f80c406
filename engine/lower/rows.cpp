// Softmax and LayerNormalization along the last axis. They read the bytes of a grid and write those
// of a Round behind them; one row at a time is float.
#include <algorithm>

#include "engine/lower/lowering.hpp"

namespace intact {
namespace {

/// The attribute names the last axis of `shape`.
bool along_last_axis(const Node& node, const Shape& shape, std::int64_t otherwise) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  const std::int64_t axis = node.attributes.integer("axis", otherwise);
  return rank > 0 && (axis == -1 || axis == rank - 1);
}

/// One float per element of the last axis.
bool is_row_vector(const Lowering& lowering, ValueId id, std::int64_t length) {
  const Value& value = lowering.value(id);
  return value.type == ElementType::f32 && value.shape && !value.shape->empty() &&
         value.shape->back() == length && element_count(*value.shape) == length;
}

bool writes_one_output(const Node& node) {
  return std::all_of(node.outputs.begin() + 1, node.outputs.end(),
                     [](ValueId id) { return id == no_value; });
}

bool read_softmax(const Node& node, const Shape& shape, RowOperation& operation) {
  // Before operator set 13 all axes from `axis` on are one row: the same for the last axis.
  const bool flattens = node.version > 0 && node.version < 13;
  operation.function = kernels::RowFunction::softmax;
  return along_last_axis(node, shape, flattens ? 1 : -1);
}

bool read_layer_norm(const Lowering& lowering, const Node& node, const Shape& shape,
                     RowOperation& operation) {
  operation.function = kernels::RowFunction::layer_norm;
  operation.epsilon = node.attributes.number("epsilon", 1e-5f);
  return along_last_axis(node, shape, -1) && writes_one_output(node) && node.has_input(1) &&
         is_row_vector(lowering, node.inputs[1], shape.back()) &&
         (!node.has_input(2) || is_row_vector(lowering, node.inputs[2], shape.back()));
}

/// The node and, if it is the only consumer, a Round to a byte grid.
Tail take_round(Lowering& lowering, const Node& node) {
  const Node* next = lowering.only_consumer(node.outputs[0]);
  const bool rounded =
      next != nullptr && next->is_round() && lowering.on_byte_grid(next->outputs[0]);
  return rounded ? lowering.take_tail(node) : Lowering::no_tail(node);
}

}  // namespace

bool lower_rows(Lowering& lowering, const Node& node) {
  if (node.domain != "" || node.inputs.empty()) return false;
  const ValueId x = node.inputs[0];
  if (!lowering.value(x).shape || lowering.value(x).type != ElementType::f32 ||
      lowering.value(node.outputs[0]).grid)
    return false;
  RowOperation operation;
  const Shape& shape = lowering.shape(x);
  if (node.op == "Softmax") {
    if (!read_softmax(node, shape, operation)) return false;
  } else if (node.op == "LayerNormalization") {
    if (!read_layer_norm(lowering, node, shape, operation)) return false;
  } else {
    return false;
  }
  const bool on_bytes = lowering.on_byte_grid(x);
  std::vector<TensorId> inputs = {on_bytes ? lowering.bytes(x, Layout::plain)
                                           : lowering.real(x, Layout::plain)};
  for (std::size_t i = 1; i < node.inputs.size(); ++i)
    if (node.has_input(i)) inputs.push_back(lowering.real(node.inputs[i], Layout::plain));
  const Tail tail = take_round(lowering, node);
  const TensorId output = lowering.result_tensor(tail, Layout::plain);
  if (on_bytes)
    lowering.emit(node, tail, operation, std::move(inputs), output);
  else
    lowering.emit_float(node, tail, operation, std::move(inputs), output);
  return true;
}

}  // namespace intact
