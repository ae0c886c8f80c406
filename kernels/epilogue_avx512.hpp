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
#include "kernels/reciprocal.hpp"
#include "kernels/unroll.hpp"

namespace intact::kernels {
namespace {

/// Floats of this size have integers for neighbours, on either side of it.
constexpr float rounding_shift = 0x1.8p23F;

/// A running range, 0 included. The new number comes first in every comparison: NaN changes
/// nothing.
struct RangeVectors {
  __m512 low = _mm512_setzero_ps(), high = _mm512_setzero_ps();
  [[gnu::always_inline]] void extend(__m512 x) {
    low = _mm512_min_ps(x, low);
    high = _mm512_max_ps(x, high);
  }
  void join_into(ValueRange* range) const {
    if (range == nullptr) return;
    alignas(64) float lows[16], highs[16];
    _mm512_store_ps(lows, low);
    _mm512_store_ps(highs, high);
    for (int i = 0; i < 16; ++i) {
      if (lows[i] < range->low) range->low = lows[i];
      if (highs[i] > range->high) range->high = highs[i];
    }
  }
};

/// A load that is one: copies of a register that the compiler would make instead compete with
/// arithmetic for its ports, loads do not.
[[gnu::always_inline]] inline __m512i load_again(const void* from) {
  asm volatile("" : "+r"(from));
  return _mm512_load_si512(from);
}

/// What follows rounding to integers. Zero points and bounds that change nothing are skipped: they
/// would cost a quarter of the instructions.
struct ByteGrid {
  __m512i zero_point, lower, upper;
  bool shifts, clamps;
};

/// Everything an epilogue broadcasts. Members that the form does not use are never read.
struct EpilogueVectors {
  ByteGrid grid, residual_sum;
  const std::uint8_t* table;  ///< in memory, because the look-up overwrites what it looks into
  __m512i minus_residual_zero_point, minus_inner_zero_point;
  __m512 residual_multiplier, inner_multiplier;
  __m512 inner_lower, inner_upper, inner_shift;  ///< see inner_sum
  __m512 float_lower, float_upper;
  mutable RangeVectors range;  ///< what the forms floats and range have met so far
  bool bias_apart, inner_rounding;
  bool divides;  ///< the scale has no reciprocal
  __m512 scale, minus_scale, nearest, rest;
};

[[gnu::always_inline]] inline __m512i broadcast_byte(std::int32_t value) {
  return _mm512_set1_epi8(static_cast<char>(value));
}

[[gnu::always_inline]] inline __m512i broadcast_word(std::int32_t value) {
  return _mm512_set1_epi16(static_cast<short>(value));
}

[[gnu::always_inline]] inline ByteGrid byte_grid(std::int32_t zero_point, std::int32_t lower,
                                                 std::int32_t upper) {
  return {broadcast_word(zero_point), broadcast_byte(lower), broadcast_byte(upper), zero_point != 0,
          lower > 0 || upper < 255};
}

[[gnu::always_inline]] inline EpilogueVectors load_epilogue(const Epilogue& epilogue) {
  EpilogueVectors e{};
  const bool clamps = epilogue.output == Output::u8;
  e.grid =
      byte_grid(epilogue.zero_point, clamps ? epilogue.lower : 0, clamps ? epilogue.upper : 255);
  e.table = epilogue.table;
  if (const Residual* residual = epilogue.residual; residual != nullptr) {
    e.minus_residual_zero_point = _mm512_set1_epi32(-residual->zero_point);
    e.minus_inner_zero_point = _mm512_set1_epi32(-residual->inner_zero_point);
    e.residual_sum = byte_grid(residual->dst_zero_point, residual->dst_lower, residual->dst_upper);
    e.residual_multiplier = _mm512_set1_ps(residual->multiplier);
    e.inner_rounding = residual->inner_rounding;
    e.inner_multiplier = _mm512_set1_ps(residual->inner_multiplier);
    const auto broadcast = [](std::int32_t value) {
      return _mm512_set1_ps(static_cast<float>(value));
    };
    e.inner_lower = broadcast(epilogue.lower - epilogue.zero_point);
    e.inner_upper = broadcast(epilogue.upper - epilogue.zero_point);
    e.inner_shift = broadcast(rounding_shift - (epilogue.zero_point - residual->inner_zero_point));
  }
  e.float_lower = _mm512_set1_ps(epilogue.float_lower);
  e.float_upper = _mm512_set1_ps(epilogue.float_upper);
  e.bias_apart = adds_bias_apart(epilogue);
  e.divides = !has_reciprocal(epilogue.scale);
  const Reciprocal reciprocal = reciprocal_of(epilogue.scale);
  e.scale = _mm512_set1_ps(epilogue.scale);
  e.minus_scale = _mm512_set1_ps(reciprocal.minus_scale);
  e.nearest = _mm512_set1_ps(reciprocal.nearest);
  e.rest = _mm512_set1_ps(reciprocal.rest);
  return e;
}

/// Rounds four vectors half to even, adds the zero point and clamps. Both packs saturate, so the
/// result is that of clamping in unbounded integers.
[[gnu::always_inline]] inline __m512i round_to_bytes(const __m512 (&t)[4], const ByteGrid& grid) {
  __m512i low = _mm512_packs_epi32(_mm512_cvtps_epi32(t[0]), _mm512_cvtps_epi32(t[1]));
  __m512i high = _mm512_packs_epi32(_mm512_cvtps_epi32(t[2]), _mm512_cvtps_epi32(t[3]));
  if (grid.shifts) {
    low = _mm512_adds_epi16(low, grid.zero_point);
    high = _mm512_adds_epi16(high, grid.zero_point);
  }
  const __m512i bytes = _mm512_packus_epi16(low, high);
  if (!grid.clamps) return bytes;
  return _mm512_min_epu8(_mm512_max_epu8(bytes, grid.lower), grid.upper);
}

/// table[b] of each byte b.
[[gnu::always_inline]] inline __m512i look_up(__m512i bytes, const std::uint8_t* table) {
  const __m512i low =
      _mm512_permutex2var_epi8(_mm512_loadu_si512(table), bytes, _mm512_loadu_si512(table + 64));
  const __m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512(table + 128), bytes,
                                                _mm512_loadu_si512(table + 192));
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), low, high);
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

