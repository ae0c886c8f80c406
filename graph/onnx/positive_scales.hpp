// Weights whose scales are negative or zero.
#pragma once

#include "graph/graph.hpp"

namespace intact {

/// Grids have positive scales, but some tools write others for constants: ONNX Runtime lets the
/// sign of a block say which end of the integers' range is used. DequantizeLinear of constants is
/// written with positive ones: integers under a negative scale are counted from the other end of
/// their range, those under a zero become the zero point. Real numbers stay the same.
void make_scales_positive(Graph& graph);

}  // namespace intact
