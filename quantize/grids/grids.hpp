// Grids from ranges and weights (docs/numerics.md): u8 asymmetric for activations, s8 symmetric for
// weights, s32 for biases.
#pragma once

#include <optional>
#include <span>

#include "core/grid.hpp"
#include "intact/tensor.hpp"
#include "quantize/calibration/statistics.hpp"

namespace intact {

/// The u8 grid over the range, widened to hold the real zero, which lies on the grid: padding and
/// Relu need it. Scale 1 and zero point 0 where the range is one point or too narrow for a scale.
Grid activation_grid(const ValueRange& range);

/// f32 weights as s8, symmetric: the largest magnitude of a channel becomes 127, or a smaller
/// integer (64 at least) where that rounds the channel with less squared error.
struct QuantizedWeights {
  Tensor integers;
  Grid grid;
};

/// `axis` runs along the output channels; without it there is one scale. `bias` is empty or has one
/// number per output channel: a scale is widened as far as bias / (input_scale * scale) needs to
/// fit into int32 together with the accumulated products. Channels of zeros have scale 1.
QuantizedWeights quantize_weights(const Tensor& weights, std::optional<int> axis,
                                  std::span<const float> bias, float input_scale);

/// The bias on the accumulator's grid input_scale * weight scale, zero point 0. As many scales as
/// the weights have, along `axis` of the bias.
QuantizedWeights quantize_bias(const Tensor& bias, int axis, float input_scale,
                               const Grid& weights);

}  // namespace intact