/// Element order: byte j of 32-bit element e belongs to element e of vector j of the quad. From
/// rows that follow each other; width 64 also from packed order, which is the same.
template <int width>
[[gnu::always_inline]] inline __m512i to_element_order(__m512i rows) {
  constexpr int per_row = width / 16;
  struct Order {
    alignas(64) std::uint8_t from[64];
  };
  static constexpr Order order = [] {
    Order order{};
    for (int e = 0; e < 16; ++e)
      for (int j = 0; j < 4; ++j)
        order.from[4 * e + j] = static_cast<std::uint8_t>(
            j / per_row * width + 4 * (per_row * (e / 4) + j % per_row) + e % 4);
    return order;
  }();
  return _mm512_permutexvar_epi8(_mm512_load_si512(order.from), rows);
}

/// Bytes in element order, minus a zero point, as floats: vector j of the quad. A product with ones
/// in the right place picks the byte.
template <int j>
[[gnu::always_inline]] inline __m512 widen(__m512i bytes, __m512i minus_zero_point) {
  return _mm512_cvtepi32_ps(
      _mm512_dpbusd_epi32(minus_zero_point, bytes, _mm512_set1_epi32(1 << 8 * j)));
}

[[gnu::always_inline]] inline __mmask64 first_bytes(int count) {
  return count >= 64 ? ~__mmask64{0} : (__mmask64{1} << count) - 1;
}

/// The quad's bytes of a residual, in element order. Reads nothing outside [row][0, columns).
/// `whole`: the target has all rows and columns.
template <int width, bool whole>
[[gnu::always_inline]] inline __m512i load_residual(const EpilogueTarget& target) {
  const __mmask64 mask = whole ? ~__mmask64{0} : first_bytes(target.columns);
  const int row_count = whole ? 64 / width : target.rows;
  const std::uint8_t* from = target.residual;
  if constexpr (width == 64)
    return to_element_order<64>(whole || target.columns >= 64
                                    ? _mm512_loadu_si512(from)
                                    : _mm512_maskz_loadu_epi8(mask, from));
  __m512i rows = _mm512_setzero_si512();
  if constexpr (width == 32) {
    rows = _mm512_castsi256_si512(_mm256_maskz_loadu_epi8(static_cast<__mmask32>(mask), from));
    if (row_count > 1)
      rows = _mm512_inserti64x4(
          rows, _mm256_maskz_loadu_epi8(static_cast<__mmask32>(mask), from + target.residual_pitch),
          1);
  }
  if constexpr (width == 16) {
    const auto row = [&](int r) {
      return _mm_maskz_loadu_epi8(static_cast<__mmask16>(mask), from + r * target.residual_pitch);
    };
    rows = _mm512_castsi128_si512(row(0));
    if (row_count > 1) rows = _mm512_inserti32x4(rows, row(1), 1);
    if (row_count > 2) rows = _mm512_inserti32x4(rows, row(2), 2);
    if (row_count > 3) rows = _mm512_inserti32x4(rows, row(3), 3);
  }
  return to_element_order<width>(rows);
}

