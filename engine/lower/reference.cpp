// Any operator: the reference evaluation of its definition. Operators that only move data run on
// the stored bytes of a grid; all others on floats.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/lower/lowering.hpp"
#include "graph/folding.hpp"

namespace intact {
namespace {

bool is_shape_type(ElementType type) {
  constexpr std::array reals = {ElementType::f32, ElementType::f64, ElementType::f16,
                                ElementType::bf16};
  return std::find(reals.begin(), reals.end(), type) == reals.end();
}

/// Moving operators keep the grid: bytes in, bytes out.
bool moves_bytes(const Lowering& lowering, const Node& node) {
  if (!moves_data(node) || !lowering.on_byte_grid(node.outputs[0])) return false;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId input = node.inputs[i];
    if (input != no_value && is_data_input(node, i) &&
        (!lowering.on_byte_grid(input) ||
         lowering.value(input).grid != lowering.value(node.outputs[0]).grid))
      return false;
  }
  return true;
}

/// Why the reference runs. Round and FromBytes come here with grids that are not stored as bytes.
void explain(const Lowering& lowering, const Node& node, Operation& operation) {
  if (node.is_round() || node.is_from_bytes()) {
    operation.op = node.is_round() ? "Quantize" : "Dequantize";
    operation.reason = lowering.wide_grid_reason(node.outputs[0]);
    return;
  }
  operation.reason = fmt::format("{} has no fast kernel and runs the reference", node.op);
}

}  // namespace

bool lower_reference(Lowering& lowering, const Node& node) {
  definition_of(node);  // refuses an operator that is not implemented
  const bool on_bytes = moves_bytes(lowering, node);
  ReferenceOperation reference{node, {}};
  std::vector<TensorId> inputs;
  for (const ValueId input : node.inputs) {
    reference.operands.push_back(input == no_value ? -1 : static_cast<int>(inputs.size()));
    if (input == no_value) continue;
    const bool real = lowering.value(input).type == ElementType::f32 && !on_bytes;
    inputs.push_back(real ? lowering.real(input, Layout::plain) : lowering.plain(input));
  }
  std::vector<TensorId> outputs;
  bool all_shapes = true;
  for (const ValueId id : node.outputs) {
    if (id == no_value) {
      outputs.push_back(no_tensor);
      continue;
    }
    const Value& output = lowering.value(id);
    const bool bytes = on_bytes && lowering.on_byte_grid(id);
    all_shapes = all_shapes && is_shape_type(output.type);
    outputs.push_back(lowering.new_tensor(output.name, bytes ? ElementType::u8 : output.type,
                                          *output.shape, Layout::plain,
                                          bytes ? output.grid : std::nullopt));
    lowering.bind(id, outputs.back());
  }
  Operation& operation = lowering.emit(node, std::move(reference), std::move(inputs), outputs[0]);
  operation.outputs = outputs;
  if (on_bytes) return true;
  operation.precision = all_shapes ? Precision::shape : Precision::floating;
  explain(lowering, node, operation);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId id = node.outputs[i];
    if (id != no_value && lowering.on_byte_grid(id)) lowering.requantize(id, outputs[i]);
  }
  return true;
}

}  // namespace intact
