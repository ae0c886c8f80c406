// Grids from ranges and weights (docs/numerics.md): u8 asymmetric for activations, s8 symmetric for
// weights, s32 for biases.
#pragma once

#include <optional>
#include <span>

#include "core/grid.hpp"
#include "intact/quantize.hpp"
#include "intact/tensor.hpp"
#include "quantize/calibration/statistics.hpp"

namespace intact {

/// The grid over the range, widened to hold the real zero, which lies on the grid: padding and Relu
/// need it. Symmetric ones have 127 steps to the number furthest from it. Scale 1 where the range
/// is one point or too narrow for a scale.
Grid activation_grid(const ValueRange& range, const ActivationFormat& format = {});

/// f32 weights as s8, symmetric: the largest magnitude of a channel becomes the largest integer,
/// or a smaller one (half of it at least) where that rounds the channel with less squared error.
struct QuantizedWeights {
  Tensor integers;
  Grid grid;
};
/// Largest integer of weights.
constexpr int wide_weights = 127, narrow_weights = 63;
inline int largest_weight(const QuantizeOptions& options) {
  return options.narrow_weights ? narrow_weights : wide_weights;
}

/// `axis` runs along the output channels, or those of one group; without it there is one scale.
/// `bias` is empty or has one number per output channel: a scale is widened as far as bias / (input_scale * scale) needs to
/// fit into int32 together with the accumulated products. Channels of zeros have scale 1.
QuantizedWeights quantize_weights(const Tensor& weights, std::optional<int> axis,
                                  std::span<const float> bias, float input_scale,
                                  int largest = wide_weights);

/// The bias on the accumulator's grid input_scale * weight scale, zero point 0: one scale, or,
/// where the weights have several, one per channel along `axis` of the bias. Groups of channels
/// have the same scales.
QuantizedWeights quantize_bias(const Tensor& bias, int axis, float input_scale,
                               const Grid& weights);

}  // namespace intact
