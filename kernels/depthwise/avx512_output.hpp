// Writing vectors of 64 accumulators in the element order of chunks.hpp: natural order again, one
// piece per output position. For files compiled for AVX-512 only.
#pragma once

#include <immintrin.h>

#include "kernels/depthwise/chunks.hpp"
#include "kernels/epilogue.hpp"

namespace intact::kernels {
namespace {

/// Where a vector of `Positions` pieces goes: pixel x of the row lies at dst[i] + x * pitch.
template <int Positions>
struct OutputRow {
  std::uint8_t* dst[Positions];  ///< null: no such position
  const std::uint8_t* residual[Positions];
  std::ptrdiff_t dst_step, residual_step;  ///< bytes from pixel to pixel
  __mmask64 channels;

  void set(int i, bool exists, const ConvArgs& args, long pixel, const Chunk& chunk) {
    const std::ptrdiff_t size = args.epilogue.output == Output::f32 ? sizeof(float) : 1;
    const Residual* r = args.epilogue.residual;
    dst_step = args.dst_pitch * size;
    residual_step = r ? r->pitch : 0;
    dst[i] = exists ? static_cast<std::uint8_t*>(args.dst) + pixel * dst_step + chunk.channel * size
                    : nullptr;
    residual[i] = r && exists ? r->data + pixel * residual_step + chunk.channel : nullptr;
    channels = chunk.channels == 64 ? ~__mmask64{0} : (__mmask64{1} << chunk.channels) - 1;
  }
};

/// Four vectors of 32-bit elements from a vector of bytes, in the element order of chunks.hpp.
__attribute__((always_inline)) inline void widen(__m512i bytes, __m512i words[4]) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i low = _mm512_unpacklo_epi8(bytes, zero), high = _mm512_unpackhi_epi8(bytes, zero);
  words[0] = _mm512_unpacklo_epi16(low, zero);
  words[1] = _mm512_unpackhi_epi16(low, zero);
  words[2] = _mm512_unpacklo_epi16(high, zero);
  words[3] = _mm512_unpackhi_epi16(high, zero);
}

/// The inverse of widen for rounded values: saturates, adds the zero point, clamps.
__attribute__((always_inline)) inline __m512i narrow(const __m512 t[4], __m512i zero_point,
                                                     __m512i lower, __m512i upper) {
  const __m512i low = _mm512_packs_epi32(_mm512_cvtps_epi32(t[0]), _mm512_cvtps_epi32(t[1]));
  const __m512i high = _mm512_packs_epi32(_mm512_cvtps_epi32(t[2]), _mm512_cvtps_epi32(t[3]));
  const __m512i q =
      _mm512_packus_epi16(_mm512_adds_epi16(low, zero_point), _mm512_adds_epi16(high, zero_point));
  return _mm512_min_epu8(_mm512_max_epu8(q, lower), upper);
}

/// A vector of bytes at pixel x of the positions that exist; zero elsewhere.
template <int Positions>
__attribute__((always_inline)) inline __m512i load_residual(const OutputRow<Positions>& row,
                                                            long x) {
  __m512i v = _mm512_setzero_si512();
  const std::ptrdiff_t offset = x * row.residual_step;
  if constexpr (Positions == 1) {
    if (row.residual[0]) v = _mm512_maskz_loadu_epi8(row.channels, row.residual[0] + offset);
  } else if constexpr (Positions == 2) {
    const auto half = [&](int i) __attribute__((always_inline)) {
      const auto mask = static_cast<__mmask32>(row.residual[i] ? row.channels : 0);
      return _mm256_maskz_loadu_epi8(mask, row.residual[i] + offset);
    };
    v = _mm512_inserti64x4(_mm512_castsi256_si512(half(0)), half(1), 1);
  } else {
    const auto lane = [&](int i) __attribute__((always_inline)) {
      const auto mask = static_cast<__mmask16>(row.residual[i] ? row.channels : 0);
      return _mm_maskz_loadu_epi8(mask, row.residual[i] + offset);
    };
    v = _mm512_inserti32x4(_mm512_castsi128_si512(lane(0)), lane(1), 1);
    v = _mm512_inserti32x4(v, lane(2), 2);
    v = _mm512_inserti32x4(v, lane(3), 3);
  }
  return v;
}

template <int Positions>
__attribute__((always_inline)) inline void store_bytes(const OutputRow<Positions>& row, long x,
                                                       __m512i v) {
  const std::ptrdiff_t offset = x * row.dst_step;
  if constexpr (Positions == 1) {
    if (row.channels == ~__mmask64{0})
      _mm512_storeu_si512(row.dst[0] + offset, v);
    else
      _mm512_mask_storeu_epi8(row.dst[0] + offset, row.channels, v);
  } else if constexpr (Positions == 2) {
    const __m256i halves[2] = {_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1)};
    for (int i = 0; i < 2; ++i)
      if (row.dst[i])
        _mm256_mask_storeu_epi8(row.dst[i] + offset, static_cast<__mmask32>(row.channels),
                                halves[i]);
  } else {
    const __m128i lanes[4] = {_mm512_castsi512_si128(v), _mm512_extracti32x4_epi32(v, 1),
                              _mm512_extracti32x4_epi32(v, 2), _mm512_extracti32x4_epi32(v, 3)};
    for (int i = 0; i < 4; ++i)
      if (row.dst[i])
        _mm_mask_storeu_epi8(row.dst[i] + offset, static_cast<__mmask16>(row.channels), lanes[i]);
  }
}

