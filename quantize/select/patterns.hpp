// Which nodes the user lets the quantizer touch.
//
// A pattern is the name of a node, in which `*` stands for any characters and `?` for one, or
// op:TYPE with an operator type, in which they stand for the same.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace intact {

class NodePatterns {
 public:
  /// `graph` as the file has it. Throws Error for a pattern that no node matches, naming those that
  /// are spelled nearly alike.
  NodePatterns(const Graph& graph, const std::vector<std::string>& exclude,
               const std::vector<std::string>& include);

  /// Names of the nodes that stay float, of the same graph after pre-processing: those that stand
  /// for a node that `exclude` matches, and, where `include` is not empty, those that stand for
  /// none that it matches. A Relu, a Clip, or an Add of a constant behind an included product goes
  /// with it.
  std::set<std::string> kept_out(const Graph& graph) const;

 private:
  bool has_include_;
  std::set<std::string> excluded_, included_;
};

}  // namespace intact
