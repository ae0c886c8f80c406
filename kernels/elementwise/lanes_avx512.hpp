// Vector types of the element-wise code, 16 floats wide. The same names and meanings as in
// lanes_avx2.hpp and lanes_scalar.hpp, so that one text computes the same bits on all of them.
// Included only by files compiled for AVX-512; everything is internal to the including file.
// (No library of vector types here: their templates leave weak symbols in objects compiled for one
// ISA.)
#pragma once

// GCC 12 takes the deliberately undefined operands inside its AVX-512 intrinsics for mistakes.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace intact::kernels {
namespace {

struct Mask {
  __mmask16 value;
};

/// 16 integers of 32 bits.
struct Ints {
  __m512i value;
};

/// 16 floats.
struct Floats {
  static constexpr int size = 16;
  __m512 value;
};

/// 64 bytes; the first 16 alone are used where a remainder is processed.
struct Bytes {
  static constexpr int size = 64;
  __m512i value;
};

[[gnu::always_inline]] inline __mmask16 first_lanes(int count) {
  return static_cast<__mmask16>((1u << count) - 1);
}

[[gnu::always_inline]] inline Floats operator+(Floats a, Floats b) {
  return {_mm512_add_ps(a.value, b.value)};
}
[[gnu::always_inline]] inline Floats operator-(Floats a, Floats b) {
  return {_mm512_sub_ps(a.value, b.value)};
}
[[gnu::always_inline]] inline Floats operator*(Floats a, Floats b) {
  return {_mm512_mul_ps(a.value, b.value)};
}
[[gnu::always_inline]] inline Floats operator/(Floats a, Floats b) {
  return {_mm512_div_ps(a.value, b.value)};
}
[[gnu::always_inline]] inline Floats square_root(Floats a) {
  return {_mm512_sqrt_ps(a.value)};
}
[[gnu::always_inline]] inline Floats fma(Floats a, Floats b, Floats c) {
  return {_mm512_fmadd_ps(a.value, b.value, c.value)};
}
/// a > b ? a : b, hence b where either is NaN.
[[gnu::always_inline]] inline Floats maximum(Floats a, Floats b) {
  return {_mm512_max_ps(a.value, b.value)};
}
/// a < b ? a : b, hence b where either is NaN.
[[gnu::always_inline]] inline Floats minimum(Floats a, Floats b) {
  return {_mm512_min_ps(a.value, b.value)};
}
[[gnu::always_inline]] inline Mask less(Floats a, Floats b) {
  return {_mm512_cmp_ps_mask(a.value, b.value, _CMP_LT_OQ)};
}
[[gnu::always_inline]] inline Mask is_nan(Floats a) {
  return {_mm512_cmp_ps_mask(a.value, a.value, _CMP_UNORD_Q)};
}
[[gnu::always_inline]] inline Mask both(Mask a, Mask b) {
  return {static_cast<__mmask16>(a.value & b.value)};
}
[[gnu::always_inline]] inline bool all(Mask mask) {
  return mask.value == 0xffff;
}
[[gnu::always_inline]] inline bool any(Mask mask) {
  return mask.value != 0;
}
[[gnu::always_inline]] inline Floats select(Mask mask, Floats yes, Floats no) {
  return {_mm512_mask_blend_ps(mask.value, no.value, yes.value)};
}

/// Brings lane i + distance to lane i, for i < distance.
template <int distance>
[[gnu::always_inline]] inline Floats from_above(Floats a) {
  if constexpr (distance == 8) return {_mm512_shuffle_f32x4(a.value, a.value, 0x4e)};
  if constexpr (distance == 4) return {_mm512_shuffle_f32x4(a.value, a.value, 0xb1)};
  if constexpr (distance == 2) return {_mm512_permute_ps(a.value, 0x4e)};
  if constexpr (distance == 1) return {_mm512_permute_ps(a.value, 0xb1)};
}
[[gnu::always_inline]] inline float first(Floats a) {
  return _mm512_cvtss_f32(a.value);
}

[[gnu::always_inline]] inline Ints bits(Floats a) {
  return {_mm512_castps_si512(a.value)};
}
[[gnu::always_inline]] inline Floats from_bits(Ints a) {
  return {_mm512_castsi512_ps(a.value)};
}
[[gnu::always_inline]] inline Ints operator+(Ints a, Ints b) {
  return {_mm512_add_epi32(a.value, b.value)};
}
[[gnu::always_inline]] inline Ints operator-(Ints a, Ints b) {
  return {_mm512_sub_epi32(a.value, b.value)};
}
[[gnu::always_inline]] inline Ints operator&(Ints a, Ints b) {
  return {_mm512_and_si512(a.value, b.value)};
}
[[gnu::always_inline]] inline Ints operator^(Ints a, Ints b) {
  return {_mm512_xor_si512(a.value, b.value)};
}
[[gnu::always_inline]] inline Ints operator|(Ints a, Ints b) {
  return {_mm512_or_si512(a.value, b.value)};
}
template <int count>
[[gnu::always_inline]] inline Ints shift_left(Ints a) {
  return {_mm512_slli_epi32(a.value, count)};
}
/// Arithmetic shift.
template <int count>
[[gnu::always_inline]] inline Ints shift_right(Ints a) {
  return {_mm512_srai_epi32(a.value, count)};
}
[[gnu::always_inline]] inline Floats to_floats(Ints a) {
  return {_mm512_cvtepi32_ps(a.value)};
}
/// Rounds half to even; what does not fit becomes -2^31.
[[gnu::always_inline]] inline Ints round(Floats a) {
  return {_mm512_cvtps_epi32(a.value)};
}

[[gnu::always_inline]] inline void broadcast(Floats& lanes, float x) {
  lanes.value = _mm512_set1_ps(x);
}
[[gnu::always_inline]] inline void broadcast(Ints& lanes, std::int32_t x) {
  lanes.value = _mm512_set1_epi32(x);
}
[[gnu::always_inline]] inline void load(Floats& lanes, const float* src) {
  lanes.value = _mm512_loadu_ps(src);
}
[[gnu::always_inline]] inline void load_first(Floats& lanes, const float* src, int count) {
  lanes.value = _mm512_maskz_loadu_ps(first_lanes(count), src);
}
[[gnu::always_inline]] inline void store(float* dst, Floats a) {
  _mm512_storeu_ps(dst, a.value);
}
[[gnu::always_inline]] inline void store_first(float* dst, Floats a, int count) {
  _mm512_mask_storeu_ps(dst, first_lanes(count), a.value);
}

/// 16 bytes, or the first `count` of them, as integers.
[[gnu::always_inline]] inline Ints widen(const std::uint8_t* src) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src)))};
}
[[gnu::always_inline]] inline Ints widen_first(const std::uint8_t* src, int count) {
  return {_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_lanes(count), src))};
}

