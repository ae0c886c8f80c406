// The epilogue on four zmm of accumulators at once, bit-identical to epilogue_reference.hpp.
//
// A quad is 64 outputs: `width` channels (64, 32 or 16) of 64 / width pixels, held in four vectors,
// those of one pixel side by side: with per_row = width / 16, vector j belongs to pixel
// j / per_row, and lane l (of four 32-bit elements), element i of its v-th vector holds channel
//   4 * (per_row * l + v) + i.
// This is the order that packs and packus turn into natural channel order: nothing to permute for
// width 64, one permutation of all 64 bytes for the others. Multipliers and biases are stored in
// that order (channel_at). unpacklo/unpackhi of natural bytes produce it too.
//
// Included only by files compiled for AVX-512 with VBMI: intrinsics and internal linkage only.
#pragma once

#include <immintrin.h>

#include "kernels/epilogue_form.hpp"
#include "kernels/unroll.hpp"

namespace intact::kernels {
namespace {

/// Everything an epilogue broadcasts. Members that the form does not use are never read.
struct EpilogueVectors {
  __m512i zero_point, lower, upper;
  __m512i table[4];
  bool has_table;
  __m512i residual_zero_point, inner_zero_point, dst_zero_point, dst_lower, dst_upper;
  __m512 residual_multiplier, inner_multiplier;
  __m512 inner_lower, inner_upper, inner_shift;  ///< see inner_sum
  __m512 float_lower, float_upper;
};

[[gnu::always_inline]] inline __m512i broadcast_byte(std::int32_t value) {
  return _mm512_set1_epi8(static_cast<char>(value));
}

[[gnu::always_inline]] inline __m512i broadcast_word(std::int32_t value) {
  return _mm512_set1_epi16(static_cast<short>(value));
}

[[gnu::always_inline]] inline EpilogueVectors load_epilogue(const Epilogue& epilogue) {
  EpilogueVectors e{};
  e.zero_point = broadcast_word(epilogue.zero_point);
  e.lower = broadcast_byte(epilogue.lower);
  e.upper = broadcast_byte(epilogue.upper);
  e.has_table = epilogue.table != nullptr;
  if (e.has_table)
    for (int i = 0; i < 4; ++i) e.table[i] = _mm512_loadu_si512(epilogue.table + 64 * i);
  if (const Residual* residual = epilogue.residual; residual != nullptr) {
    e.residual_zero_point = _mm512_set1_epi32(residual->zero_point);
    e.inner_zero_point = _mm512_set1_epi32(residual->inner_zero_point);
    e.dst_zero_point = broadcast_word(residual->dst_zero_point);
    e.dst_lower = broadcast_byte(residual->dst_lower);
    e.dst_upper = broadcast_byte(residual->dst_upper);
    e.residual_multiplier = _mm512_set1_ps(residual->multiplier);
    e.inner_multiplier = _mm512_set1_ps(residual->inner_multiplier);
    const auto broadcast = [](std::int32_t value) {
      return _mm512_set1_ps(static_cast<float>(value));
    };
    e.inner_lower = broadcast(epilogue.lower - epilogue.zero_point);
    e.inner_upper = broadcast(epilogue.upper - epilogue.zero_point);
    e.inner_shift = broadcast(epilogue.zero_point - residual->inner_zero_point);
  }
  e.float_lower = _mm512_set1_ps(epilogue.float_lower);
  e.float_upper = _mm512_set1_ps(epilogue.float_upper);
  return e;
}

/// Rounds four vectors half to even, adds the zero point and clamps. Both packs saturate, so the
/// result is that of clamping in unbounded integers.
[[gnu::always_inline]] inline __m512i round_to_bytes(const __m512 (&t)[4], __m512i zero_point,
                                                     __m512i lower, __m512i upper) {
  const __m512i low = _mm512_packs_epi32(_mm512_cvtps_epi32(t[0]), _mm512_cvtps_epi32(t[1]));
  const __m512i high = _mm512_packs_epi32(_mm512_cvtps_epi32(t[2]), _mm512_cvtps_epi32(t[3]));
  const __m512i bytes =
      _mm512_packus_epi16(_mm512_adds_epi16(low, zero_point), _mm512_adds_epi16(high, zero_point));
  return _mm512_min_epu8(_mm512_max_epu8(bytes, lower), upper);
}

[[gnu::always_inline]] inline __m512i look_up(__m512i bytes, const __m512i (&table)[4]) {
  const __m512i low = _mm512_permutex2var_epi8(table[0], bytes, table[1]);
  const __m512i high = _mm512_permutex2var_epi8(table[2], bytes, table[3]);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), low, high);
}

