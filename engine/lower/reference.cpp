// Any operator: the reference evaluation of its definition. Operators that only move data run on
// the stored bytes of a grid; all others on floats.
#include <fmt/format.h>

#include "engine/lower/lowering.hpp"
#include "engine/lower/reasons.hpp"
#include "graph/folding.hpp"
#include "graph/half.hpp"

namespace intact {
namespace {

bool is_shape_type(ElementType type) {
  return type != ElementType::f32 && type != ElementType::f64 && !is_half(type) && !is_float8(type);
}

/// Operators that ask which element is greater: bytes are in the order of the reals that they stand
/// for.
bool orders_bytes(const Lowering& lowering, const Node& node) {
  if (!node.has_input(0) || !lowering.on_stored_grid(node.inputs[0])) return false;
  return node.is("ArgMax") || node.is("ArgMin") ||
         (node.is("TopK") && lowering.on_stored_grid(node.outputs[0]));
}

bool pads_with_elements(const Node& node) {
  return node.is("Pad") && node.attributes.text("mode", "constant") != "constant";
}

/// Moving operators keep the grid: bytes in, bytes out.
bool moves_bytes(const Lowering& lowering, const Node& node) {
  if (orders_bytes(lowering, node)) return true;
  if (!moves_data(node) && !mixes_data(node) && !pads_with_elements(node)) return false;
  if (!lowering.on_stored_grid(node.outputs[0])) return false;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId input = node.inputs[i];
    if (input != no_value && is_data_input(node, i) &&
        (!lowering.on_stored_grid(input) ||
         lowering.value(input).grid != lowering.value(node.outputs[0]).grid))
      return false;
  }
  return true;
}

/// An output or input of the node for whose type `is` holds.
template <class Is>
ValueId operand_of(const Lowering& lowering, const Node& node, const Is& is) {
  for (const auto* operands : {&node.outputs, &node.inputs})
    for (const ValueId id : *operands)
      if (id != no_value && is(lowering.value(id).type)) return id;
  return no_value;
}

ValueId float8_of(const Lowering& lowering, const Node& node) {
  return operand_of(lowering, node, is_float8);
}

ValueId half_of(const Lowering& lowering, const Node& node) {
  return node.is("Cast") ? operand_of(lowering, node, is_half) : no_value;
}

/// Why the reference runs. Round and FromBytes come here with grids that are not stored as bytes.
void explain(const Lowering& lowering, const Node& node, Operation& operation) {
  if (node.is_round() || node.is_from_bytes()) {
    operation.op = node.is_round() ? "Quantize" : "Dequantize";
    operation.reason = lowering.wide_grid_reason(node.outputs[0]);
    return;
  }
  if (const ValueId eight_bits = float8_of(lowering, node); eight_bits != no_value) {
    operation.reason =
        fmt::format("'{}' is quantized to 8-bit floats ({}); quantize it to 8-bit integers",
                    lowering.value(eight_bits).name, element_name(lowering.value(eight_bits).type));
    return;
  }
  if (const ValueId half = half_of(lowering, node); half != no_value) {
    operation.reason =
        fmt::format("'{}' is {} in the file; make it f32, or quantize it",
                    lowering.value(half).name, element_name(lowering.value(half).type));
    return;
  }
  operation.reason = reference_reason(node);
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
    const bool bytes = on_bytes && lowering.on_stored_grid(id);
    all_shapes = all_shapes && is_shape_type(output.type);
    outputs.push_back(
        lowering.new_tensor(output.name, bytes ? stored_type(*output.grid) : output.type,
                            *output.shape, Layout::plain, bytes ? output.grid : std::nullopt));
    lowering.bind(id, outputs.back());
  }
  Operation& operation = lowering.emit(node, std::move(reference), std::move(inputs), outputs[0]);
  operation.outputs = outputs;
  if (on_bytes) return true;
  operation.precision = all_shapes ? Precision::shape : Precision::floating;
  explain(lowering, node, operation);
  return true;
}

}  // namespace intact
