// Subgraphs in passes.
#pragma once

#include <vector>

#include "graph/graph.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {

/// When `node` is an If whose condition is constant: the nodes of the branch that it takes, as
/// nodes of `graph` that compute the outputs of the If (Identity where the branch hands a value
/// through). The If and the other branch move to graph.removed; the node is marked for
/// erase_marked(). Nothing for other nodes.
std::vector<Node> inline_branch(Graph& graph, Node& node);

/// The integers of a tensor on a grid, which `nodes` make: the operand of FromBytes, or the output
/// of a new node Bytes at their end.
ValueId integers_of(Graph& graph, ValueId id, FreshNames& names, std::vector<Node>& nodes);

}  // namespace intact