/// Bytes in packed order, minus zero_point, as floats: vector j of the quad.
[[gnu::always_inline]] inline __m512 widen(__m512i bytes, int j, __m512i zero_point) {
  const __m128i lane =
      _mm_add_epi32(_mm_setr_epi32(static_cast<int>(0x80808000U), static_cast<int>(0x80808001U),
                                   static_cast<int>(0x80808002U), static_cast<int>(0x80808003U)),
                    _mm_set1_epi32(4 * j));
  const __m512i wide = _mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(lane));
  return _mm512_cvtepi32_ps(_mm512_sub_epi32(wide, zero_point));
}

/// From packed order to rows that follow each other; to_packed_order is the inverse.
template <int width>
[[gnu::always_inline]] inline __m512i to_rows(__m512i packed) {
  if constexpr (width == 32)
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), packed);
  else if constexpr (width == 16)
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), packed);
  else
    return packed;
}

template <int width>
[[gnu::always_inline]] inline __m512i to_packed_order(__m512i rows) {
  if constexpr (width == 32)
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), rows);
  else
    return to_rows<width>(rows);  // a transposition, or nothing
}

[[gnu::always_inline]] inline __mmask64 first_bytes(int count) {
  return count >= 64 ? ~__mmask64{0} : (__mmask64{1} << count) - 1;
}

/// The quad's bytes of a residual, in packed order. Reads nothing outside [row][0, columns).
template <int width>
[[gnu::always_inline]] inline __m512i load_residual(const EpilogueTarget& target) {
  const __mmask64 mask = first_bytes(target.columns);
  const std::uint8_t* from = target.residual;
  if constexpr (width == 64)
    return target.columns >= 64 ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi8(mask, from);
  __m512i rows = _mm512_setzero_si512();
  if constexpr (width == 32) {
    rows = _mm512_castsi256_si512(_mm256_maskz_loadu_epi8(static_cast<__mmask32>(mask), from));
    if (target.rows > 1)
      rows = _mm512_inserti64x4(
          rows, _mm256_maskz_loadu_epi8(static_cast<__mmask32>(mask), from + target.residual_pitch),
          1);
  }
  if constexpr (width == 16) {
    const auto row = [&](int r) {
      return _mm_maskz_loadu_epi8(static_cast<__mmask16>(mask), from + r * target.residual_pitch);
    };
    rows = _mm512_castsi128_si512(row(0));
    if (target.rows > 1) rows = _mm512_inserti32x4(rows, row(1), 1);
    if (target.rows > 2) rows = _mm512_inserti32x4(rows, row(2), 2);
    if (target.rows > 3) rows = _mm512_inserti32x4(rows, row(3), 3);
  }
  return to_packed_order<width>(rows);
}

/// Masked stores are slow on some processors, so they serve the last channels only.
template <int width>
[[gnu::always_inline]] inline void store_bytes(__m512i packed, const EpilogueTarget& target) {
  const __m512i rows = to_rows<width>(packed);
  auto* to = static_cast<std::uint8_t*>(target.dst);
  const bool full = target.columns >= width;
  const __mmask64 mask = first_bytes(target.columns);
  if constexpr (width == 64) {
    if (full)
      _mm512_storeu_si512(to, rows);
    else
      _mm512_mask_storeu_epi8(to, mask, rows);
  } else if constexpr (width == 32) {
    const auto row = [&](int r, __m256i bytes) {
      if (r >= target.rows) return;
      if (full)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + r * target.dst_pitch), bytes);
      else
        _mm256_mask_storeu_epi8(to + r * target.dst_pitch, static_cast<__mmask32>(mask), bytes);
    };
    row(0, _mm512_castsi512_si256(rows));
    row(1, _mm512_extracti64x4_epi64(rows, 1));
  } else {
    const auto row = [&](int r, __m128i bytes) {
      if (r >= target.rows) return;
      if (full)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + r * target.dst_pitch), bytes);
      else
        _mm_mask_storeu_epi8(to + r * target.dst_pitch, static_cast<__mmask16>(mask), bytes);
    };
    row(0, _mm512_castsi512_si128(rows));
    row(1, _mm512_extracti32x4_epi32(rows, 1));
    row(2, _mm512_extracti32x4_epi32(rows, 2));
    row(3, _mm512_extracti32x4_epi32(rows, 3));
  }
}

/// Four floats of one lane; fewer at the last channels.
[[gnu::always_inline]] inline void store_lane(float* to, int count, __m128 values) {
  if (count >= 4)
    _mm_storeu_ps(to, values);
  else if (count > 0)
    _mm_mask_storeu_ps(to, static_cast<__mmask8>((1 << count) - 1), values);
}

