// What the depthwise kernels for AVX2 share: 32 channels at a time, as four vectors of sums.
// Vector j holds in its half l, element i channel 16 * l + 4 * j + i: the order in which the byte
// interleaves leave and from which the packs of the epilogue restore the natural one.
// Included by files compiled for AVX2: intrinsics and internal linkage only.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "kernels/depthwise/packed.hpp"
#include "kernels/epilogue_avx2.hpp"
#include "kernels/epilogue_reference.hpp"

namespace intact::kernels {
namespace {

constexpr int kWidth = 32;  ///< channels to a chunk

struct ChunkConstants {
  alignas(64) std::int32_t bias[kWidth];
  std::int32_t sum[kWidth];  ///< weight_sum
  float multiplier[kWidth];
  float float_bias[kWidth];
};

/// Weights of two taps: [vector][element][tap].
struct TapPair {
  alignas(64) std::int16_t weights[4][8][2];
};

[[maybe_unused]] long chunks(const ConvShape& shape) {
  return (shape.in_channels + kWidth - 1) / kWidth;
}

/// Calls body(channel, vector, element) for each channel of the chunk.
template <typename Body>
void for_channels(const ConvShape& shape, long chunk, Body body) {
  for (int j = 0; j < 4; ++j)
    for (int e = 0; e < 8; ++e) {
      const long channel = chunk * kWidth + 16 * (e / 4) + 4 * j + e % 4;
      if (channel < shape.in_channels) body(channel, j, e);
    }
}

[[maybe_unused]] void pack_constants(const ConvShape& shape, const ConvWeights& weights, long chunk,
                                     ChunkConstants* constants) {
  memset(constants, 0, sizeof *constants);
  for_channels(shape, chunk, [&](long channel, int j, int e) {
    const int at = 8 * j + e;
    constants->bias[at] = corrected_bias(weights, shape.taps(), channel);
    constants->sum[at] = weight_sum(weights, shape.taps(), channel);
    constants->multiplier[at] = weights.multiplier[channel];
    constants->float_bias[at] = weights.float_bias ? weights.float_bias[channel] : no_float_bias;
  });
}

[[maybe_unused]] inline __m256i load(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

/// The bytes of two pixels as pairs of 16 bits: [vector].
[[gnu::always_inline]] inline void interleave(const std::uint8_t* first, const std::uint8_t* second,
                                              __m256i (&words)[4]) {
  const __m256i zero = _mm256_setzero_si256(), a = load(first), b = load(second);
  const __m256i low = _mm256_unpacklo_epi8(a, b), high = _mm256_unpackhi_epi8(a, b);
  words[0] = _mm256_unpacklo_epi8(low, zero);
  words[1] = _mm256_unpackhi_epi8(low, zero);
  words[2] = _mm256_unpacklo_epi8(high, zero);
  words[3] = _mm256_unpackhi_epi8(high, zero);
}

/// Where the outputs of a chunk at a pixel go.
template <EpilogueForm form>
EpilogueTarget target_at(const ConvShape& shape, const ConvArgs& args, long pixel, long chunk) {
  const long channel = chunk * kWidth, left = shape.in_channels - channel;
  EpilogueTarget target;
  target.dst = static_cast<std::uint8_t*>(args.dst) +
               (pixel * args.dst_pitch + channel) * output_bytes(form);
  if (const Residual* residual = args.epilogue.residual)
    target.residual = residual->data + pixel * residual->pitch + channel;
  target.columns = left < kWidth ? static_cast<int>(left) : kWidth;
  return target;
}

}  // namespace
}  // namespace intact::kernels
