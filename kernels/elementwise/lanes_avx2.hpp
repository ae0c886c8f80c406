// Vector types of the element-wise code, 8 floats wide; see lanes_avx512.hpp. Included only by
// files compiled for AVX2; everything is internal to the including file.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/byte_table_avx2.hpp"

namespace intact::kernels {
namespace {

struct Mask {
  __m256 value;
};

/// 8 integers of 32 bits.
struct Ints {
  __m256i value;
};

/// 8 floats.
struct Floats {
  static constexpr int size = 8;
  __m256 value;
};

/// 32 bytes; the first 8 alone are used where a remainder is processed.
struct Bytes {
  static constexpr int size = 32;
  __m256i value;
};

[[gnu::always_inline]] inline __m256i first_lanes(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

[[gnu::always_inline]] inline Floats operator+(Floats a, Floats b) {
  return {_mm256_add_ps(a.value, b.value)};
}
[[gnu::always_inline]] inline Floats operator-(Floats a, Floats b) {
  return {_mm256_sub_ps(a.value, b.value)};
}
[[gnu::always_inline]] inline Floats operator*(Floats a, Floats b) {
  return {_mm256_mul_ps(a.value, b.value)};
}
[[gnu::always_inline]] inline Floats operator/(Floats a, Floats b) {
  return {_mm256_div_ps(a.value, b.value)};
}
[[gnu::always_inline]] inline Floats square_root(Floats a) {
  return {_mm256_sqrt_ps(a.value)};
}
[[gnu::always_inline]] inline Floats fma(Floats a, Floats b, Floats c) {
  return {_mm256_fmadd_ps(a.value, b.value, c.value)};
}
/// a > b ? a : b, hence b where either is NaN.
[[gnu::always_inline]] inline Floats maximum(Floats a, Floats b) {
  return {_mm256_max_ps(a.value, b.value)};
}
/// a < b ? a : b, hence b where either is NaN.
[[gnu::always_inline]] inline Floats minimum(Floats a, Floats b) {
  return {_mm256_min_ps(a.value, b.value)};
}
[[gnu::always_inline]] inline Mask less(Floats a, Floats b) {
  return {_mm256_cmp_ps(a.value, b.value, _CMP_LT_OQ)};
}
[[gnu::always_inline]] inline Mask is_nan(Floats a) {
  return {_mm256_cmp_ps(a.value, a.value, _CMP_UNORD_Q)};
}
[[gnu::always_inline]] inline Mask both(Mask a, Mask b) {
  return {_mm256_and_ps(a.value, b.value)};
}
[[gnu::always_inline]] inline bool all(Mask mask) {
  return _mm256_movemask_ps(mask.value) == 0xff;
}
[[gnu::always_inline]] inline bool any(Mask mask) {
  return _mm256_movemask_ps(mask.value) != 0;
}
[[gnu::always_inline]] inline Floats select(Mask mask, Floats yes, Floats no) {
  return {_mm256_blendv_ps(no.value, yes.value, mask.value)};
}

/// Brings lane i + distance to lane i, for i < distance.
template <int distance>
[[gnu::always_inline]] inline Floats from_above(Floats a) {
  if constexpr (distance == 4) return {_mm256_permute2f128_ps(a.value, a.value, 1)};
  if constexpr (distance == 2) return {_mm256_permute_ps(a.value, 0x4e)};
  if constexpr (distance == 1) return {_mm256_permute_ps(a.value, 0xb1)};
}
[[gnu::always_inline]] inline float first(Floats a) {
  return _mm256_cvtss_f32(a.value);
}

[[gnu::always_inline]] inline Ints bits(Floats a) {
  return {_mm256_castps_si256(a.value)};
}
[[gnu::always_inline]] inline Floats from_bits(Ints a) {
  return {_mm256_castsi256_ps(a.value)};
}
[[gnu::always_inline]] inline Ints operator+(Ints a, Ints b) {
  return {_mm256_add_epi32(a.value, b.value)};
}
[[gnu::always_inline]] inline Ints operator-(Ints a, Ints b) {
  return {_mm256_sub_epi32(a.value, b.value)};
}
[[gnu::always_inline]] inline Ints operator&(Ints a, Ints b) {
  return {_mm256_and_si256(a.value, b.value)};
}
[[gnu::always_inline]] inline Ints operator^(Ints a, Ints b) {
  return {_mm256_xor_si256(a.value, b.value)};
}
[[gnu::always_inline]] inline Ints operator|(Ints a, Ints b) {
  return {_mm256_or_si256(a.value, b.value)};
}
template <int count>
[[gnu::always_inline]] inline Ints shift_left(Ints a) {
  return {_mm256_slli_epi32(a.value, count)};
}
/// Arithmetic shift.
template <int count>
[[gnu::always_inline]] inline Ints shift_right(Ints a) {
  return {_mm256_srai_epi32(a.value, count)};
}
[[gnu::always_inline]] inline Floats to_floats(Ints a) {
  return {_mm256_cvtepi32_ps(a.value)};
}
/// Rounds half to even; what does not fit becomes -2^31.
[[gnu::always_inline]] inline Ints round(Floats a) {
  return {_mm256_cvtps_epi32(a.value)};
}

[[gnu::always_inline]] inline void broadcast(Floats& lanes, float x) {
  lanes.value = _mm256_set1_ps(x);
}
[[gnu::always_inline]] inline void broadcast(Ints& lanes, std::int32_t x) {
  lanes.value = _mm256_set1_epi32(x);
}
[[gnu::always_inline]] inline void load(Floats& lanes, const float* src) {
  lanes.value = _mm256_loadu_ps(src);
}
[[gnu::always_inline]] inline void load_first(Floats& lanes, const float* src, int count) {
  lanes.value = _mm256_maskload_ps(src, first_lanes(count));
}
[[gnu::always_inline]] inline void store(float* dst, Floats a) {
  _mm256_storeu_ps(dst, a.value);
}
[[gnu::always_inline]] inline void store_first(float* dst, Floats a, int count) {
  _mm256_maskstore_ps(dst, first_lanes(count), a.value);
}

/// Copies 1 to 8 bytes between memory and the low bytes of an integer without touching others.
[[gnu::always_inline]] inline std::uint64_t load_small(const std::uint8_t* src, int count) {
  std::uint64_t result = 0;
  int shift = 0;
  if (count & 8) {
    __builtin_memcpy(&result, src, 8);
    return result;
  }
  if (count & 4) {
    std::uint32_t part;
    __builtin_memcpy(&part, src, 4);
    result = part;
    shift = 4;
  }
  if (count & 2) {
    std::uint16_t part;
    __builtin_memcpy(&part, src + shift, 2);
    result |= static_cast<std::uint64_t>(part) << (8 * shift);
    shift += 2;
  }
  if (count & 1) result |= static_cast<std::uint64_t>(src[shift]) << (8 * shift);
  return result;
}
[[gnu::always_inline]] inline void store_small(std::uint8_t* dst, std::uint64_t x, int count) {
  if (count & 8) {
    __builtin_memcpy(dst, &x, 8);
    return;
  }
  if (count & 4) {
    __builtin_memcpy(dst, &x, 4);
    dst += 4;
    x >>= 32;
  }
  if (count & 2) {
    __builtin_memcpy(dst, &x, 2);
    dst += 2;
    x >>= 16;
  }
  if (count & 1) *dst = static_cast<std::uint8_t>(x);
}

/// 8 bytes, or the first `count` of them, as integers.
[[gnu::always_inline]] inline Ints widen(const std::uint8_t* src) {
  return {_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(src)))};
}
[[gnu::always_inline]] inline Ints widen_first(const std::uint8_t* src, int count) {
  return {_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(load_small(src, count))))};
}

