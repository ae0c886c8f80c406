// Scales, zero points and integers.
#include "quantize/grids/grids.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

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

/// The weights of each channel, or all of them as one.
std::vector<std::vector<float>> by_channel(const Tensor& weights, std::optional<int> axis) {
  const auto values = weights.data<float>();
  if (!axis) return {{values.begin(), values.end()}};
  const auto channels = static_cast<std::size_t>(weights.shape()[static_cast<std::size_t>(*axis)]);
  const std::size_t inner = extent_after(weights.shape(), *axis);
  std::vector<std::vector<float>> result(channels);
  for (auto& channel : result) channel.reserve(values.size() / channels);
  for (std::size_t i = 0; i < values.size(); ++i) result[i / inner % channels].push_back(values[i]);
  return result;
}

/// Sum of squared distances to the grid, in steps of it.
float rounding_error(std::span<const float> weights, float per_step) {
  // Adding and subtracting this rounds to a whole number, and does so in vectors.
  constexpr float whole = 12582912.0f;
  constexpr std::size_t lanes = 16;
  std::array<float, lanes> sums{};
  const auto squared = [&](float weight) {
    const float steps = weight * per_step;
    const float distance = steps - ((steps + whole) - whole);
    return distance * distance;
  };
  std::size_t i = 0;
  for (; i + lanes <= weights.size(); i += lanes)
    for (std::size_t k = 0; k < lanes; ++k) sums[k] += squared(weights[i + k]);
  for (; i < weights.size(); ++i) sums[0] += squared(weights[i]);
  return std::accumulate(sums.begin(), sums.end(), 0.0f);
}

/// The scale that maps the largest magnitude to `most` or an integer down to half of it, with the
/// least squared error. For most weights that is `most` or little less; weights that lie on a grid
/// of so many steps already (they were quantized before, or trained for it) come back exactly,
/// since one of those integers fits any grid.
double best_scale(std::span<const float> weights, int most) {
  float largest = 0;
  for (const float weight : weights) largest = std::max(largest, std::abs(weight));
  if (largest / static_cast<float>(most) < smallest_weight_scale) return 0;
  int best = most;
  double least = std::numeric_limits<double>::infinity();
  for (int steps = most; steps > most / 2; --steps) {
    const double scale = static_cast<double>(largest) / steps;
    const double error =
        static_cast<double>(rounding_error(weights, static_cast<float>(1 / scale))) * scale * scale;
    if (error >= least) continue;
    least = error;
    best = steps;
  }
  return static_cast<double>(largest) / best;
}

}  // namespace

Grid activation_grid(const ValueRange& range, const ActivationFormat& format) {
  const double min = std::min(0.0, static_cast<double>(range.min));
  const double max = std::max(0.0, static_cast<double>(range.max));
  const std::int32_t lowest = format.type == ElementType::s8 ? -128 : 0;
  const auto scale =
      static_cast<float>(format.symmetric ? std::max(-min, max) / 127 : (max - min) / 255);
  if (scale < smallest_activation_scale)
    return {format.type, {1.0f}, {format.symmetric ? lowest + 128 : lowest}, std::nullopt};
  std::int32_t steps = 128;  // below the real zero
  if (!format.symmetric)
    steps = static_cast<std::int32_t>(
        std::clamp(std::nearbyint(-min / static_cast<double>(scale)), 0.0, 255.0));
  return {format.type, {scale}, {lowest + steps}, std::nullopt};
}

QuantizedWeights quantize_weights(const Tensor& weights, std::optional<int> axis,
                                  std::span<const float> bias, float input_scale, int largest) {
  std::vector<double> scales;
  for (const auto& channel : by_channel(weights, axis))
    scales.push_back(best_scale(channel, largest));
  for (std::size_t c = 0; c < bias.size(); ++c) {
    double& scale = scales[c % scales.size()];
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
  Grid grid{ElementType::s32, {}, {}, std::nullopt};
  if (!weights.per_tensor()) grid.axis = axis;
  const std::size_t scales = weights.per_tensor() ? 1 : static_cast<std::size_t>(bias.size());
  for (std::size_t c = 0; c < scales; ++c)
    grid.scale.push_back(input_scale * weights.scale[c % weights.scale.size()]);
  grid.zero_point.assign(scales, 0);
  return {quantize(bias, grid), grid};
}

}  // namespace intact
