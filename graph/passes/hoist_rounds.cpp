// Round(Reshape(x)) is Reshape(Round(x)): rounding moves in front of operators that only rearrange
// elements, next to the operator that computes them, so that it can become part of its kernel.
#include <algorithm>
#include <array>

#include "graph/passes/passes.hpp"

namespace intact {
namespace {

bool rearranges(const Node& node) {
  constexpr std::array<std::string_view, 5> ops = {"Reshape", "Flatten", "Squeeze", "Unsqueeze",
                                                   "Transpose"};
  return node.domain.empty() && std::find(ops.begin(), ops.end(), node.op) != ops.end();
}

/// Swaps the Round at `round` with the moving node before it. False when it has to stay.
bool hoist(Graph& graph, std::size_t round, const std::vector<int>& producers,
           const std::vector<std::vector<int>>& consumers) {
  Node& below = graph.nodes[round];
  const ValueId middle = below.inputs[0];
  const int above = producers[static_cast<std::size_t>(middle)];
  if (!below.grid || !below.grid->per_tensor() || above < 0 || graph.is_output(middle))
    return false;
  if (consumers[static_cast<std::size_t>(middle)].size() != 1) return false;
  Node& move = graph.nodes[static_cast<std::size_t>(above)];
  const ValueId x = move.inputs[0];
  if (!rearranges(move) || graph.value(x).grid || graph.is_constant(x) || !graph.value(x).shape)
    return false;
  const ValueId y = below.outputs[0];
  below.inputs[0] = x;
  below.outputs[0] = middle;
  move.inputs[0] = middle;
  move.outputs[0] = y;
  graph.value(middle).shape = graph.value(x).shape;
  graph.value(middle).grid = below.grid;
  std::swap(graph.nodes[static_cast<std::size_t>(above)], graph.nodes[round]);
  return true;
}

}  // namespace

void hoist_rounds(Graph& graph) {
  for (bool changed = true; changed;) {
    changed = false;
    const auto producers = graph.producers();
    const auto consumers = graph.consumers();
    for (std::size_t i = 0; i < graph.nodes.size() && !changed; ++i)
      if (graph.nodes[i].is_round()) changed = hoist(graph, i, producers, consumers);
  }
}

}  // namespace intact