/// Masked stores are slow on some processors, so they serve the last channels only.
template <int width, bool whole = false>
[[gnu::always_inline]] inline void store_bytes(__m512i packed, const EpilogueTarget& target) {
  const __m512i rows = to_rows<width>(packed);
  auto* to = static_cast<std::uint8_t*>(target.dst);
  const bool full = whole || target.columns >= width;
  const __mmask64 mask = first_bytes(target.columns);
  if constexpr (width == 64) {
    if (full)
      _mm512_storeu_si512(to, rows);
    else
      _mm512_mask_storeu_epi8(to, mask, rows);
  } else if constexpr (width == 32) {
    const auto row = [&](int r, __m256i bytes) {
      if (!whole && r >= target.rows) return;
      if (full)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + r * target.dst_pitch), bytes);
      else
        _mm256_mask_storeu_epi8(to + r * target.dst_pitch, static_cast<__mmask32>(mask), bytes);
    };
    row(0, _mm512_castsi512_si256(rows));
    row(1, _mm512_extracti64x4_epi64(rows, 1));
  } else {
    const auto row = [&](int r, __m128i bytes) {
      if (!whole && r >= target.rows) return;
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

/// Lane l of vector j becomes lane j of vector l.
[[gnu::always_inline]] inline void transpose_lanes(__m512 (&t)[4]) {
  const __m512 a = _mm512_shuffle_f32x4(t[0], t[1], 0x44);
  const __m512 b = _mm512_shuffle_f32x4(t[2], t[3], 0x44);
  const __m512 c = _mm512_shuffle_f32x4(t[0], t[1], 0xee);
  const __m512 d = _mm512_shuffle_f32x4(t[2], t[3], 0xee);
  t[0] = _mm512_shuffle_f32x4(a, b, 0x88);
  t[1] = _mm512_shuffle_f32x4(a, b, 0xdd);
  t[2] = _mm512_shuffle_f32x4(c, d, 0x88);
  t[3] = _mm512_shuffle_f32x4(c, d, 0xdd);
}

/// From the order of a quad to 16 consecutive channels per vector, those of a pixel side by side.
template <int width>
[[gnu::always_inline]] inline void to_natural_order(__m512 (&t)[4]) {
  if constexpr (width == 64) {
    transpose_lanes(t);
  } else if constexpr (width == 32) {
    const __m512i low = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    for (int row = 0; row < 2; ++row) {
      const __m512 first = t[2 * row], second = t[2 * row + 1];
      t[2 * row] = _mm512_permutex2var_ps(first, low, second);
      t[2 * row + 1] = _mm512_permutex2var_ps(first, high, second);
    }
  }
}

/// Overwrites `t`. Masked stores serve the last channels only, as for bytes.
template <int width>
[[gnu::always_inline]] inline void store_floats(__m512 (&t)[4], const EpilogueTarget& target) {
  constexpr int per_row = width / 16;
  to_natural_order<width>(t);
  unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
    constexpr int row = j / per_row, first = j % per_row * 16;
    if (row >= target.rows) return;
    float* to = static_cast<float*>(target.dst) + row * target.dst_pitch + first;
    const int count = target.columns - first;
    if (count >= 16)
      _mm512_storeu_ps(to, t[j]);
    else if (count > 0)
      _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), t[j]);
  });
}

/// float(q - inner_zero_point) * inner_multiplier for q = clamp(half_even(t) + zero_point) without
/// going through bytes. The bounds are integers, so clamping may come first; then adding
/// rounding_shift rounds to integers, and taking it off again is exact.
[[gnu::always_inline]] inline __m512 inner_sum(__m512 t, const EpilogueVectors& e) {
  const __m512 clamped = _mm512_min_ps(_mm512_max_ps(t, e.inner_lower), e.inner_upper);
  const __m512 rounded = _mm512_add_ps(clamped, _mm512_set1_ps(rounding_shift));
  return _mm512_mul_ps(_mm512_sub_ps(rounded, e.inner_shift), e.inner_multiplier);
}

