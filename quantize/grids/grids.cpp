// Scales, zero points and integers.
#include "quantize/grids/grids.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "graph/reals.hpp"

namespace intact {
namespace {

/// Scales below these stand for tensors of zeros. The product of both is still a normal float, as
/// the bias's scale has to be.
constexpr double smallest_activation_scale = 1e-12;
constexpr double smallest_weight_scale = 1e-20;

/// Half of int32's range; the other half is left for the products.
constexpr double largest_bias = 1 << 30;

std::size_t extent_after(const Shape& shape, int axis) {
  std::size_t extent = 1;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i)
    extent *= static_cast<std::size_t>(shape[i]);
  return extent;
}

std::vector<double> largest_magnitudes(const Tensor& weights, std::optional<int> axis) {
  const auto values = weights.data<float>();
  const std::size_t channels =
      axis ? static_cast<std::size_t>(weights.shape()[static_cast<std::size_t>(*axis)]) : 1;
  const std::size_t inner = axis ? extent_after(weights.shape(), *axis) : 1;
  std::vector<double> largest(channels, 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    double& current = largest[i / inner % channels];
    current = std::max(current, std::abs(static_cast<double>(values[i])));
  }
  return largest;
}

}  // namespace

Grid activation_grid(const Range& range) {
  const double min = std::min(0.0, static_cast<double>(range.min));
  const double max = std::max(0.0, static_cast<double>(range.max));
  const auto scale = static_cast<float>((max - min) / 255);
  if (scale < smallest_activation_scale) return {ElementType::u8, {1.0f}, {0}, std::nullopt};
  const double zero_point = std::nearbyint(-min / static_cast<double>(scale));
  return {ElementType::u8,
          {scale},
          {static_cast<std::int32_t>(std::clamp(zero_point, 0.0, 255.0))},
          std::nullopt};
}

QuantizedWeights quantize_weights(const Tensor& weights, std::optional<int> axis,
                                  std::span<const float> bias, float input_scale) {
  std::vector<double> scales = largest_magnitudes(weights, axis);
  for (double& scale : scales) scale /= 127;
  for (std::size_t c = 0; c < bias.size(); ++c) {
    double& scale = scales[axis ? c : 0];
    scale = std::max(scale, std::abs(static_cast<double>(bias[c])) /
                                (largest_bias * static_cast<double>(input_scale)));
  }
  Grid grid{ElementType::s8, {}, std::vector<std::int32_t>(scales.size(), 0), axis};
  for (const double scale : scales)
    grid.scale.push_back(scale < smallest_weight_scale ? 1.0f : static_cast<float>(scale));
  return {quantize(weights, grid), grid};
}

QuantizedWeights quantize_bias(const Tensor& bias, int axis, float input_scale,
                               const Grid& weights) {
  Grid grid{ElementType::s32, {}, weights.zero_point, std::nullopt};
  if (!weights.per_tensor()) grid.axis = axis;
  for (const float scale : weights.scale) grid.scale.push_back(input_scale * scale);
  return {quantize(bias, grid), grid};
}

}  // namespace intact
