// Expand in front of an operator that broadcasts by itself: the operator reads what is expanded.
#include <algorithm>
#include <array>

#include "graph/folding.hpp"
#include "graph/passes/passes.hpp"

namespace intact {
namespace {

bool broadcasts(const Node& node) {
  constexpr std::array<std::string_view, 12> ops = {
      "Add", "Sub", "Mul", "Div", "Max", "Min", "Where", "And", "Or", "Equal", "Less", "Greater"};
  return node.domain.empty() && node.version >= 8 && std::ranges::find(ops, node.op) != ops.end();
}

}  // namespace

void drop_expands(Graph& graph) {
  const std::vector<int> producers = graph.producers();
  const std::vector<std::vector<int>> consumers = graph.consumers();
  // Others would still need it, and functions of one tensor are recognized by its readers.
  const auto only_broadcast = [&](ValueId id) {
    return std::ranges::all_of(consumers[static_cast<std::size_t>(id)], [&](int reader) {
      return broadcasts(graph.nodes[static_cast<std::size_t>(reader)]);
    });
  };
  for (Node& node : graph.nodes) {
    if (!broadcasts(node)) continue;
    for (ValueId& input : node.inputs) {
      if (input == no_value) continue;
      const int index = producers[static_cast<std::size_t>(input)];
      if (index < 0 || !graph.nodes[static_cast<std::size_t>(index)].is("Expand") ||
          !only_broadcast(input))
        continue;
      const ValueId expanded = input;
      input = graph.nodes[static_cast<std::size_t>(index)].inputs[0];
      if (infer_node(graph, node)[0].shape != graph.value(node.outputs[0]).shape) input = expanded;
    }
  }
}

}  // namespace intact
