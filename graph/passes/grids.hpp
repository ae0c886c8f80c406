// The grid that follows from a node.
#pragma once

#include <optional>

#include "graph/graph.hpp"

namespace intact {

/// Grid of output `output`: of Round and FromBytes their own, of operators that move or select data
/// that of their input. Nothing where the result need not lie on it.
std::optional<Grid> output_grid(const Graph& graph, const Node& node, std::size_t output);

void set_output_grids(Graph& graph, const Node& node);

}  // namespace intact
