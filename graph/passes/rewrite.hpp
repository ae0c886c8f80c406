// What passes share: fresh names, redirecting values, and moving provenance.
#pragma once

#include <list>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "graph/graph.hpp"

namespace intact {

/// Names that no value of the graph has, without searching all values each time; those of the graph
/// are collected at the first request.
class FreshNames {
 public:
  explicit FreshNames(const Graph& graph) : graph_(graph) {}
  std::string get(const std::string& base);

 private:
  const Graph& graph_;
  bool collected_ = false;
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, int> numbers_;  ///< the last one behind each base
};

/// Rebuilds a graph's node list in one walk. Nodes are handed over in topological order with their
/// inputs redirected; a pass pushes what shall stay. finish() installs the list.
class Rewriter {
 public:
  explicit Rewriter(Graph& graph);

  /// Takes the original nodes; the graph has none until finish().
  std::vector<Node> take_nodes();
  /// Replaces inputs that have been redirected.
  void redirect_inputs(Node& node) const;
  /// Appends a node to the new list.
  void push(Node node);
  /// The new list's producer of a value; null for graph inputs and constants.
  Node* producer(ValueId id);

  /// Later uses of `from` become `to`. False, and nothing happens, when both have to stay because
  /// `from` is a graph output and `to` cannot take its name. The caller must not push the producer
  /// of `from` then.
  bool redirect(ValueId from, ValueId to);
  /// Lets the producer of `id` stand for these source nodes too; without a producer they are
  /// removed for `reason`.
  void give_sources(ValueId id, std::vector<std::string> sources, const char* reason);
  void finish();

  FreshNames names;

 private:
  Graph& graph_;
  std::vector<Node> nodes_;
  std::vector<ValueId> redirected_;
  std::vector<int> producer_;
};

/// Edits nodes where they stand and keeps the edges up to date, so that a pass need not begin again
/// after each change. Indices stay; references to nodes end with the next insertion.
class NodeEditor {
 public:
  explicit NodeEditor(Graph& graph);

  /// Of places: nodes, those inserted and those taken.
  int size() const { return static_cast<int>(graph_.nodes.size()); }
  const Node& node(int index) const { return graph_.nodes[static_cast<std::size_t>(index)]; }
  /// Index of the node that computes a value; -1 for inputs and constants.
  int producer(ValueId id) const;
  /// Indices of the nodes that read a value, one per use, in no order. Those of constants are not
  /// kept.
  const std::vector<int>& users(ValueId id) const;

  /// Takes a node out, to be put back changed, or to be dropped.
  Node take(int index);
  void put(int index, Node node);
  /// A new node that runs in front of the one at `index`, where edges do not ask for more.
  int insert_before(int index, Node node);
  /// Drops places that are empty and restores topological order.
  void finish();

 private:
  Graph& graph_;
  std::vector<int> producers_;
  std::vector<std::vector<int>> users_;
  std::list<int> order_;
  std::vector<std::list<int>::iterator> places_;  ///< in order_, by index
  bool edited_ = false;
};

void remove_sources(Graph& graph, Node& node, const char* reason);
void append_sources(Node& node, std::vector<std::string> sources);

}  // namespace intact
