// Cross-layer equalization: channels of one tensor get similar ranges, so that its one grid serves
// all of them (Nagel et al., Data-Free Quantization through Weight Equalization and Bias
// Correction, 2019).
#pragma once

#include "graph/graph.hpp"
#include "intact/quantize.hpp"

namespace intact {

/// Scales the channels of each stream (streams.hpp): rows of the weights that write it by 1/s,
/// columns of those that read it by s, if that lowers the expected error that rounding tensors and
/// weights causes in the products that read them. On `data` the model computes the same up to
/// rounding of floats; elsewhere a Clip may end a channel where its range in `data` ends, as a grid
/// does. One pass. The number of streams that were scaled.
int equalize(Graph& graph, const CalibrationData& data, int threads);

/// Notes in the graph's metadata, as "intact.scaled_channels", that the channels of the tensor,
/// which lie along `axis` (-1: the last one), are not what they were: a line of axis and name.
void note_scaled_channels(Graph& graph, ValueId tensor, int axis);

}  // namespace intact
