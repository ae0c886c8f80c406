// The scalar definition of quantize and dequantize, one element after the other.

#include <algorithm>
#include <cmath>

#include "kernels/quantize/implementations.hpp"

namespace intact::kernels::reference {
namespace {

template <class Integer>
Integer quantized(float x, const QuantizeArgsOf<Integer>& args) {
  const float t = x / args.scale;
  if (std::isnan(t)) return static_cast<Integer>(args.lower);
  // The bounds are integers, so clamping may come before rounding, where it cannot overflow.
  const float bounded = std::clamp(t, static_cast<float>(args.lower - args.zero_point),
                                   static_cast<float>(args.upper - args.zero_point));
  return static_cast<Integer>(static_cast<std::int32_t>(std::nearbyintf(bounded)) +
                              args.zero_point);
}

/// Calls `body(batch, channel, pixel)` for every element of this part's pixels.
template <class Body>
void for_each_element(std::int64_t batch, std::int64_t channels, std::int64_t pixels, Part part,
                      const Body& body) {
  const Range range = split(batch * pixels, part);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      body(i / pixels, channel, i % pixels);
    }
  }
}

template <class Integer>
void quantize_elements(const QuantizeArgsOf<Integer>& args, Part part) {
  for_each_element(
      args.batch, args.channels, args.pixels, part,
      [&](std::int64_t b, std::int64_t c, std::int64_t p) {
        const float x =
            args.src[b * args.src_strides[0] + c * args.src_strides[1] + p * args.src_strides[2]];
        args.dst[(b * args.pixels + p) * args.dst_pitch + c] = quantized(x, args);
      });
}

template <class Integer>
void dequantize_elements(const DequantizeArgsOf<Integer>& args, Part part) {
  for_each_element(
      args.batch, args.channels, args.pixels, part,
      [&](std::int64_t b, std::int64_t c, std::int64_t p) {
        const int q = args.src[(b * args.pixels + p) * args.src_pitch + c];
        args.dst[b * args.dst_strides[0] + c * args.dst_strides[1] + p * args.dst_strides[2]] =
            static_cast<float>(q - args.zero_point) * args.scale;
      });
}

}  // namespace

void quantize(const QuantizeArgs& args, Part part) {
  quantize_elements(args, part);
}
void quantize(const QuantizeWordsArgs& args, Part part) {
  quantize_elements(args, part);
}
void dequantize(const DequantizeArgs& args, Part part) {
  dequantize_elements(args, part);
}
void dequantize(const DequantizeWordsArgs& args, Part part) {
  dequantize_elements(args, part);
}

ValueRange range(const RangeArgs& args) {
  ValueRange range;
  for (std::int64_t i = 0; i < args.count; ++i) {
    if (args.src[i] < range.low) range.low = args.src[i];
    if (args.src[i] > range.high) range.high = args.src[i];
  }
  return range;
}

}  // namespace intact::kernels::reference
