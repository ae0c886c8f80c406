// Element types before shapes are known: masks of attention are booleans or numbers to add.
#pragma once

#include "graph/graph.hpp"

namespace intact {

/// Sets the element types of a node's outputs where they follow from those of its inputs; leaves
/// them undefined otherwise.
void follow_types(Graph& graph, const Node& node);

}  // namespace intact
