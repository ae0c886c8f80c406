// Shape inference: one walk in topological order that also folds what is constant, so that shapes
// computed by nodes (Shape -> Gather -> Concat -> Reshape) are known where they are needed.
#include "graph/definition.hpp"
#include "graph/folding.hpp"
#include "graph/ops/checks.hpp"

namespace intact {

namespace {

/// Larger results stay nodes: they cost memory, and the pass fold_constants decides about weights.
constexpr std::int64_t largest_folded = 1 << 20;
/// Constants on a grid are dequantized for inference only when they may determine a shape.
constexpr std::int64_t largest_dequantized = 4096;

bool determines_shape(const Definition& definition, std::size_t input) {
  for (const int operand : definition.shape_operands)
    if (static_cast<std::size_t>(operand) == input) return true;
  return false;
}

std::vector<TensorType> infer_node(const Graph& graph, const Node& node,
                                   const Definition& definition) {
  std::vector<TensorType> types(node.inputs.size());
  std::vector<Tensor> constants(node.inputs.size());
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.has_input(i)) continue;
    const Value& value = graph.value(node.inputs[i]);
    types[i] = {value.type, value.shape};
    if (!value.is_constant()) continue;
    if (!value.grid)
      constants[i] = value.constant;
    else if (value.constant.size() <= largest_dequantized || determines_shape(definition, i))
      constants[i] = real_constant(value);
  }
  return definition.infer({node, types, constants});
}

void infer_outputs(Graph& graph, const Node& node, const Definition& definition) {
  const std::vector<TensorType> types = infer_node(graph, node, definition);
  if (types.size() < node.outputs.size())
    refuse(node, "has {} outputs, but the operator gives {}", node.outputs.size(), types.size());
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == no_value) continue;
    Value& value = graph.value(node.outputs[i]);
    if (types[i].type != ElementType::undefined) value.type = types[i].type;
    if (types[i].shape) element_count(*types[i].shape);  // refuses overflow here, with the shape
    value.shape = types[i].shape;
  }
  const bool sets_grid = node.is_round() || node.is_from_bytes();
  const std::optional<Grid> grid = sets_grid ? node.grid : moved_grid(graph, node);
  if (!grid) return;
  for (const ValueId id : node.outputs)
    if (id != no_value && graph.value(id).type == ElementType::f32) graph.value(id).grid = grid;
}

}  // namespace

void infer_shapes(Graph& graph) {
  for (Value& value : graph.values)
    if (value.is_constant()) value.shape = value.constant.shape();
  for (Node& node : graph.nodes) {
    const Definition& definition = definition_of(node);
    infer_outputs(graph, node, definition);
    fold_node(graph, node, largest_folded);
  }
  graph.erase_marked();
}

}  // namespace intact
