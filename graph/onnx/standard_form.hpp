// The canonical graph in standard operators.
#pragma once

#include "graph/graph.hpp"

namespace intact {

/// The same graph without operators of domain "intact" and without constants on grids: Round
/// becomes QuantizeLinear and DequantizeLinear, Bytes the former, FromBytes the latter. All ONNX
/// operators then have the version graph.opsets[""]. Graphs as imported come back as they are.
Graph standard_form(Graph graph);

}  // namespace intact
