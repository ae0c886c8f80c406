// The epilogue on four ymm of accumulators at once, bit-identical to epilogue_reference.hpp.
//
// A quad is 32 outputs: `width` channels (32 or 16) of 32 / width pixels, held in four vectors,
// those of one pixel side by side: with per_row = width / 8, vector j belongs to pixel j / per_row,
// and lane l (of four 32-bit elements), element i of its v-th vector holds channel
//   4 * (per_row * l + v) + i.
// See epilogue_avx512.hpp for why.
//
// Included only by files compiled for AVX2 and FMA: intrinsics and internal linkage only.
#pragma once

#include <immintrin.h>

#include "kernels/byte_table_avx2.hpp"
#include "kernels/epilogue_form.hpp"
#include "kernels/reciprocal.hpp"
#include "kernels/unroll.hpp"

namespace intact::kernels {
namespace {

/// A running range, 0 included. The new number comes first in every comparison: NaN changes
/// nothing.
struct RangeVectors {
  __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
  [[gnu::always_inline]] void extend(__m256 x) {
    low = _mm256_min_ps(x, low);
    high = _mm256_max_ps(x, high);
  }
  void join_into(ValueRange* range) const {
    if (range == nullptr) return;
    alignas(64) float lows[8], highs[8];
    _mm256_store_ps(lows, low);
    _mm256_store_ps(highs, high);
    for (int i = 0; i < 8; ++i) {
      if (lows[i] < range->low) range->low = lows[i];
      if (highs[i] > range->high) range->high = highs[i];
    }
  }
};

/// Everything an epilogue broadcasts. Members that the form does not use are never read.
struct EpilogueVectors {
  __m256i zero_point, lower, upper;
  const std::uint8_t* table;
  __m256i residual_zero_point, inner_zero_point, dst_zero_point, dst_lower, dst_upper;
  __m256 residual_multiplier, inner_multiplier;
  __m256 inner_lower, inner_upper, inner_shift;  ///< see inner_sum
  __m256 float_lower, float_upper;
  mutable RangeVectors range;  ///< what the forms floats and range have met so far
  bool bias_apart, inner_rounding;
  bool divides;  ///< the scale has no reciprocal
  __m256 scale, minus_scale, nearest, rest;
};

[[gnu::always_inline]] inline __m256i broadcast_byte(std::int32_t value) {
  return _mm256_set1_epi8(static_cast<char>(value));
}

[[gnu::always_inline]] inline __m256i broadcast_word(std::int32_t value) {
  return _mm256_set1_epi16(static_cast<short>(value));
}

[[gnu::always_inline]] inline EpilogueVectors load_epilogue(const Epilogue& epilogue) {
  EpilogueVectors e{};
  e.zero_point = broadcast_word(epilogue.zero_point);
  e.lower = broadcast_byte(epilogue.lower);
  e.upper = broadcast_byte(epilogue.upper);
  e.table = epilogue.table;
  if (const Residual* residual = epilogue.residual; residual != nullptr) {
    e.residual_zero_point = _mm256_set1_epi32(residual->zero_point);
    e.inner_zero_point = _mm256_set1_epi32(residual->inner_zero_point);
    e.dst_zero_point = broadcast_word(residual->dst_zero_point);
    e.dst_lower = broadcast_byte(residual->dst_lower);
    e.dst_upper = broadcast_byte(residual->dst_upper);
    e.residual_multiplier = _mm256_set1_ps(residual->multiplier);
    e.inner_rounding = residual->inner_rounding;
    e.inner_multiplier = _mm256_set1_ps(residual->inner_multiplier);
    const auto broadcast = [](std::int32_t value) {
      return _mm256_set1_ps(static_cast<float>(value));
    };
    e.inner_lower = broadcast(epilogue.lower - epilogue.zero_point);
    e.inner_upper = broadcast(epilogue.upper - epilogue.zero_point);
    e.inner_shift = broadcast(epilogue.zero_point - residual->inner_zero_point);
  }
  e.float_lower = _mm256_set1_ps(epilogue.float_lower);
  e.float_upper = _mm256_set1_ps(epilogue.float_upper);
  e.bias_apart = adds_bias_apart(epilogue);
  e.divides = !has_reciprocal(epilogue.scale);
  const Reciprocal reciprocal = reciprocal_of(epilogue.scale);
  e.scale = _mm256_set1_ps(epilogue.scale);
  e.minus_scale = _mm256_set1_ps(reciprocal.minus_scale);
  e.nearest = _mm256_set1_ps(reciprocal.nearest);
  e.rest = _mm256_set1_ps(reciprocal.rest);
  return e;
}

/// Rounds four vectors half to even, adds the zero point and clamps. Both packs saturate, so the
/// result is that of clamping in unbounded integers.
[[gnu::always_inline]] inline __m256i round_to_bytes(const __m256 (&t)[4], __m256i zero_point,
                                                     __m256i lower, __m256i upper) {
  const __m256i low = _mm256_packs_epi32(_mm256_cvtps_epi32(t[0]), _mm256_cvtps_epi32(t[1]));
  const __m256i high = _mm256_packs_epi32(_mm256_cvtps_epi32(t[2]), _mm256_cvtps_epi32(t[3]));
  const __m256i bytes =
      _mm256_packus_epi16(_mm256_adds_epi16(low, zero_point), _mm256_adds_epi16(high, zero_point));
  return _mm256_min_epu8(_mm256_max_epu8(bytes, lower), upper);
}

/// Bytes in packed order, minus zero_point, as floats: vector j of the quad.
[[gnu::always_inline]] inline __m256 widen(__m256i bytes, int j, __m256i zero_point) {
  const __m128i lane =
      _mm_add_epi32(_mm_setr_epi32(static_cast<int>(0x80808000U), static_cast<int>(0x80808001U),
                                   static_cast<int>(0x80808002U), static_cast<int>(0x80808003U)),
                    _mm_set1_epi32(4 * j));
  const __m256i wide = _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(lane));
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(wide, zero_point));
}

