// An If with a constant condition becomes the branch that it takes.
#include <iterator>
#include <map>
#include <utility>

#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"
#include "graph/passes/subgraphs.hpp"

namespace intact {
namespace {

bool has_constant_condition(const Graph& graph, const Node& node) {
  if (!node.is("If") || !node.has_input(0) || !graph.is_constant(node.inputs[0])) return false;
  const Tensor& condition = graph.value(node.inputs[0]).constant;
  return condition.type() == ElementType::boolean && condition.size() == 1;
}

/// Values of a branch as values of the graph around it.
class Inliner {
 public:
  Inliner(Graph& graph, const Node& node, const Graph& branch)
      : graph_(graph), node_(node), branch_(branch), names_(graph) {
    for (std::size_t i = 0; i < node.captured; ++i)
      ids_[branch.inputs[i]] = node.inputs[node.own_inputs() + i];
  }

  std::vector<Node> run() {
    name_outputs();
    std::vector<Node> nodes;
    for (Node node : branch_.nodes) {
      for (ValueId& id : node.inputs) id = outer(id);
      for (ValueId& id : node.outputs) id = outer(id);
      nodes.push_back(std::move(node));
    }
    for (const auto& [from, to] : handed_through_) {
      Node identity;
      identity.op = "Identity";
      identity.version = node_.version;
      identity.name = node_.name + "/" + graph_.value(to).name;
      identity.inputs = {outer(from)};
      identity.outputs = {to};
      nodes.push_back(std::move(identity));
    }
    return nodes;
  }

 private:
  /// What the branch computes for an output of the If takes that value's place.
  void name_outputs() {
    const std::vector<int> producers = branch_.producers();
    for (std::size_t i = 0; i < node_.outputs.size(); ++i) {
      const ValueId from = branch_.outputs[i], to = node_.outputs[i];
      if (to == no_value) continue;
      const bool computed =
          producers[static_cast<std::size_t>(from)] >= 0 && ids_.emplace(from, to).second;
      if (!computed) handed_through_.emplace_back(from, to);
    }
  }

  ValueId outer(ValueId id) {
    if (id == no_value) return no_value;
    const auto known = ids_.find(id);
    if (known != ids_.end()) return known->second;
    const ValueId added = static_cast<ValueId>(graph_.values.size());
    graph_.values.push_back(branch_.value(id));
    graph_.value(added).name = names_.get(branch_.value(id).name);
    ids_[id] = added;
    return added;
  }

  Graph& graph_;
  const Node& node_;
  const Graph& branch_;
  FreshNames names_;
  std::map<ValueId, ValueId> ids_;
  std::vector<std::pair<ValueId, ValueId>> handed_through_;
};

}  // namespace

std::vector<Node> inline_branch(Graph& graph, Node& node) {
  if (!has_constant_condition(graph, node)) return {};
  const bool truth = graph.value(node.inputs[0]).constant.data<bool>()[0];
  const Subgraph taken = node.attributes.graph(truth ? "then_branch" : "else_branch");
  std::vector<Node> nodes = Inliner(graph, node, *taken).run();
  graph.removed.insert(graph.removed.end(), taken->removed.begin(), taken->removed.end());
  graph.removed.push_back({std::move(node.sources), "constant condition"});
  node.sources.clear();
  node.attributes.erase(truth ? "then_branch" : "else_branch");
  remove_sources(graph, node, "branch that is never taken");
  node = Node{};
  return nodes;
}

void inline_branches(Graph& graph) {
  for (bool changed = true; changed;) {
    changed = false;
    std::vector<Node> nodes;
    for (Node& node : std::exchange(graph.nodes, {})) {
      std::vector<Node> branch = inline_branch(graph, node);
      if (node.op.empty())
        changed = true;
      else
        nodes.push_back(std::move(node));
      std::move(branch.begin(), branch.end(), std::back_inserter(nodes));
    }
    graph.nodes = std::move(nodes);
    if (changed) fold_parameters(graph);
  }
}

}  // namespace intact