template <int width>
[[gnu::always_inline]] inline void store_floats(const __m512 (&t)[4],
                                                const EpilogueTarget& target) {
  constexpr int per_row = width / 16;
  unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
    constexpr int row = j / per_row, v = j % per_row;
    if (row >= target.rows) return;
    float* to = static_cast<float*>(target.dst) + row * target.dst_pitch + 4 * v;
    const int count = target.columns - 4 * v;
    store_lane(to, count, _mm512_castps512_ps128(t[j]));
    store_lane(to + 4 * per_row, count - 4 * per_row, _mm512_extractf32x4_ps(t[j], 1));
    store_lane(to + 8 * per_row, count - 8 * per_row, _mm512_extractf32x4_ps(t[j], 2));
    store_lane(to + 12 * per_row, count - 12 * per_row, _mm512_extractf32x4_ps(t[j], 3));
  });
}

/// float(q - inner_zero_point) * inner_multiplier for q = clamp(half_even(t) + zero_point) without
/// going through bytes: all steps but the last are exact on integers.
[[gnu::always_inline]] inline __m512 inner_sum(__m512 t, const EpilogueVectors& e) {
  const __m512 rounded = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 clamped = _mm512_min_ps(_mm512_max_ps(rounded, e.inner_lower), e.inner_upper);
  return _mm512_mul_ps(_mm512_add_ps(clamped, e.inner_shift), e.inner_multiplier);
}

/// Residual addition on top of `t`, in units of the destination's scale.
[[gnu::always_inline]] inline __m512i add_residual(const __m512 (&t)[4], __m512i residual,
                                                   const EpilogueVectors& e) {
  __m512 sum[4];
  for (int j = 0; j < 4; ++j)
    sum[j] =
        _mm512_fmadd_ps(widen(residual, j, e.residual_zero_point), e.residual_multiplier, t[j]);
  return round_to_bytes(sum, e.dst_zero_point, e.dst_lower, e.dst_upper);
}

/// Multipliers and float biases (-0.0f where there is none) of a quad's channels, in packed order.
template <int width>
struct ChannelVectors {
  __m512 multiplier[width / 16], float_bias[width / 16];
};
template <int width>
[[gnu::always_inline]] inline ChannelVectors<width> load_channels(const float* multiplier,
                                                                  const float* float_bias) {
  ChannelVectors<width> channels;
  unroll<0, width / 16>([&]<int v>() __attribute__((always_inline)) {
    channels.multiplier[v] = _mm512_loadu_ps(multiplier + 16 * v);
    channels.float_bias[v] = _mm512_loadu_ps(float_bias + 16 * v);
  });
  return channels;
}

/// Finishes and writes one quad.
template <EpilogueForm form, int width>
[[gnu::always_inline]] inline void finish_quad(const __m512i (&accumulator)[4],
                                               const ChannelVectors<width>& channels,
                                               const EpilogueVectors& e,
                                               const EpilogueTarget& target) {
  constexpr int per_row = width / 16;
  __m512 t[4];
  unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
    t[j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(accumulator[j]), channels.multiplier[j % per_row],
                           channels.float_bias[j % per_row]);
  });
  if constexpr (form == EpilogueForm::floats) {
    unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
      t[j] = _mm512_min_ps(_mm512_max_ps(t[j], e.float_lower), e.float_upper);
    });
    store_floats<width>(t, target);
  } else if constexpr (form == EpilogueForm::unrounded_residual) {
    store_bytes<width>(add_residual(t, load_residual<width>(target), e), target);
  } else if constexpr (form == EpilogueForm::rounded_residual) {
    if (e.has_table) {
      const __m512i q = look_up(round_to_bytes(t, e.zero_point, e.lower, e.upper), e.table);
      unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
        t[j] = _mm512_mul_ps(widen(q, j, e.inner_zero_point), e.inner_multiplier);
      });
    } else {
      unroll<0, 4>([&]<int j>() __attribute__((always_inline)) { t[j] = inner_sum(t[j], e); });
    }
    store_bytes<width>(add_residual(t, load_residual<width>(target), e), target);
  } else {
    __m512i q = round_to_bytes(t, e.zero_point, e.lower, e.upper);
    if constexpr (form == EpilogueForm::table) q = look_up(q, e.table);
    store_bytes<width>(q, target);
  }
}

/// The same with the channels' vectors in memory.
template <EpilogueForm form, int width>
[[gnu::always_inline]] inline void finish_quad(const __m512i (&accumulator)[4],
                                               const float* multiplier, const float* float_bias,
                                               const EpilogueVectors& e,
                                               const EpilogueTarget& target) {
  finish_quad<form, width>(accumulator, load_channels<width>(multiplier, float_bias), e, target);
}

}  // namespace
}  // namespace intact::kernels