/// table[index % 16] per lane.
[[gnu::always_inline]] inline Floats sixteenth(const float (&table)[16], Ints index) {
  return {_mm512_permutexvar_ps(index.value, _mm512_loadu_ps(table))};
}
/// table[index % 8] per lane.
[[gnu::always_inline]] inline Floats eighth(const float (&table)[8], Ints index) {
  const __m512 both = _mm512_broadcast_f32x8(_mm256_loadu_ps(table));
  return {_mm512_permutexvar_ps(index.value, both)};
}
/// table[index] per lane.
[[gnu::always_inline]] inline Floats lookup(const float* table, Ints index) {
  return {_mm512_i32gather_ps(index.value, table, 4)};
}

[[gnu::always_inline]] inline void broadcast(Bytes& lanes, std::uint8_t x) {
  lanes.value = _mm512_set1_epi8(static_cast<char>(x));
}
[[gnu::always_inline]] inline void load(Bytes& lanes, const std::uint8_t* src) {
  lanes.value = _mm512_loadu_si512(src);
}
[[gnu::always_inline]] inline void load_first(Bytes& lanes, const std::uint8_t* src, int count) {
  lanes.value = _mm512_maskz_loadu_epi8(~0ull >> (64 - count), src);
}
[[gnu::always_inline]] inline void store(std::uint8_t* dst, Bytes a) {
  _mm512_storeu_si512(dst, a.value);
}
/// 1 <= count <= 64.
[[gnu::always_inline]] inline void store_first(std::uint8_t* dst, Bytes a, int count) {
  _mm512_mask_storeu_epi8(dst, ~0ull >> (64 - count), a.value);
}
[[gnu::always_inline]] inline Bytes maximum(Bytes a, Bytes b) {
  return {_mm512_max_epu8(a.value, b.value)};
}
[[gnu::always_inline]] inline Bytes minimum(Bytes a, Bytes b) {
  return {_mm512_min_epu8(a.value, b.value)};
}
[[gnu::always_inline]] inline Bytes operator^(Bytes a, Bytes b) {
  return {_mm512_xor_si512(a.value, b.value)};
}