/// Four vectors of floats in element order: 16 consecutive channels to a store.
template <int Positions>
void store_floats(const OutputRow<Positions>& row, long x, const __m512 t[4]) {
  const __m512 a = _mm512_shuffle_f32x4(t[0], t[1], 0x44),
               b = _mm512_shuffle_f32x4(t[2], t[3], 0x44);
  const __m512 c = _mm512_shuffle_f32x4(t[0], t[1], 0xee),
               d = _mm512_shuffle_f32x4(t[2], t[3], 0xee);
  const __m512 natural[4] = {_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd),
                             _mm512_shuffle_f32x4(c, d, 0x88), _mm512_shuffle_f32x4(c, d, 0xdd)};
  constexpr int kPieces = 4 / Positions;
  for (int lane = 0; lane < 4; ++lane) {
    const int i = lane / kPieces, piece = lane % kPieces;
    if (!row.dst[i]) continue;
    float* dst = reinterpret_cast<float*>(row.dst[i] + x * row.dst_step) + 16 * piece;
    _mm512_mask_storeu_ps(dst, static_cast<__mmask16>(row.channels >> (16 * piece)), natural[lane]);
  }
}

/// The epilogue (kernels/epilogue.hpp) of 64 accumulators.
class VectorEpilogue {
 public:
  explicit VectorEpilogue(const Epilogue& epilogue) : epilogue_(epilogue) {
    zero_point_ = _mm512_set1_epi16(static_cast<short>(epilogue.zero_point));
    lower_ = _mm512_set1_epi8(static_cast<char>(epilogue.lower));
    upper_ = _mm512_set1_epi8(static_cast<char>(epilogue.upper));
    if (epilogue.table)
      for (int i = 0; i < 4; ++i) table_[i] = _mm512_loadu_si512(epilogue.table + 64 * i);
  }

  template <int Positions>
  __attribute__((always_inline)) void store(const __m512i acc[4], const ChunkConstants& constants,
                                            const OutputRow<Positions>& row, long x) const {
    if (Positions == 1 && !row.dst[0]) return;
    __m512 t[4];
    for (int j = 0; j < 4; ++j) {
      const __m512 multiplier = _mm512_load_ps(constants.multiplier + 16 * j);
      const __m512 value = _mm512_cvtepi32_ps(acc[j]);
      t[j] = _mm512_fmadd_ps(value, multiplier, _mm512_load_ps(constants.float_bias + 16 * j));
    }
    if (epilogue_.output == Output::f32) {
      for (int j = 0; j < 4; ++j)
        t[j] = _mm512_min_ps(_mm512_max_ps(t[j], _mm512_set1_ps(epilogue_.float_lower)),
                             _mm512_set1_ps(epilogue_.float_upper));
      store_floats(row, x, t);
    } else if (epilogue_.residual) {
      store_bytes(row, x, add_residual(t, load_residual(row, x)));
    } else {
      store_bytes(row, x, requantize(t));
    }
  }

 private:
  __attribute__((always_inline)) __m512i requantize(const __m512 t[4]) const {
    const __m512i q = narrow(t, zero_point_, lower_, upper_);
    if (!epilogue_.table) return q;
    const __m512i low = _mm512_permutex2var_epi8(table_[0], q, table_[1]);
    const __m512i high = _mm512_permutex2var_epi8(table_[2], q, table_[3]);
    return _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(q), high);
  }

  __attribute__((noinline)) __m512i add_residual(const __m512* product, __m512i bytes) const {
    const Residual& residual = *epilogue_.residual;
    __m512 t[4];
    for (int j = 0; j < 4; ++j) t[j] = product[j];
    if (residual.rounded) {
      __m512i q[4];
      widen(requantize(t), q);
      for (int j = 0; j < 4; ++j)
        t[j] = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(
                                 q[j], _mm512_set1_epi32(residual.inner_zero_point))),
                             _mm512_set1_ps(residual.inner_multiplier));
    }
    __m512i r[4];
    widen(bytes, r);
    for (int j = 0; j < 4; ++j)
      t[j] = _mm512_fmadd_ps(
          _mm512_cvtepi32_ps(_mm512_sub_epi32(r[j], _mm512_set1_epi32(residual.zero_point))),
          _mm512_set1_ps(residual.multiplier), t[j]);
    return narrow(t, _mm512_set1_epi16(static_cast<short>(residual.dst_zero_point)),
                  _mm512_set1_epi8(static_cast<char>(residual.dst_lower)),
                  _mm512_set1_epi8(static_cast<char>(residual.dst_upper)));
  }

  Epilogue epilogue_;
  __m512i zero_point_, lower_, upper_, table_[4];
};

}  // namespace
}  // namespace intact::kernels