/// Between packed order and rows that follow each other; its own inverse.
template <int width>
[[gnu::always_inline]] inline __m256i swap_packed_and_rows(__m256i bytes) {
  if constexpr (width == 16) return _mm256_permute4x64_epi64(bytes, 0b11'01'10'00);
  return bytes;
}

/// Copies `count` bytes, at most `width`, and touches nothing beyond them.
template <int width>
[[gnu::always_inline]] inline void copy_bytes(std::uint8_t* to, const std::uint8_t* from,
                                              int count) {
  if constexpr (width > 0) {
    if ((count & width) != 0) {
      __builtin_memcpy(to, from, width);
      to += width;
      from += width;
    }
    copy_bytes<width / 2>(to, from, count);
  }
}

/// The quad's bytes of a residual, in packed order. Reads nothing outside [row][0, columns).
template <int width>
[[gnu::always_inline]] inline __m256i load_residual(const EpilogueTarget& target) {
  alignas(32) std::uint8_t rows[32] = {};
  if (target.columns >= width && target.rows == 32 / width) {
    if constexpr (width == 32)
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(target.residual));
    return swap_packed_and_rows<width>(_mm256_loadu2_m128i(
        reinterpret_cast<const __m128i*>(target.residual + target.residual_pitch),
        reinterpret_cast<const __m128i*>(target.residual)));
  }
  for (int r = 0; r < target.rows; ++r)
    copy_bytes<width>(rows + r * width, target.residual + r * target.residual_pitch,
                      target.columns < width ? target.columns : width);
  return swap_packed_and_rows<width>(_mm256_load_si256(reinterpret_cast<const __m256i*>(rows)));
}

template <int width>
[[gnu::always_inline]] inline void store_bytes(__m256i packed, const EpilogueTarget& target) {
  const __m256i bytes = swap_packed_and_rows<width>(packed);
  auto* to = static_cast<std::uint8_t*>(target.dst);
  if (target.columns >= width && target.rows == 32 / width) {
    if constexpr (width == 32)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bytes);
    else
      _mm256_storeu2_m128i(reinterpret_cast<__m128i*>(to + target.dst_pitch),
                           reinterpret_cast<__m128i*>(to), bytes);
    return;
  }
  alignas(32) std::uint8_t rows[32];
  _mm256_store_si256(reinterpret_cast<__m256i*>(rows), bytes);
  for (int r = 0; r < target.rows; ++r)
    copy_bytes<width>(to + r * target.dst_pitch, rows + r * width,
                      target.columns < width ? target.columns : width);
}

/// Four floats of one lane; fewer at the last channels.
[[gnu::always_inline]] inline void store_lane(float* to, int count, __m128 values) {
  if (count >= 4) {
    _mm_storeu_ps(to, values);
  } else if (count > 0) {
    const __m128i mask = _mm_cmpgt_epi32(_mm_set1_epi32(count), _mm_setr_epi32(0, 1, 2, 3));
    _mm_maskstore_ps(to, mask, values);
  }
}

template <int width>
[[gnu::always_inline]] inline void store_floats(const __m256 (&t)[4],
                                                const EpilogueTarget& target) {
  constexpr int per_row = width / 8;
  unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
    constexpr int row = j / per_row, v = j % per_row;
    if (row >= target.rows) return;
    float* to = static_cast<float*>(target.dst) + row * target.dst_pitch + 4 * v;
    const int count = target.columns - 4 * v;
    store_lane(to, count, _mm256_castps256_ps128(t[j]));
    store_lane(to + 4 * per_row, count - 4 * per_row, _mm256_extractf128_ps(t[j], 1));
  });
}

/// float(q - inner_zero_point) * inner_multiplier for q = clamp(half_even(t) + zero_point) without
/// going through bytes: all steps but the last are exact on integers.
[[gnu::always_inline]] inline __m256 inner_sum(__m256 t, const EpilogueVectors& e) {
  const __m256 rounded = _mm256_round_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256 clamped = _mm256_min_ps(_mm256_max_ps(rounded, e.inner_lower), e.inner_upper);
  return _mm256_mul_ps(_mm256_add_ps(clamped, e.inner_shift), e.inner_multiplier);
}

