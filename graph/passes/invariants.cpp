// The invariants of the canonical form.
#include "graph/passes/invariants.hpp"

#include <fmt/format.h>

#include "graph/passes/grids.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

const Node* producer_of(const Graph& graph, const std::vector<int>& producers, ValueId id) {
  const int index = producers[static_cast<std::size_t>(id)];
  return index < 0 ? nullptr : &graph.nodes[static_cast<std::size_t>(index)];
}

std::optional<Grid> derived_grid(const Graph& graph, const Node& node, ValueId id) {
  for (std::size_t i = 0; i < node.outputs.size(); ++i)
    if (node.outputs[i] == id) return output_grid(graph, node, i);
  return std::nullopt;
}

bool reads_back(const Node& node, const Node& producer, const Graph& graph) {
  if (node.is_from_bytes()) return producer.is_bytes() && producer.grid == node.grid;
  return node.is_round() && graph.value(node.inputs[0]).grid == node.grid;
}

}  // namespace

std::vector<std::string> all_sources(const Graph& graph) {
  std::vector<std::string> result;
  for (const Node& node : graph.nodes) {
    const std::vector<std::string> sources = node.all_sources();
    result.insert(result.end(), sources.begin(), sources.end());
  }
  for (const Removed& removed : graph.removed)
    result.insert(result.end(), removed.sources.begin(), removed.sources.end());
  return result;
}

void check_grids(const Graph& graph) {
  const std::vector<int> producers = graph.producers();
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    const Value& value = graph.values[i];
    if (!value.grid) continue;
    check_grid(*value.grid, fmt::format("tensor '{}'", value.name));
    const auto id = static_cast<ValueId>(i);
    const Node* producer = producer_of(graph, producers, id);
    // Values that nothing makes or reads any more are not looked at.
    const bool fits = value.is_constant()
                          ? value.constant.type() == value.grid->type
                          : producer == nullptr || derived_grid(graph, *producer, id) == value.grid;
    if (!fits)
      throw Error(
          fmt::format("tensor '{}' cannot lie on the grid {}", value.name, to_string(*value.grid)));
  }
}

void check_canonical(const Graph& graph) {
  check_grids(graph);
  const std::vector<int> producers = graph.producers();
  const auto consumers = graph.consumers();
  for (const Node& node : graph.nodes) {
    if (node.domain != "intact") continue;
    // A graph output keeps its name, so that its node may have to stay.
    if (graph.is_output(node.outputs.at(0))) continue;
    const Node* producer = producer_of(graph, producers, node.inputs.at(0));
    if (producer != nullptr && reads_back(node, *producer, graph))
      throw Error(fmt::format("{} undoes {}", describe(node), describe(*producer)));
    for (const int index : consumers[static_cast<std::size_t>(node.inputs[0])]) {
      const Node& other = graph.nodes[static_cast<std::size_t>(index)];
      if (&other != &node && other.is(node.op, "intact") && other.grid == node.grid &&
          !graph.is_output(other.outputs.at(0)))
        throw Error(fmt::format("{} does the same as {}", describe(node), describe(other)));
    }
  }
}

}  // namespace intact
