// Rebuilding node lists.
#include "graph/passes/rewrite.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace intact {
namespace {

/// Whether a produced value may take the place (and name) of the graph output `from`.
bool can_become_output(const Graph& graph, ValueId to) {
  return !graph.is_output(to) && !graph.is_constant(to) &&
         std::find(graph.inputs.begin(), graph.inputs.end(), to) == graph.inputs.end();
}

void become_output(Graph& graph, ValueId from, ValueId to) {
  std::replace(graph.outputs.begin(), graph.outputs.end(), from, to);
  std::swap(graph.value(from).name, graph.value(to).name);
  graph.value(to).declared = graph.value(from).declared;
}

}  // namespace

std::string FreshNames::get(const std::string& base) {
  if (!std::exchange(collected_, true))
    for (const Value& value : graph_.values) taken_.insert(value.name);
  if (taken_.insert(base).second) return base;
  int& number = numbers_[base];
  std::string name;
  do {
    name = fmt::format("{}_{}", base, ++number);
  } while (!taken_.insert(name).second);
  return name;
}

Rewriter::Rewriter(Graph& graph) : names(graph), graph_(graph) {}

std::vector<Node> Rewriter::take_nodes() {
  nodes_.reserve(graph_.nodes.size());
  return std::exchange(graph_.nodes, {});
}

void Rewriter::redirect_inputs(Node& node) const {
  for (ValueId& id : node.inputs)
    if (id != no_value && static_cast<std::size_t>(id) < redirected_.size() &&
        redirected_[static_cast<std::size_t>(id)] != no_value)
      id = redirected_[static_cast<std::size_t>(id)];
}

void Rewriter::push(Node node) {
  producer_.resize(graph_.values.size(), -1);
  for (const ValueId id : node.outputs)
    if (id != no_value) producer_[static_cast<std::size_t>(id)] = static_cast<int>(nodes_.size());
  nodes_.push_back(std::move(node));
}

Node* Rewriter::producer(ValueId id) {
  if (static_cast<std::size_t>(id) >= producer_.size()) return nullptr;
  const int index = producer_[static_cast<std::size_t>(id)];
  return index < 0 ? nullptr : &nodes_[static_cast<std::size_t>(index)];
}

bool Rewriter::redirect(ValueId from, ValueId to) {
  if (graph_.is_output(from)) {
    if (!can_become_output(graph_, to)) return false;
    become_output(graph_, from, to);
  }
  redirected_.resize(graph_.values.size(), no_value);
  redirected_[static_cast<std::size_t>(from)] = to;
  return true;
}

void Rewriter::give_sources(ValueId id, std::vector<std::string> sources, const char* reason) {
  if (sources.empty()) return;
  if (Node* node = producer(id))
    append_sources(*node, std::move(sources));
  else
    graph_.removed.push_back({std::move(sources), reason});
}

void Rewriter::finish() {
  graph_.nodes = std::move(nodes_);
}

NodeEditor::NodeEditor(Graph& graph)
    : graph_(graph), producers_(graph.producers()), users_(graph.consumers()) {
  for (int i = 0; i < size(); ++i) places_.push_back(order_.insert(order_.end(), i));
}

int NodeEditor::producer(ValueId id) const {
  const auto index = static_cast<std::size_t>(id);
  return id == no_value || index >= producers_.size() ? -1 : producers_[index];
}

const std::vector<int>& NodeEditor::users(ValueId id) const {
  static const std::vector<int> none;
  const auto index = static_cast<std::size_t>(id);
  return index < users_.size() ? users_[index] : none;
}

Node NodeEditor::take(int index) {
  edited_ = true;
  Node node = std::exchange(graph_.nodes[static_cast<std::size_t>(index)], {});
  for (const ValueId id : node.outputs)
    if (id != no_value) producers_[static_cast<std::size_t>(id)] = -1;
  for (const ValueId id : node.inputs) {
    if (id == no_value || graph_.is_constant(id)) continue;
    auto& users = users_[static_cast<std::size_t>(id)];
    users.erase(std::find(users.begin(), users.end(), index));
  }
  return node;
}

void NodeEditor::put(int index, Node node) {
  producers_.resize(graph_.values.size(), -1);
  users_.resize(graph_.values.size());
  for (const ValueId id : node.outputs)
    if (id != no_value) producers_[static_cast<std::size_t>(id)] = index;
  for (const ValueId id : node.inputs)
    if (id != no_value && !graph_.is_constant(id))
      users_[static_cast<std::size_t>(id)].push_back(index);
  graph_.nodes[static_cast<std::size_t>(index)] = std::move(node);
}

int NodeEditor::insert_before(int index, Node node) {
  edited_ = true;
  const int added = size();
  graph_.nodes.emplace_back();
  places_.push_back(order_.insert(places_[static_cast<std::size_t>(index)], added));
  put(added, std::move(node));
  return added;
}

void NodeEditor::finish() {
  if (!edited_) return;
  std::vector<Node> nodes;
  for (const int index : order_)
    nodes.push_back(std::move(graph_.nodes[static_cast<std::size_t>(index)]));
  graph_.nodes = std::move(nodes);
  graph_.erase_marked();
  graph_.sort();
}

void remove_sources(Graph& graph, Node& node, const char* reason) {
  std::vector<std::string> sources = node.all_sources();
  if (!sources.empty()) graph.removed.push_back({std::move(sources), reason});
  node.sources.clear();
}

void append_sources(Node& node, std::vector<std::string> sources) {
  std::move(sources.begin(), sources.end(), std::back_inserter(node.sources));
}

}  // namespace intact