/// table[index % 16] per lane.
[[gnu::always_inline]] inline Floats sixteenth(const float (&table)[16], Ints index) {
  const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index.value);
  const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index.value);
  const __m256 upper = _mm256_castsi256_ps(_mm256_slli_epi32(index.value, 28));
  return {_mm256_blendv_ps(low, high, upper)};
}
/// table[index % 8] per lane.
[[gnu::always_inline]] inline Floats eighth(const float (&table)[8], Ints index) {
  return {_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index.value)};
}
/// table[index] per lane.
[[gnu::always_inline]] inline Floats lookup(const float* table, Ints index) {
  return {_mm256_i32gather_ps(table, index.value, 4)};
}

[[gnu::always_inline]] inline void broadcast(Bytes& lanes, std::uint8_t x) {
  lanes.value = _mm256_set1_epi8(static_cast<char>(x));
}
[[gnu::always_inline]] inline void load(Bytes& lanes, const std::uint8_t* src) {
  lanes.value = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(src));
}
[[gnu::always_inline]] inline void store(std::uint8_t* dst, Bytes a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst), a.value);
}
/// 1 <= count <= 32.
[[gnu::always_inline]] inline void store_first(std::uint8_t* dst, Bytes a, int count) {
  if (count == 32) {
    store(dst, a);
    return;
  }
  __m128i half = _mm256_castsi256_si128(a.value);
  if (count & 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), half);
    dst += 16;
    half = _mm256_extracti128_si256(a.value, 1);
  }
  if (count & 8) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(dst), half);
    dst += 8;
    half = _mm_srli_si128(half, 8);
  }
  store_small(dst, static_cast<std::uint64_t>(_mm_cvtsi128_si64(half)), count & 7);
}
[[gnu::always_inline]] inline void load_first(Bytes& lanes, const std::uint8_t* src, int count) {
  alignas(32) std::uint8_t copy[32] = {};
  for (int i = 0; i < count; i += 8) {
    const std::uint64_t part = load_small(src + i, count - i < 8 ? count - i : 8);
    __builtin_memcpy(copy + i, &part, 8);
  }
  load(lanes, copy);
}
[[gnu::always_inline]] inline Bytes maximum(Bytes a, Bytes b) {
  return {_mm256_max_epu8(a.value, b.value)};
}
[[gnu::always_inline]] inline Bytes minimum(Bytes a, Bytes b) {
  return {_mm256_min_epu8(a.value, b.value)};
}
[[gnu::always_inline]] inline Bytes operator^(Bytes a, Bytes b) {
  return {_mm256_xor_si256(a.value, b.value)};
}