/// Bytes x to floats 2^23 + x: 16 bytes of a lane are 4 floats of that lane in each result.
[[gnu::always_inline]] inline void widen_in_lanes(Bytes x, Floats (&to)[4]) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i exponent = _mm512_set1_epi16(0x4b00);
  const __m512i low = _mm512_unpacklo_epi8(x.value, zero);
  const __m512i high = _mm512_unpackhi_epi8(x.value, zero);
  to[0] = from_bits({_mm512_unpacklo_epi16(low, exponent)});
  to[1] = from_bits({_mm512_unpackhi_epi16(low, exponent)});
  to[2] = from_bits({_mm512_unpacklo_epi16(high, exponent)});
  to[3] = from_bits({_mm512_unpackhi_epi16(high, exponent)});
}
/// The order of bytes for which widen_in_lanes gives results of consecutive elements.
[[gnu::always_inline]] inline Bytes spread_over_lanes(Bytes x) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return {_mm512_permutexvar_epi32(order, x.value)};
}
/// Adds zero_point to the 64 integers, in the order of widen_in_lanes, and saturates them to bytes.
/// Saturating to 16 bits in between changes nothing as long as zero_point is that of a byte.
[[gnu::always_inline]] inline Bytes narrow_in_lanes(const Ints (&q)[4], std::int32_t zero_point) {
  const __m512i offset = _mm512_set1_epi16(static_cast<short>(zero_point));
  const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(q[0].value, q[1].value), offset);
  const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(q[2].value, q[3].value), offset);
  return {_mm512_packus_epi16(low, high)};
}
/// The same for consecutive integers.
[[gnu::always_inline]] inline Bytes narrow(const Ints (&q)[4], std::int32_t zero_point) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return {_mm512_permutexvar_epi32(order, narrow_in_lanes(q, zero_point).value)};
}
/// The same for 16 integers; the other bytes are unspecified.
[[gnu::always_inline]] inline Bytes narrow(Ints q, std::int32_t zero_point) {
  const __m512i sum = _mm512_add_epi32(_mm512_max_epi32(q.value, _mm512_set1_epi32(-(1 << 24))),
                                       _mm512_set1_epi32(zero_point));
  const __m512i positive = _mm512_max_epi32(sum, _mm512_setzero_si512());
  return {_mm512_castsi128_si512(_mm512_cvtusepi32_epi8(positive))};
}

/// A table of 256 bytes in registers.
struct ByteTable {
  __m512i quarter[4];
};
[[gnu::always_inline]] inline void load(ByteTable& table, const std::uint8_t* src) {
  for (int i = 0; i < 4; ++i) table.quarter[i] = _mm512_loadu_si512(src + 64 * i);
}
[[gnu::always_inline]] inline Bytes lookup(const ByteTable& table, Bytes index) {
  const __m512i low = _mm512_permutex2var_epi8(table.quarter[0], index.value, table.quarter[1]);
  const __m512i high = _mm512_permutex2var_epi8(table.quarter[2], index.value, table.quarter[3]);
  return {_mm512_mask_blend_epi8(_mm512_movepi8_mask(index.value), low, high)};
}

// --- lanes of 16 bytes, for transposes

constexpr int lane_count = 4;

/// 16 integers of 16 bits, or the first `count` of them.
[[gnu::always_inline]] inline Ints widen(const std::uint16_t* src) {
  return {_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(src)))};
}
[[gnu::always_inline]] inline Ints widen_first(const std::uint16_t* src, int count) {
  return {_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_lanes(count), src))};
}
/// 16 integers between 0 and 65535, or the first `count` of them.
[[gnu::always_inline]] inline void store_first(std::uint16_t* dst, Ints a, int count) {
  _mm512_mask_cvtepi32_storeu_epi16(dst, first_lanes(count), a.value);
}
/// The high and the low bytes of 64 words.
[[gnu::always_inline]] inline void load_split(Bytes& high, Bytes& low, const std::uint16_t* src) {
  const __m512i first = _mm512_loadu_si512(src), second = _mm512_loadu_si512(src + 32);
  const auto together = [](__m512i a, __m512i b) __attribute__((always_inline)) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi16_epi8(a)),
                              _mm512_cvtepi16_epi8(b), 1);
  };
  low.value = together(first, second);
  high.value = together(_mm512_srli_epi16(first, 8), _mm512_srli_epi16(second, 8));
}
/// table[index] per lane. The table is readable for 2 bytes beyond its last entry.
[[gnu::always_inline]] inline Ints lookup(const std::uint16_t* table, Ints index) {
  return {
      _mm512_and_si512(_mm512_i32gather_epi32(index.value, table, 2), _mm512_set1_epi32(0xffff))};
}

