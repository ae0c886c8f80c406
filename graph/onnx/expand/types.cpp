// Types from the definitions of operators.
#include "graph/onnx/expand/types.hpp"

#include <algorithm>

#include "graph/definition.hpp"
#include "graph/folding.hpp"
#include "intact/error.hpp"

namespace intact {

void follow_types(Graph& graph, const Node& node) {
  const Definition* definition = find_definition(node.op, node.domain);
  const bool known = std::ranges::all_of(node.inputs, [&](ValueId id) {
    return id == no_value || graph.value(id).type != ElementType::undefined;
  });
  // Sequences and subgraphs have no element type of their own.
  if (definition == nullptr || definition->evaluate == nullptr || !known) return;
  try {
    const std::vector<TensorType> types = infer_node(graph, node);
    for (std::size_t i = 0; i < std::min(types.size(), node.outputs.size()); ++i)
      if (node.outputs[i] != no_value &&
          graph.value(node.outputs[i]).type == ElementType::undefined)
        graph.value(node.outputs[i]).type = types[i].type;
  } catch (const Error&) {
    // Refused when the whole graph is checked, after older forms have been raised.
  }
}

}  // namespace intact
