// Shape inference: one walk in topological order that also folds what is constant, so that shapes
// computed by nodes (Shape -> Gather -> Concat -> Reshape) are known where they are needed.
#include "graph/definition.hpp"
#include "graph/folding.hpp"
#include "graph/ops/checks.hpp"

namespace intact {

namespace {

/// Larger results stay nodes: they cost memory, and the pass fold_constants decides about weights.
constexpr std::int64_t largest_folded = 1 << 20;
void infer_outputs(Graph& graph, const Node& node) {
  const std::vector<TensorType> types = infer_node(graph, node);
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
    infer_outputs(graph, node);
    fold_node(graph, node, largest_folded);
  }
  graph.erase_marked();
}

}  // namespace intact
