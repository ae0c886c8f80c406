// Subgraphs in canonical form: what is constant around them becomes constant in them, and tensors
// on grids reach them as integers.
#include <utility>

#include "graph/passes/grid_operands.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"
#include "graph/passes/subgraphs.hpp"

namespace intact {
namespace {

using Graphs = std::vector<std::pair<std::string, Graph>>;

/// Captured constants become constants of the subgraphs.
void bind_constants(const Graph& graph, Node& node, Graphs& subgraphs, FreshNames& names) {
  for (std::size_t i = node.inputs.size(); i-- > node.own_inputs();) {
    const Value& value = graph.value(node.inputs[i]);
    if (!value.is_constant()) continue;
    for (auto& [attribute, subgraph] : subgraphs) {
      const auto at = subgraph.inputs.end() - static_cast<std::ptrdiff_t>(node.inputs.size() - i);
      subgraph.value(*at) = value;
      subgraph.value(*at).name = names.get(value.name);  // the name of the outer one stays its own
      subgraph.inputs.erase(at);
    }
    node.inputs.erase(node.inputs.begin() + static_cast<std::ptrdiff_t>(i));
    --node.captured;
  }
}

/// A captured tensor on a grid is captured as its integers.
void capture_integers(Graph& graph, Node& node, Graphs& subgraphs, FreshNames& names,
                      std::vector<Node>& nodes) {
  for (std::size_t i = node.own_inputs(); i < node.inputs.size(); ++i) {
    const std::optional<Grid> grid = graph.value(node.inputs[i]).grid;
    if (!grid) continue;
    node.inputs[i] = integers_of(graph, node.inputs[i], names, nodes);
    for (auto& [attribute, subgraph] : subgraphs) {
      ValueId& input =
          *(subgraph.inputs.end() - static_cast<std::ptrdiff_t>(node.inputs.size() - i));
      const ValueId reals = input;
      subgraph.value(reals).name = names.get(subgraph.value(reals).name);
      Value integers;
      integers.name = subgraph.unique_name(subgraph.value(reals).name + "/integers");
      integers.type = grid->type;
      input = static_cast<ValueId>(subgraph.values.size());
      subgraph.values.push_back(std::move(integers));
      const std::string name = subgraph.value(input).name;
      subgraph.nodes.insert(subgraph.nodes.begin(),
                            grid_node("FromBytes", name + "/reals", *grid, input, reals));
    }
  }
}

}  // namespace

ValueId integers_of(Graph& graph, ValueId id, FreshNames& names, std::vector<Node>& nodes) {
  for (const Node& node : nodes)
    if (node.is_from_bytes() && node.outputs[0] == id) return node.inputs[0];
  const Grid grid = *graph.value(id).grid;
  const std::string name = names.get(graph.value(id).name + "/integers");
  const ValueId integers = graph.add_value(name, grid.type);
  graph.value(integers).shape = graph.value(id).shape;
  nodes.push_back(grid_node("Bytes", name, grid, id, integers));
  return integers;
}

void canonicalize_subgraphs(Graph& graph) {
  FreshNames names(graph);
  std::vector<Node> nodes;
  for (Node& node : std::exchange(graph.nodes, {})) {
    Graphs subgraphs;
    for (const auto& [attribute, subgraph] : node.subgraphs())
      subgraphs.emplace_back(attribute, *subgraph);
    bind_constants(graph, node, subgraphs, names);
    capture_integers(graph, node, subgraphs, names, nodes);
    for (auto& [attribute, subgraph] : subgraphs) {
      canonicalize(subgraph);
      node.attributes.set(attribute, std::make_shared<const Graph>(std::move(subgraph)));
    }
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
}

}  // namespace intact