/// Bytes x to floats 2^23 + x: 16 bytes of a lane are 4 floats of that lane in each result.
[[gnu::always_inline]] inline void widen_in_lanes(Bytes x, Floats (&to)[4]) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i exponent = _mm256_set1_epi16(0x4b00);
  const __m256i low = _mm256_unpacklo_epi8(x.value, zero);
  const __m256i high = _mm256_unpackhi_epi8(x.value, zero);
  to[0] = from_bits({_mm256_unpacklo_epi16(low, exponent)});
  to[1] = from_bits({_mm256_unpackhi_epi16(low, exponent)});
  to[2] = from_bits({_mm256_unpacklo_epi16(high, exponent)});
  to[3] = from_bits({_mm256_unpackhi_epi16(high, exponent)});
}
/// The order of bytes for which widen_in_lanes gives results of consecutive elements.
[[gnu::always_inline]] inline Bytes spread_over_lanes(Bytes x) {
  const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
  return {_mm256_permutevar8x32_epi32(x.value, order)};
}
/// Adds zero_point to the 32 integers, in the order of widen_in_lanes, and saturates them to bytes.
/// Saturating to 16 bits in between changes nothing as long as zero_point is that of a byte.
[[gnu::always_inline]] inline Bytes narrow_in_lanes(const Ints (&q)[4], std::int32_t zero_point) {
  const __m256i offset = _mm256_set1_epi16(static_cast<short>(zero_point));
  const __m256i low = _mm256_adds_epi16(_mm256_packs_epi32(q[0].value, q[1].value), offset);
  const __m256i high = _mm256_adds_epi16(_mm256_packs_epi32(q[2].value, q[3].value), offset);
  return {_mm256_packus_epi16(low, high)};
}
/// The same for consecutive integers.
[[gnu::always_inline]] inline Bytes narrow(const Ints (&q)[4], std::int32_t zero_point) {
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  return {_mm256_permutevar8x32_epi32(narrow_in_lanes(q, zero_point).value, order)};
}
/// The same for 8 integers; the other bytes are unspecified.
[[gnu::always_inline]] inline Bytes narrow(Ints q, std::int32_t zero_point) {
  const Ints repeated[4] = {q, q, q, q};
  return narrow(repeated, zero_point);
}

