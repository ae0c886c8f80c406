// What holds for canonical graphs; checked in debug builds and by tests.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace intact {

/// Names of the file's nodes, from nodes and removed ones.
std::vector<std::string> all_sources(const Graph& graph);

/// Throws Error unless every tensor on a grid is a constant of the grid's type or made by Round,
/// FromBytes, or an operator that keeps grids.
void check_grids(const Graph& graph);

/// check_grids, and: two Rounds of one tensor to one grid are one, no FromBytes reads Bytes of its
/// own grid, no Round reads a tensor that lies on its grid.
void check_canonical(const Graph& graph);

}  // namespace intact
