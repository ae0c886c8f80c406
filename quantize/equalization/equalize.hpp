// Cross-layer equalization: channels of one tensor get similar ranges, so that its one grid serves
// all of them (Nagel et al., Data-Free Quantization through Weight Equalization and Bias
// Correction, 2019).
#pragma once

#include "graph/graph.hpp"
#include "intact/quantize.hpp"

namespace intact {

/// Scales the channels of every stream (streams.hpp): rows of the weights that write it by 1/s,
/// columns of those that read it by s. The model computes the same up to rounding of floats.
/// Ranges of channels are those in `data`; one pass. The number of streams.
int equalize(Graph& graph, const CalibrationData& data, int threads);

}  // namespace intact