struct ByteTable {
  const std::uint8_t* entries;
};
[[gnu::always_inline]] inline void load(ByteTable& table, const std::uint8_t* src) {
  table.entries = src;
}
[[gnu::always_inline]] inline Bytes lookup(const ByteTable& table, Bytes index) {
  return {kernels::look_up(index.value, table.entries)};
}

// --- lanes of 16 bytes, for transposes

constexpr int lane_count = 2;

[[gnu::always_inline]] inline __m128i load_16_first(const std::uint8_t* src, int count) {
  const std::uint64_t low = load_small(src, count < 8 ? count : 8);
  const std::uint64_t high = count > 8 ? load_small(src + 8, count - 8) : 0;
  return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
}
[[gnu::always_inline]] inline void store_16_first(std::uint8_t* dst, __m128i x, int count) {
  store_small(dst, static_cast<std::uint64_t>(_mm_cvtsi128_si64(x)), count < 8 ? count : 8);
  if (count <= 8) return;
  store_small(dst + 8, static_cast<std::uint64_t>(_mm_extract_epi64(x, 1)), count - 8);
}

/// 8 integers of 16 bits, or the first `count` of them.
[[gnu::always_inline]] inline Ints widen(const std::uint16_t* src) {
  return {_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src)))};
}
[[gnu::always_inline]] inline Ints widen_first(const std::uint16_t* src, int count) {
  return {
      _mm256_cvtepu16_epi32(load_16_first(reinterpret_cast<const std::uint8_t*>(src), 2 * count))};
}
/// 8 integers between 0 and 65535, or the first `count` of them.
[[gnu::always_inline]] inline void store_first(std::uint16_t* dst, Ints a, int count) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(a.value, a.value), 0x08);
  const __m128i packed = _mm256_castsi256_si128(words);
  if (count == 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), packed);
  else
    store_16_first(reinterpret_cast<std::uint8_t*>(dst), packed, 2 * count);
}
/// The high and the low bytes of 32 words.
[[gnu::always_inline]] inline void load_split(Bytes& high, Bytes& low, const std::uint16_t* src) {
  const auto* const words = reinterpret_cast<const __m256i*>(src);
  const __m256i first = _mm256_loadu_si256(words), second = _mm256_loadu_si256(words + 1);
  const __m256i mask = _mm256_set1_epi16(255);
  const auto in_order = [](__m256i a, __m256i b) __attribute__((always_inline)) {
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8);
  };
  low.value = in_order(_mm256_and_si256(first, mask), _mm256_and_si256(second, mask));
  high.value = in_order(_mm256_srli_epi16(first, 8), _mm256_srli_epi16(second, 8));
}
/// table[index] per lane. The table is readable for 2 bytes beyond its last entry.
[[gnu::always_inline]] inline Ints lookup(const std::uint16_t* table, Ints index) {
  const __m256i pairs = _mm256_i32gather_epi32(reinterpret_cast<const int*>(table), index.value, 2);
  return {_mm256_and_si256(pairs, _mm256_set1_epi32(0xffff))};
}

