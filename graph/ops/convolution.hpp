// The loops of convolution and transposed convolution over f64 tensors. Integers below 2^53 are
// exact in them, so ConvInteger uses the same code.
#pragma once

#include "graph/ops/spatial.hpp"

namespace intact {

/// `x` [batch, in_channels, spatial...], `weights` [out_channels, in_channels / group, kernel...],
/// `bias` [out_channels] or undefined; up to three spatial axes. Shapes fit (conv_geometry).
/// `y`: the output, overwritten.
void convolve(const SpatialGeometry& geometry, std::int64_t group, const Tensor& x,
              const Tensor& weights, const Tensor& bias, Tensor& y);

/// `weights` [in_channels, out_channels / group, kernel...]; conv_transpose_geometry.
void convolve_transposed(const SpatialGeometry& geometry, std::int64_t group, const Tensor& x,
                         const Tensor& weights, const Tensor& bias, Tensor& y);

}  // namespace intact