/// The same for bytes q in packed order.
[[gnu::always_inline]] inline void inner_bytes(__m512 (&t)[4], __m512i q,
                                               const EpilogueVectors& e) {
  const __m512i elements = to_element_order<64>(q);
  unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
    t[j] = _mm512_mul_ps(widen<j>(elements, e.minus_inner_zero_point), e.inner_multiplier);
  });
}

/// Residual addition on top of `t`, in units of the destination's scale; the residual's bytes are
/// in element order.
[[gnu::always_inline]] inline __m512i add_residual(const __m512 (&t)[4], __m512i residual,
                                                   const EpilogueVectors& e) {
  __m512 sum[4];
  unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
    sum[j] = _mm512_fmadd_ps(widen<j>(residual, e.minus_residual_zero_point), e.residual_multiplier,
                             t[j]);
  });
  return round_to_bytes(sum, e.residual_sum);
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

/// The product with its float bias, rounded once or (bias apart) twice.
[[gnu::always_inline]] inline __m512 real_product(__m512i accumulator, __m512 multiplier,
                                                  __m512 float_bias, bool bias_apart) {
  const __m512 sum = _mm512_cvtepi32_ps(accumulator);
  return bias_apart ? _mm512_add_ps(_mm512_mul_ps(sum, multiplier), float_bias)
                    : _mm512_fmadd_ps(sum, multiplier, float_bias);
}

/// t / scale to the bit (kernels/reciprocal.hpp).
[[gnu::always_inline]] inline __m512 quotient(__m512 t, const EpilogueVectors& e) {
  if (e.divides) return _mm512_div_ps(t, e.scale);
  const __m512 neighbour = _mm512_fmadd_ps(t, e.nearest, _mm512_mul_ps(t, e.rest));
  return _mm512_fmadd_ps(_mm512_fmadd_ps(neighbour, e.minus_scale, t), e.nearest, neighbour);
}

[[gnu::always_inline]] inline __m512 clamp_reals(__m512 t, const EpilogueVectors& e) {
  return _mm512_min_ps(_mm512_max_ps(t, e.float_lower), e.float_upper);
}

/// The least and greatest sums of each channel of a vector. What the epilogue makes of sums rises
/// or falls with them, channel by channel, so these two have the range of all.
struct SumRange {
  __m512i low = _mm512_set1_epi32(INT32_MAX), high = _mm512_set1_epi32(INT32_MIN);
  [[gnu::always_inline]] void extend(__m512i sums) {
    low = _mm512_min_epi32(low, sums);
    high = _mm512_max_epi32(high, sums);
  }
};

/// What the form range sees of a sum.
[[gnu::always_inline]] inline __m512 range_value(__m512i sum, __m512 multiplier, __m512 float_bias,
                                                 const EpilogueVectors& e) {
  return clamp_reals(real_product(sum, multiplier, float_bias, true), e);
}

/// Finishes and writes one quad. `whole`: the target has all rows and columns.
template <EpilogueForm form, int width, bool whole = false>
[[gnu::always_inline]] inline void finish_quad(const __m512i (&accumulator)[4],
                                               const ChannelVectors<width>& channels,
                                               const EpilogueVectors& e,
                                               const EpilogueTarget& target) {
  constexpr bool apart = form == EpilogueForm::range || form == EpilogueForm::quotient;
  constexpr int per_row = width / 16;
  __m512 t[4];
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
    store_bytes<width, whole>(round_to_bytes(t, e.grid), target);
  } else if constexpr (form == EpilogueForm::residual) {
    if (e.table != nullptr) {
      inner_bytes(t, look_up(round_to_bytes(t, e.grid), e.table), e);
    } else if (e.inner_rounding) {
      unroll<0, 4>([&]<int j>() __attribute__((always_inline)) { t[j] = inner_sum(t[j], e); });
    }
    store_bytes<width, whole>(add_residual(t, load_residual<width, whole>(target), e), target);
  } else {
    __m512i q = round_to_bytes(t, e.grid);
    if constexpr (form == EpilogueForm::table) q = look_up(q, e.table);
    store_bytes<width, whole>(q, target);
  }
}

/// The same with the channels' vectors in memory.
template <EpilogueForm form, int width, bool whole = false>
[[gnu::always_inline]] inline void finish_quad(const __m512i (&accumulator)[4],
                                               const float* multiplier, const float* float_bias,
                                               const EpilogueVectors& e,
                                               const EpilogueTarget& target) {
  finish_quad<form, width, whole>(accumulator, load_channels<width>(multiplier, float_bias), e,
                                  target);
}

}  // namespace
}  // namespace intact::kernels