/// 16 bytes from each of two places.
[[gnu::always_inline]] inline Ints load_lanes(const std::uint8_t* src, std::ptrdiff_t stride) {
  const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(src));
  const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(src + stride));
  return {_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1)};
}
/// The first `bytes` bytes from each of the first `lanes` places, zeros elsewhere.
[[gnu::always_inline]] inline Ints load_lanes_first(const std::uint8_t* src, std::ptrdiff_t stride,
                                                    int bytes, int lanes) {
  const __m128i low = lanes > 0 ? load_16_first(src, bytes) : _mm_setzero_si128();
  const __m128i high = lanes > 1 ? load_16_first(src + stride, bytes) : _mm_setzero_si128();
  return {_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1)};
}
[[gnu::always_inline]] inline void store_lanes(std::uint8_t* dst, std::ptrdiff_t stride, Ints a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), _mm256_castsi256_si128(a.value));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(dst + stride), _mm256_extracti128_si256(a.value, 1));
}
/// The first `bytes` bytes of each of the first `lanes` lanes.
[[gnu::always_inline]] inline void store_lanes_first(std::uint8_t* dst, std::ptrdiff_t stride,
                                                     Ints a, int bytes, int lanes) {
  if (lanes > 0) store_16_first(dst, _mm256_castsi256_si128(a.value), bytes);
  if (lanes > 1) store_16_first(dst + stride, _mm256_extracti128_si256(a.value, 1), bytes);
}
/// Within each lane, the bytes of the lower (upper) halves of a and b in turns.
[[gnu::always_inline]] inline Ints interleave_low(Ints a, Ints b) {
  return {_mm256_unpacklo_epi8(a.value, b.value)};
}
[[gnu::always_inline]] inline Ints interleave_high(Ints a, Ints b) {
  return {_mm256_unpackhi_epi8(a.value, b.value)};
}
/// Within each lane, integer i of w[k] changes places with integer k of w[i].
[[gnu::always_inline]] inline void transpose(Ints (&w)[4]) {
  const __m256i low01 = _mm256_unpacklo_epi32(w[0].value, w[1].value);
  const __m256i high01 = _mm256_unpackhi_epi32(w[0].value, w[1].value);
  const __m256i low23 = _mm256_unpacklo_epi32(w[2].value, w[3].value);
  const __m256i high23 = _mm256_unpackhi_epi32(w[2].value, w[3].value);
  w[0].value = _mm256_unpacklo_epi64(low01, low23);
  w[1].value = _mm256_unpackhi_epi64(low01, low23);
  w[2].value = _mm256_unpacklo_epi64(high01, high23);
  w[3].value = _mm256_unpackhi_epi64(high01, high23);
}
/// Lane l of w[k] goes to dst + (4 l + k) * stride, in this order: a lane may overwrite the end of
/// the one before it.
[[gnu::always_inline]] inline void store_lanes_ascending(std::uint8_t* dst, std::ptrdiff_t stride,
                                                         const Ints (&w)[4]) {
  const auto put = [&](int place, __m128i x) __attribute__((always_inline)) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dst + place * stride), x);
  };
  for (int k = 0; k < 4; ++k) put(k, _mm256_castsi256_si128(w[k].value));
  for (int k = 0; k < 4; ++k) put(4 + k, _mm256_extracti128_si256(w[k].value, 1));
}
/// The low three bytes of each integer, 24 in all.
[[gnu::always_inline]] inline void store_triples(std::uint8_t* dst, Ints a) {
  const __m256i within = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  const __m256i across = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7);
  const __m256i packed = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(a.value, within), across);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), _mm256_castsi256_si128(packed));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(dst + 16), _mm256_extracti128_si256(packed, 1));
}
/// The inverse: 24 bytes to integers of three bytes each.
[[gnu::always_inline]] inline Ints load_triples(const std::uint8_t* src) {
  const __m256i within = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,  //
                                          4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1);
  return {_mm256_shuffle_epi8(load_lanes(src, 8).value, within)};
}

}  // namespace
}  // namespace intact::kernels
