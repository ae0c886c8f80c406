// What the packed weights of all depthwise kernels have in common. Plain header; internal linkage,
// because it is compiled into files with different instruction sets.
#pragma once

#include "kernels/conv/conv.hpp"

namespace intact::kernels {
namespace {

/// Starts every packed weight block.
struct alignas(64) PackedHeader {
  std::int32_t src_zero_point = 0;
  /// One byte per weight does not hold w - zero_point: a second set of weights holds the rest.
  bool split_weights = false;
};

[[maybe_unused]] constexpr long round_up(long value, long multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// w - zero_point, in [-255, 255].
[[maybe_unused]] std::int16_t weight_at(const ConvWeights& weights, long taps, long channel,
                                        long tap) {
  const std::int32_t zero_point = weights.zero_point ? weights.zero_point[channel] : 0;
  return static_cast<std::int16_t>(weights.data[channel * taps + tap] - zero_point);
}

/// True when every w - zero_point is a signed byte.
[[maybe_unused]] bool fits_bytes(const ConvShape& shape, const ConvWeights& weights) {
  if (!weights.zero_point) return true;
  const long taps = shape.taps();
  for (long c = 0; c < shape.out_channels; ++c)
    for (long tap = 0; tap < taps; ++tap) {
      const int weight = weight_at(weights, taps, c, tap);
      if (weight < -128 || weight > 127) return false;
    }
  return true;
}

/// Sum of w - zero_point: what the bias loses per unit of src_zero_point.
[[maybe_unused]] std::int32_t weight_sum(const ConvWeights& weights, long taps, long channel) {
  std::int32_t sum = 0;
  for (long tap = 0; tap < taps; ++tap) sum += weight_at(weights, taps, channel, tap);
  return sum;
}

/// The bias with the correction -src_zero_point * sum(w - zero_point) in it.
[[maybe_unused]] std::int32_t corrected_bias(const ConvWeights& weights, long taps, long channel) {
  return (weights.bias ? weights.bias[channel] : 0) -
         weights.src_zero_point * weight_sum(weights, taps, channel);
}

/// Zero point of the activations, and value of padding.
[[maybe_unused]] std::int32_t zero_point_of(const ConvArgs& args, const PackedHeader& header) {
  return args.src_zero_point != nullptr ? *args.src_zero_point : header.src_zero_point;
}

/// What follows the weights of a vector of channels, for the zero point and scale that the run
/// gives: `packed` itself, or `copy` with the same members bias, sum, multiplier and float_bias.
template <typename Constants>
const Constants& constants_of_run(const Constants& packed, const ConvArgs& args,
                                  const PackedHeader& header, Constants& copy) {
  if (args.src_zero_point == nullptr && args.src_scale == nullptr) return packed;
  const std::int32_t raised = zero_point_of(args, header) - header.src_zero_point;
  const float scale = args.src_scale != nullptr ? *args.src_scale : 1.0f;
  for (unsigned i = 0; i < sizeof copy.bias / sizeof *copy.bias; ++i) {
    copy.bias[i] = packed.bias[i] - raised * packed.sum[i];
    copy.multiplier[i] = packed.multiplier[i] * scale;
    copy.float_bias[i] = packed.float_bias[i];
  }
  return copy;
}

}  // namespace
}  // namespace intact::kernels
