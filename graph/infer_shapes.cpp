// Shape inference: one walk in topological order that also folds what is constant, so that shapes
// computed by nodes (Shape -> Gather -> Concat -> Reshape) are known where they are needed.
#include <algorithm>
#include <iterator>
#include <utility>

#include "graph/checks.hpp"
#include "graph/definition.hpp"
#include "graph/folding.hpp"
#include "graph/passes/subgraphs.hpp"

namespace intact {

namespace {

/// Larger results stay nodes: they cost memory, and the pass fold_constants decides about weights.
constexpr std::int64_t largest_folded = 1 << 20;

/// Behind an operator whose results only its run shows, types are open too.
bool has_unknown_operand(const Graph& graph, const Node& node) {
  return std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
    return id != no_value && graph.value(id).type == ElementType::undefined;
  });
}

void infer_outputs(Graph& graph, const Node& node) {
  if (has_unknown_operand(graph, node) && node.captured == 0) return;
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
  // A branch that a shape decides about is walked in place of its If.
  std::vector<Node> pending = std::exchange(graph.nodes, {});
  std::reverse(pending.begin(), pending.end());
  while (!pending.empty()) {
    Node node = std::move(pending.back());
    pending.pop_back();
    std::vector<Node> branch = inline_branch(graph, node);
    std::move(branch.rbegin(), branch.rend(), std::back_inserter(pending));
    if (node.op.empty()) continue;
    infer_outputs(graph, node);
    fold_node(graph, node, largest_folded);
    if (!node.op.empty()) graph.nodes.push_back(std::move(node));
  }
}

}  // namespace intact
