// Newer operator sets for older models.
#pragma once

#include "graph/graph.hpp"

namespace intact {

/// Brings every ONNX operator that is older than operator set `version` into the form which that
/// set gives it, with the same meaning. Throws Unsupported naming a node that has none.
void raise_opset(Graph& graph, int version);

}  // namespace intact
