// Smoothing of the activations of transformers: channels of what normalizations and Gelu write are
// divided by factors that the weights behind them take over, so that the few channels that are far
// larger than the others do not cost those their digits (SmoothQuant, Xiao et al. 2022).
#pragma once

#include "graph/graph.hpp"
#include "intact/quantize.hpp"

namespace intact {

/// Where a factor per channel lowers the error that rounding both the tensor and the weights that
/// read it causes in their products, by a decibel or more: the normalization's own scale and bias
/// are divided, or, where others read its result too and behind Gelu, a Mul in front of the
/// products does it. The model computes the same up to rounding of floats. `graph` has shapes; one
/// pass over `data` if there is such a tensor. The number of tensors that were smoothed.
int smooth(Graph& graph, const CalibrationData& data, int threads);

/// The same without samples or shapes, behind LayerNormalization along the last axis alone: its
/// rows are taken to be normal, so that its scale and bias tell the range of each channel.
int smooth_normalizations(Graph& graph);

}  // namespace intact
