// Embeddings: rows of constant tables, looked up by numbers that only the run knows.
#pragma once

#include <map>

#include "graph/graph.hpp"

namespace intact {

/// By result: rank of what a Gather reads along axis 0 of a constant f32 matrix. Tables that are a
/// small part of the model are left out: nothing would be saved for what rounding costs; so are
/// results whose rank does not follow from the file.
std::map<ValueId, int> find_embeddings(const Graph& graph);

}  // namespace intact
