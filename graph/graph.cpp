// The graph's bookkeeping: who makes and who reads each value, order, invariants.
#include "graph/graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "intact/error.hpp"

namespace intact {

ValueId Graph::add_value(std::string name, ElementType type) {
  Value value;
  value.name = std::move(name);
  value.type = type;
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size()) - 1;
}

ValueId Graph::add_constant(std::string name, Tensor tensor) {
  const ValueId id = add_value(std::move(name), tensor.type());
  value(id).shape = tensor.shape();
  value(id).constant = std::move(tensor);
  return id;
}

bool Graph::is_output(ValueId id) const {
  return std::find(outputs.begin(), outputs.end(), id) != outputs.end();
}

std::string Graph::unique_name(const std::string& base) const {
  std::unordered_set<std::string_view> taken;
  for (const Value& value : values) taken.insert(value.name);
  if (!base.empty() && !taken.contains(base)) return base;
  for (int i = 1;; ++i) {
    std::string candidate = fmt::format("{}_{}", base, i);
    if (!taken.contains(candidate)) return candidate;
  }
}

std::vector<int> Graph::producers() const {
  std::vector<int> result(values.size(), -1);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (const ValueId id : nodes[i].outputs)
      if (id != no_value) result[static_cast<std::size_t>(id)] = static_cast<int>(i);
  return result;
}

std::vector<std::vector<int>> Graph::consumers() const {
  std::vector<std::vector<int>> result(values.size());
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (const ValueId id : nodes[i].inputs)
      if (id != no_value) result[static_cast<std::size_t>(id)].push_back(static_cast<int>(i));
  return result;
}

void Graph::erase_marked() {
  std::erase_if(nodes, [](const Node& node) { return node.op.empty(); });
}

void Graph::sort() {
  const std::vector<int> producer = producers();
  const std::vector<std::vector<int>> consumer = consumers();
  std::vector<int> waiting(nodes.size(), 0);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (const ValueId id : nodes[i].inputs)
      if (id != no_value && producer[static_cast<std::size_t>(id)] >= 0) ++waiting[i];

  // The lowest ready index first: an order that is already topological stays as it is.
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (waiting[i] == 0) ready.push(static_cast<int>(i));
  std::vector<int> order;
  while (!ready.empty()) {
    const int i = ready.top();
    ready.pop();
    order.push_back(i);
    for (const ValueId id : nodes[static_cast<std::size_t>(i)].outputs) {
      if (id == no_value) continue;
      for (const int user : consumer[static_cast<std::size_t>(id)])
        if (--waiting[static_cast<std::size_t>(user)] == 0) ready.push(user);
    }
  }
  if (order.size() != nodes.size()) {
    const auto stuck = std::find_if(waiting.begin(), waiting.end(), [](int n) { return n > 0; });
    throw Error(fmt::format("{}: depends on its own output; a graph must be acyclic",
                            describe(nodes[static_cast<std::size_t>(stuck - waiting.begin())])));
  }
  std::vector<Node> sorted;
  sorted.reserve(nodes.size());
  for (const int i : order) sorted.push_back(std::move(nodes[static_cast<std::size_t>(i)]));
  nodes = std::move(sorted);
}

namespace {

void check_id(const Graph& graph, ValueId id, const std::string& where) {
  if (id < 0 || static_cast<std::size_t>(id) >= graph.values.size())
    throw Error(fmt::format("{}: refers to value {}, but the graph has values 0 to {}", where, id,
                            static_cast<std::int64_t>(graph.values.size()) - 1));
}

/// Marks graph inputs and constants as available, then walks the nodes in order.
void check_order(const Graph& graph) {
  std::vector<bool> available(graph.values.size(), false);
  for (std::size_t i = 0; i < graph.values.size(); ++i)
    available[i] = graph.values[i].is_constant();
  for (const ValueId id : graph.inputs) {
    check_id(graph, id, "the list of graph inputs");
    available[static_cast<std::size_t>(id)] = true;
  }
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.inputs) {
      if (id == no_value) continue;
      check_id(graph, id, describe(node));
      if (!available[static_cast<std::size_t>(id)])
        throw Error(fmt::format("{}: input '{}' is not produced by an earlier node", describe(node),
                                graph.value(id).name));
    }
    for (const ValueId id : node.outputs) {
      if (id == no_value) continue;
      check_id(graph, id, describe(node));
      if (available[static_cast<std::size_t>(id)])
        throw Error(fmt::format("{}: output '{}' has another producer; a value has one",
                                describe(node), graph.value(id).name));
      available[static_cast<std::size_t>(id)] = true;
    }
  }
  for (const ValueId id : graph.outputs) {
    check_id(graph, id, "the list of graph outputs");
    if (!available[static_cast<std::size_t>(id)])
      throw Error(fmt::format("graph output '{}' is produced by no node", graph.value(id).name));
  }
}

void check_sources(const Graph& graph, const std::vector<std::string>& all_sources) {
  std::unordered_map<std::string, int> places;
  for (const Node& node : graph.nodes)
    for (const std::string& source : node.all_sources()) ++places[source];
  for (const Removed& removed : graph.removed)
    for (const std::string& source : removed.sources) ++places[source];
  for (const std::string& source : all_sources) {
    const int count = places[source];
    if (count != 1)
      throw Error(fmt::format("source node '{}' is in {} places of the graph; it must be in one",
                              source, count));
    places.erase(source);
  }
  for (const auto& [source, count] : places)
    throw Error(fmt::format("'{}' is no node of the file", source));
}

}  // namespace

void Graph::check(const std::vector<std::string>* all_sources) const {
  check_order(*this);
  if (all_sources != nullptr) check_sources(*this, *all_sources);
}

std::vector<std::pair<std::string, Subgraph>> Node::subgraphs() const {
  std::vector<std::pair<std::string, Subgraph>> result;
  for (const auto& [key, attribute] : attributes.all())
    if (const auto* subgraph = std::get_if<Subgraph>(&attribute))
      result.emplace_back(key, *subgraph);
  return result;
}

std::vector<std::string> Node::all_sources() const {
  std::vector<std::string> result = sources;
  for (const auto& [key, subgraph] : subgraphs()) {
    for (const Node& node : subgraph->nodes) {
      const std::vector<std::string> inner = node.all_sources();
      result.insert(result.end(), inner.begin(), inner.end());
    }
    for (const Removed& removed : subgraph->removed)
      result.insert(result.end(), removed.sources.begin(), removed.sources.end());
  }
  return result;
}

std::string describe(const Node& node) {
  if (node.domain.empty())
    return fmt::format("{} '{}' (opset {})", node.op, node.name, node.version);
  return fmt::format("{}.{} '{}' (opset {})", node.domain, node.op, node.name, node.version);
}

}  // namespace intact
