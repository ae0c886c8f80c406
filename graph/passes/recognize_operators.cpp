// Files written for older operator sets spell newer operators out: Gelu as Div, Erf, Add, Mul, Mul,
// LayerNormalization as nine operators. They become the one operator again, which has a kernel; its
// intermediate results are not rounded to float one by one (docs/numerics.md). A Round inside of
// such a chain, or another reader of a result inside, keeps it as it is. Needs shapes.
#include <array>

#include "graph/passes/passes.hpp"
#include "graph/passes/recognize.hpp"

namespace intact {

void recognize_operators(Graph& graph) {
  constexpr std::array recognizers = {recognize_group_normalization, recognize_normalization,
                                      recognize_lp_normalization, recognize_activation};
  Pattern pattern(graph);
  // From the end: the outermost operator of a chain comes first.
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& last = graph.nodes[i];
    if (!last.domain.empty() || last.inputs.size() != 2 || last.outputs.size() != 1 ||
        !pattern.shape(last.outputs[0]))
      continue;
    for (const auto recognize : recognizers) {
      pattern.begin(static_cast<int>(i));
      if (recognize(pattern, last)) break;
    }
  }
  graph.erase_marked();
}

}  // namespace intact
