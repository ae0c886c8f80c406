// Drops nodes that no graph output needs, and the data of constants that nothing reads.
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {

void remove_dead_code(Graph& graph) {
  std::vector<bool> needed(graph.values.size(), false);
  for (const ValueId id : graph.outputs) needed[static_cast<std::size_t>(id)] = true;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    bool used = false;
    for (const ValueId id : node->outputs)
      used |= id != no_value && needed[static_cast<std::size_t>(id)];
    if (!used) {
      remove_sources(graph, *node, "unused");
      node->op.clear();
      continue;
    }
    for (const ValueId id : node->inputs)
      if (id != no_value) needed[static_cast<std::size_t>(id)] = true;
  }
  graph.erase_marked();
  for (std::size_t i = 0; i < graph.values.size(); ++i)
    if (!needed[i]) graph.values[i].constant = Tensor{};
}

}  // namespace intact