/// Residual addition on top of `t`, in units of the destination's scale.
[[gnu::always_inline]] inline __m256i add_residual(const __m256 (&t)[4], __m256i residual,
                                                   const EpilogueVectors& e) {
  __m256 sum[4];
  for (int j = 0; j < 4; ++j)
    sum[j] =
        _mm256_fmadd_ps(widen(residual, j, e.residual_zero_point), e.residual_multiplier, t[j]);
  return round_to_bytes(sum, e.dst_zero_point, e.dst_lower, e.dst_upper);
}

/// Multipliers and float biases (-0.0f where there is none) of a quad's channels, in packed order.
template <int width>
struct ChannelVectors {
  __m256 multiplier[width / 8], float_bias[width / 8];
};
template <int width>
[[gnu::always_inline]] inline ChannelVectors<width> load_channels(const float* multiplier,
                                                                  const float* float_bias) {
  ChannelVectors<width> channels;
  unroll<0, width / 8>([&]<int v>() __attribute__((always_inline)) {
    channels.multiplier[v] = _mm256_loadu_ps(multiplier + 8 * v);
    channels.float_bias[v] = _mm256_loadu_ps(float_bias + 8 * v);
  });
  return channels;
}

/// The product with its float bias, rounded once or (bias apart) twice.
[[gnu::always_inline]] inline __m256 real_product(__m256i accumulator, __m256 multiplier,
                                                  __m256 float_bias, bool bias_apart) {
  const __m256 sum = _mm256_cvtepi32_ps(accumulator);
  return bias_apart ? _mm256_add_ps(_mm256_mul_ps(sum, multiplier), float_bias)
                    : _mm256_fmadd_ps(sum, multiplier, float_bias);
}

/// t / scale to the bit (kernels/reciprocal.hpp).
[[gnu::always_inline]] inline __m256 quotient(__m256 t, const EpilogueVectors& e) {
  if (e.divides) return _mm256_div_ps(t, e.scale);
  const __m256 neighbour = _mm256_fmadd_ps(t, e.nearest, _mm256_mul_ps(t, e.rest));
  return _mm256_fmadd_ps(_mm256_fmadd_ps(neighbour, e.minus_scale, t), e.nearest, neighbour);
}

[[gnu::always_inline]] inline __m256 clamp_reals(__m256 t, const EpilogueVectors& e) {
  return _mm256_min_ps(_mm256_max_ps(t, e.float_lower), e.float_upper);
}

/// Finishes and writes one quad.
template <EpilogueForm form, int width>
[[gnu::always_inline]] inline void finish_quad(const __m256i (&accumulator)[4],
                                               const ChannelVectors<width>& channels,
                                               const EpilogueVectors& e,
                                               const EpilogueTarget& target) {
  constexpr bool apart = form == EpilogueForm::range || form == EpilogueForm::quotient;
  constexpr int per_row = width / 8;
  __m256 t[4];
  unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
    t[j] = real_product(accumulator[j], channels.multiplier[j % per_row],
                        channels.float_bias[j % per_row],
                        apart || (form == EpilogueForm::floats && e.bias_apart));
    if constexpr (apart || form == EpilogueForm::floats) t[j] = clamp_reals(t[j], e);
  });
  if constexpr (form == EpilogueForm::floats || form == EpilogueForm::range) {
    // Columns beyond the last are products of zeros: clamped, they lie within the range, too.
    unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
      if (j / per_row < target.rows) e.range.extend(t[j]);
    });
    if constexpr (form == EpilogueForm::floats) store_floats<width>(t, target);
  } else if constexpr (form == EpilogueForm::quotient) {
    unroll<0, 4>([&]<int j>() __attribute__((always_inline)) { t[j] = quotient(t[j], e); });
    store_bytes<width>(round_to_bytes(t, e.zero_point, broadcast_byte(0), broadcast_byte(255)),
                       target);
  } else if constexpr (form == EpilogueForm::residual) {
    if (e.table != nullptr) {
      const __m256i q = look_up(round_to_bytes(t, e.zero_point, e.lower, e.upper), e.table);
      unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
        t[j] = _mm256_mul_ps(widen(q, j, e.inner_zero_point), e.inner_multiplier);
      });
    } else if (e.inner_rounding) {
      unroll<0, 4>([&]<int j>() __attribute__((always_inline)) { t[j] = inner_sum(t[j], e); });
    }
    store_bytes<width>(add_residual(t, load_residual<width>(target), e), target);
  } else {
    __m256i q = round_to_bytes(t, e.zero_point, e.lower, e.upper);
    if constexpr (form == EpilogueForm::table) q = look_up(q, e.table);
    store_bytes<width>(q, target);
  }
}

/// The same with the channels' vectors in memory.
template <EpilogueForm form, int width>
[[gnu::always_inline]] inline void finish_quad(const __m256i (&accumulator)[4],
                                               const float* multiplier, const float* float_bias,
                                               const EpilogueVectors& e,
                                               const EpilogueTarget& target) {
  finish_quad<form, width>(accumulator, load_channels<width>(multiplier, float_bias), e, target);
}

}  // namespace
}  // namespace intact::kernels
