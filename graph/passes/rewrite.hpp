// What passes share: fresh names, redirecting values, and moving provenance.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "graph/graph.hpp"

namespace intact {

/// Names that no value of the graph has, without searching all values each time.
class FreshNames {
 public:
  explicit FreshNames(const Graph& graph);
  std::string get(const std::string& base);

 private:
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

void remove_sources(Graph& graph, Node& node, const char* reason);
void append_sources(Node& node, std::vector<std::string> sources);

}  // namespace intact