/// 16 bytes from each of four places.
[[gnu::always_inline]] inline Ints load_lanes(const std::uint8_t* src, std::ptrdiff_t stride) {
  const auto at = [&](int lane) __attribute__((always_inline)) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(src + lane * stride));
  };
  __m512i result = _mm512_castsi128_si512(at(0));
  result = _mm512_inserti32x4(result, at(1), 1);
  result = _mm512_inserti32x4(result, at(2), 2);
  return {_mm512_inserti32x4(result, at(3), 3)};
}
/// The first `bytes` bytes from each of the first `lanes` places, zeros elsewhere.
[[gnu::always_inline]] inline Ints load_lanes_first(const std::uint8_t* src, std::ptrdiff_t stride,
                                                    int bytes, int lanes) {
  const auto at = [&](int lane) __attribute__((always_inline)) {
    return _mm_maskz_loadu_epi8(lane < lanes ? first_lanes(bytes) : 0, src + lane * stride);
  };
  __m512i result = _mm512_castsi128_si512(at(0));
  result = _mm512_inserti32x4(result, at(1), 1);
  result = _mm512_inserti32x4(result, at(2), 2);
  return {_mm512_inserti32x4(result, at(3), 3)};
}
[[gnu::always_inline]] inline void store_lanes(std::uint8_t* dst, std::ptrdiff_t stride, Ints a) {
  const auto put = [&](int lane, __m128i x) __attribute__((always_inline)) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dst + lane * stride), x);
  };
  put(0, _mm512_castsi512_si128(a.value));
  put(1, _mm512_extracti32x4_epi32(a.value, 1));
  put(2, _mm512_extracti32x4_epi32(a.value, 2));
  put(3, _mm512_extracti32x4_epi32(a.value, 3));
}
/// The first `bytes` bytes of each of the first `lanes` lanes.
[[gnu::always_inline]] inline void store_lanes_first(std::uint8_t* dst, std::ptrdiff_t stride,
                                                     Ints a, int bytes, int lanes) {
  const auto put = [&](int lane, __m128i x) __attribute__((always_inline)) {
    _mm_mask_storeu_epi8(dst + lane * stride, lane < lanes ? first_lanes(bytes) : 0, x);
  };
  put(0, _mm512_castsi512_si128(a.value));
  put(1, _mm512_extracti32x4_epi32(a.value, 1));
  put(2, _mm512_extracti32x4_epi32(a.value, 2));
  put(3, _mm512_extracti32x4_epi32(a.value, 3));
}
/// Within each lane, the bytes of the lower (upper) halves of a and b in turns.
[[gnu::always_inline]] inline Ints interleave_low(Ints a, Ints b) {
  return {_mm512_unpacklo_epi8(a.value, b.value)};
}
[[gnu::always_inline]] inline Ints interleave_high(Ints a, Ints b) {
  return {_mm512_unpackhi_epi8(a.value, b.value)};
}
/// Within each lane, integer i of w[k] changes places with integer k of w[i].
[[gnu::always_inline]] inline void transpose(Ints (&w)[4]) {
  const __m512i low01 = _mm512_unpacklo_epi32(w[0].value, w[1].value);
  const __m512i high01 = _mm512_unpackhi_epi32(w[0].value, w[1].value);
  const __m512i low23 = _mm512_unpacklo_epi32(w[2].value, w[3].value);
  const __m512i high23 = _mm512_unpackhi_epi32(w[2].value, w[3].value);
  w[0].value = _mm512_unpacklo_epi64(low01, low23);
  w[1].value = _mm512_unpackhi_epi64(low01, low23);
  w[2].value = _mm512_unpacklo_epi64(high01, high23);
  w[3].value = _mm512_unpackhi_epi64(high01, high23);
}
/// Lane l of w[k] goes to dst + (4 l + k) * stride, in this order: a lane may overwrite the end of
/// the one before it.
[[gnu::always_inline]] inline void store_lanes_ascending(std::uint8_t* dst, std::ptrdiff_t stride,
                                                         const Ints (&w)[4]) {
  const auto put = [&](int place, __m128i x) __attribute__((always_inline)) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dst + place * stride), x);
  };
  for (int k = 0; k < 4; ++k) put(k, _mm512_castsi512_si128(w[k].value));
  for (int k = 0; k < 4; ++k) put(4 + k, _mm512_extracti32x4_epi32(w[k].value, 1));
  for (int k = 0; k < 4; ++k) put(8 + k, _mm512_extracti32x4_epi32(w[k].value, 2));
  for (int k = 0; k < 4; ++k) put(12 + k, _mm512_extracti32x4_epi32(w[k].value, 3));
}
/// The low three bytes of each integer, 48 in all.
[[gnu::always_inline]] inline void store_triples(std::uint8_t* dst, Ints a) {
  const __m512i within =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  const __m512i across = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 15, 15, 15);
  const __m512i packed = _mm512_permutexvar_epi32(across, _mm512_shuffle_epi8(a.value, within));
  _mm512_mask_storeu_epi32(dst, 0xfff, packed);
}
/// The inverse: 48 bytes to integers of three bytes each.
[[gnu::always_inline]] inline Ints load_triples(const std::uint8_t* src) {
  const __m512i within =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
  const __m512i across = _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
  const __m512i packed = _mm512_maskz_loadu_epi32(0xfff, src);
  return {_mm512_shuffle_epi8(_mm512_permutexvar_epi32(across, packed), within)};
}

}  // namespace
}  // namespace intact::kernels
