// Loading and interleaving of image rows for vpdpbusd. For files compiled for AVX-512 only.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/conv/conv.hpp"

namespace intact::kernels {
namespace {

/// A vector of `Positions` pieces of 64 / Positions bytes, one from each pointer.
template <int Positions>
__attribute__((always_inline)) inline __m512i load_positions(const std::uint8_t* const* p) {
  if constexpr (Positions == 1) {
    return _mm512_loadu_si512(p[0]);
  } else if constexpr (Positions == 2) {
    const auto half = [&](int i) __attribute__((always_inline)) {
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p[i]));
    };
    return _mm512_inserti64x4(_mm512_castsi256_si512(half(0)), half(1), 1);
  } else {
    const auto lane = [&](int i) __attribute__((always_inline)) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p[i]));
    };
    __m512i v = _mm512_inserti32x4(_mm512_castsi128_si512(lane(0)), lane(1), 1);
    v = _mm512_inserti32x4(v, lane(2), 2);
    return _mm512_inserti32x4(v, lane(3), 3);
  }
}

/// Byte r of each 32-bit element of the result is from vector r; elements in the order of
/// chunks.hpp.
struct Interleaved {
  __m512i v[4];
};

__attribute__((always_inline)) inline Interleaved interleave(__m512i r0, __m512i r1, __m512i r2,
                                                             __m512i r3) {
  const __m512i low01 = _mm512_unpacklo_epi8(r0, r1), high01 = _mm512_unpackhi_epi8(r0, r1);
  const __m512i low23 = _mm512_unpacklo_epi8(r2, r3), high23 = _mm512_unpackhi_epi8(r2, r3);
  return {{_mm512_unpacklo_epi16(low01, low23), _mm512_unpackhi_epi16(low01, low23),
           _mm512_unpacklo_epi16(high01, high23), _mm512_unpackhi_epi16(high01, high23)}};
}

/// The image rows under one vector of output: `Positions` windows, each of `Rows` rows.
template <int Rows, int Positions>
struct ImageRows {
  const std::uint8_t* next[Rows][Positions];
  std::ptrdiff_t step[Rows][Positions];
  long column, columns;
  __m512i padding;

  __attribute__((always_inline)) __m512i load_row(int row) {
    const __m512i v = load_positions<Positions>(next[row]);
    for (int i = 0; i < Positions; ++i) next[row][i] += step[row][i];
    return v;
  }

  /// Places position i: its first row is row `h` of plane `plane`, to be read from `column` on.
  /// Rows outside the image read `zero_points`, 64 bytes of the source's zero point.
  void place(int i, const ConvShape& shape, const ConvArgs& args, long channel,
             const std::uint8_t* zero_points, long plane, long h) {
    for (int row = 0; row < Rows; ++row) {
      const bool inside =
          plane < shape.batch * shape.out[0] && h + row >= 0 && h + row < shape.in[1];
      const long first = (plane * shape.in[1] + h + row) * shape.in[2] + (column > 0 ? column : 0);
      next[row][i] = inside ? args.src + first * args.src_pitch + channel : zero_points;
      step[row][i] = inside ? args.src_pitch : 0;
    }
  }

  /// The next column to the right.
  __attribute__((always_inline)) Interleaved load() {
    if (column < 0 || column >= columns) {
      ++column;
      return {{padding, padding, padding, padding}};
    }
    ++column;
    const __m512i r0 = load_row(0), r1 = load_row(1), r2 = load_row(2);
    if constexpr (Rows == 4)
      return interleave(r0, r1, r2, load_row(3));
    else
      return interleave(r0, r1, r2, _mm512_setzero_si512());
  }
};

}  // namespace
}  // namespace intact::kernels
