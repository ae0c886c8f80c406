// Cuts a graph where shapes depend on data, and at operators that run subgraphs or take sequences.
#pragma once

#include <vector>

#include "graph/graph.hpp"

namespace intact {

/// The pieces share the ids of the graph's values.
struct Cut {
  /// Nodes whose shapes are known; reads graph inputs, gives what the others read.
  Graph planned;
  /// Nodes that can run when `planned` has run, in order, each by itself.
  std::vector<Node> steps;
  /// What reads results of the steps. Tensors on grids come to it as their integers.
  Graph rest;
  bool whole = false;  ///< `planned` is the graph itself, the other pieces are empty
};

/// `graph` has inferred shapes and grids. A graph input without a type stands for a sequence or for
/// an optional that holds nothing. Without such values, and when all shapes are known, `planned` is
/// the graph itself.
Cut cut_graph(Graph graph);

}  // namespace intact
