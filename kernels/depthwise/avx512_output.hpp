// The epilogue of 64 accumulators in the element order of chunks.hpp: arithmetic of
// kernels/epilogue_avx512.hpp, one piece of the vector written per output position. For files
// compiled for AVX-512 only.
#pragma once

#include <immintrin.h>

#include "kernels/depthwise/chunks.hpp"
#include "kernels/epilogue_avx512.hpp"

namespace intact::kernels {
namespace {

/// Where a vector of `Positions` pieces goes: pixel x of the row lies at dst[i] + x * pitch.
template <int Positions>
struct OutputRow {
  std::uint8_t* dst[Positions];
  bool exists[Positions];  ///< else nothing is read or written there
  const std::uint8_t* residual[Positions];
  std::ptrdiff_t dst_step, residual_step;  ///< bytes from pixel to pixel
  __mmask64 channels;

  /// All positions exist, with all channels of their pieces.
  bool whole() const {
    for (const bool here : exists)
      if (!here) return false;
    return channels == (~__mmask64{0} >> (64 - 64 / Positions));
  }

  bool any() const {
    for (const bool here : exists)
      if (here) return true;
    return false;
  }

  void set(int i, bool here, const ConvArgs& args, long pixel, const Chunk& chunk) {
    const std::ptrdiff_t size = output_bytes(args.epilogue.output);
    const Residual* r = args.epilogue.residual;
    dst_step = args.dst_pitch * size;
    residual_step = r ? r->pitch : 0;
    exists[i] = here;
    dst[i] = here ? static_cast<std::uint8_t*>(args.dst) + pixel * dst_step + chunk.channel * size
                  : nullptr;
    residual[i] = r && here ? r->data + pixel * residual_step + chunk.channel : nullptr;
    channels = chunk.channels == 64 ? ~__mmask64{0} : (__mmask64{1} << chunk.channels) - 1;
  }
};

/// A vector of bytes at pixel x of the positions that exist; zero elsewhere.
template <int Positions>
__attribute__((always_inline)) inline __m512i load_positions_residual(
    const OutputRow<Positions>& row, long x) {
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
__attribute__((always_inline)) inline void store_positions(const OutputRow<Positions>& row, long x,
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
      if (row.exists[i])
        _mm256_mask_storeu_epi8(row.dst[i] + offset, static_cast<__mmask32>(row.channels),
                                halves[i]);
  } else {
    const __m128i lanes[4] = {_mm512_castsi512_si128(v), _mm512_extracti32x4_epi32(v, 1),
                              _mm512_extracti32x4_epi32(v, 2), _mm512_extracti32x4_epi32(v, 3)};
    for (int i = 0; i < 4; ++i)
      if (row.exists[i])
        _mm_mask_storeu_epi8(row.dst[i] + offset, static_cast<__mmask16>(row.channels), lanes[i]);
  }
}

/// The same where the row is whole.
template <int Positions>
__attribute__((always_inline)) inline void store_whole(const OutputRow<Positions>& row, long x,
                                                       __m512i v) {
  const std::ptrdiff_t offset = x * row.dst_step;
  if constexpr (Positions == 1) {
    _mm512_storeu_si512(row.dst[0] + offset, v);
  } else if constexpr (Positions == 2) {
    const auto half = [&](int i, __m256i bytes) __attribute__((always_inline)) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(row.dst[i] + offset), bytes);
    };
    half(0, _mm512_castsi512_si256(v));
    half(1, _mm512_extracti64x4_epi64(v, 1));
  } else {
    const auto lane = [&](int i, __m128i bytes) __attribute__((always_inline)) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(row.dst[i] + offset), bytes);
    };
    lane(0, _mm512_castsi512_si128(v));
    lane(1, _mm512_extracti32x4_epi32(v, 1));
    lane(2, _mm512_extracti32x4_epi32(v, 2));
    lane(3, _mm512_extracti32x4_epi32(v, 3));
  }
}

/// Four vectors of floats in element order: 16 consecutive channels to a store. Overwrites `t`.
template <int Positions>
void store_position_floats(const OutputRow<Positions>& row, long x, __m512 (&t)[4]) {
  transpose_lanes(t);
  constexpr int kPieces = 4 / Positions;
  for (int lane = 0; lane < 4; ++lane) {
    const int i = lane / kPieces, piece = lane % kPieces;
    if (!row.exists[i]) continue;
    float* dst = reinterpret_cast<float*>(row.dst[i] + x * row.dst_step) + 16 * piece;
    _mm512_mask_storeu_ps(dst, static_cast<__mmask16>(row.channels >> (16 * piece)), t[lane]);
  }
}

struct RowEpilogue {
  EpilogueVectors vectors;
  EpilogueForm form;
};

[[maybe_unused]] RowEpilogue load_row_epilogue(const Epilogue& epilogue) {
  return {load_epilogue(epilogue), form_of(epilogue)};
}

/// The products in units of the destination's scale: vector j. `plain` as in is_plain.
template <bool plain>
[[gnu::always_inline]] inline __m512 scale_accumulators(__m512i accumulator,
                                                        const ChunkConstants& constants, int j,
                                                        const RowEpilogue& epilogue) {
  return real_product(accumulator, _mm512_load_ps(constants.multiplier + 16 * j),
                      _mm512_load_ps(constants.float_bias + 16 * j),
                      !plain && epilogue.vectors.bias_apart);
}

/// The range of the positions that exist. Channels beyond the last are products of zeros: clamped,
/// they lie within the range, too.
template <int Positions>
void extend_range(RangeVectors& range, const OutputRow<Positions>& row, const __m512 (&t)[4]) {
  constexpr int kLanes = 4 / Positions;  // of a position, 4 elements each
  __mmask16 mask = 0;
  for (int i = 0; i < Positions; ++i)
    if (row.exists[i])
      mask |= static_cast<__mmask16>(((1u << (4 * kLanes)) - 1) << (4 * kLanes * i));
  for (int j = 0; j < 4; ++j) range.extend(_mm512_maskz_mov_ps(mask, t[j]));
}

/// Writes bytes, table or not: the form that is compiled into every loop.
[[maybe_unused]] bool is_plain(const Epilogue& epilogue) {
  return epilogue.output == Output::u8 && epilogue.residual == nullptr;
}

/// All other forms: out of line, because they are rare behind a depthwise convolution.
template <int Positions>
[[gnu::noinline]] void finish_rare(__m512 (&t)[4], const RowEpilogue& epilogue,
                                   const OutputRow<Positions>& row, long x) {
  const EpilogueVectors& e = epilogue.vectors;
  if (epilogue.form == EpilogueForm::floats || epilogue.form == EpilogueForm::range) {
    for (int j = 0; j < 4; ++j) t[j] = clamp_reals(t[j], e);
    extend_range(e.range, row, t);
    if (epilogue.form == EpilogueForm::floats) store_position_floats(row, x, t);
    return;
  }
  if (epilogue.form == EpilogueForm::quotient) {
    for (int j = 0; j < 4; ++j) t[j] = quotient(clamp_reals(t[j], e), e);
    store_positions(row, x, round_to_bytes(t, e.grid));
    return;
  }
  if (e.inner_rounding) {
    __m512i q = round_to_bytes(t, e.grid);
    if (e.table != nullptr) q = look_up(q, e.table);
    inner_bytes(t, q, e);
  }
  store_positions(row, x,
                  add_residual(t, to_element_order<64>(load_positions_residual(row, x)), e));
}

/// Finishes and writes pixel x of the row. Overwrites `t`.
template <bool plain, int Positions>
[[gnu::always_inline]] inline void finish_positions(__m512 (&t)[4], const RowEpilogue& epilogue,
                                                    const OutputRow<Positions>& row, long x) {
  if (Positions == 1 && !row.exists[0]) return;
  if constexpr (plain) {
    const EpilogueVectors& e = epilogue.vectors;
    __m512i q = round_to_bytes(t, e.grid);
    if (e.table != nullptr) q = look_up(q, e.table);
    store_positions(row, x, q);
  } else {
    finish_rare(t, epilogue, row, x);
  }
}

/// Only the range of some pixels of a row, from sums in memory.
template <int Positions>
[[gnu::noinline]] void find_row_range(const __m512i (*sums)[4], int count,
                                      const ChunkConstants& constants, const EpilogueVectors& e,
                                      const OutputRow<Positions>& row) {
  __m512 low[4], high[4];
  for (int j = 0; j < 4; ++j) {
    SumRange range;
    for (int i = 0; i < count; ++i) range.extend(sums[i][j]);
    const __m512 multiplier = _mm512_load_ps(constants.multiplier + 16 * j);
    const __m512 bias = _mm512_load_ps(constants.float_bias + 16 * j);
    low[j] = range_value(range.low, multiplier, bias, e);
    high[j] = range_value(range.high, multiplier, bias, e);
  }
  extend_range(e.range, row, low);
  extend_range(e.range, row, high);
}

/// Bytes on a grid known at run time only, for whole rows.
template <int Positions>
[[gnu::noinline]] void finish_quotients(const __m512i (*sums)[4], int count,
                                        const ChunkConstants& constants, const EpilogueVectors& e,
                                        const OutputRow<Positions>& to, long x) {
  const OutputRow<Positions> row = to;
  const EpilogueVectors vectors = e;
  const ChannelVectors<64> channels = load_channels<64>(constants.multiplier, constants.float_bias);
  for (int i = 0; i < count; ++i) {
    __m512 t[4];
    unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
      t[j] =
          quotient(range_value(sums[i][j], channels.multiplier[j], channels.float_bias[j], vectors),
                   vectors);
    });
    store_whole(row, x + i, round_to_bytes(t, vectors.grid));
  }
}

/// Pixels x .. x + count - 1 of a row, from sums in memory.
template <bool plain, int Positions>
[[gnu::always_inline]] inline void finish_row(const __m512i (*sums)[4], int count,
                                              const ChunkConstants& constants,
                                              const RowEpilogue& epilogue,
                                              const OutputRow<Positions>& to, long x) {
  if (Positions == 1 && !to.exists[0]) return;
  if (!plain && epilogue.form == EpilogueForm::range)
    return find_row_range(sums, count, constants, epilogue.vectors, to);
  if (!plain && epilogue.form == EpilogueForm::quotient && to.whole())
    return finish_quotients(sums, count, constants, epilogue.vectors, to, x);
  const OutputRow<Positions> row = to;
  const ChannelVectors<64> channels = load_channels<64>(constants.multiplier, constants.float_bias);
  const auto real = [&](int i, __m512(&t)[4]) __attribute__((always_inline)) {
    unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
      t[j] = real_product(sums[i][j], channels.multiplier[j], channels.float_bias[j],
                          !plain && epilogue.vectors.bias_apart);
    });
  };
  __m512 t[4];
  if (plain && row.whole()) {
    const ByteGrid grid = epilogue.vectors.grid;
    const std::uint8_t* const table = epilogue.vectors.table;
    for (int i = 0; i < count; ++i) {
      real(i, t);
      __m512i q = round_to_bytes(t, grid);
      if (table != nullptr) q = look_up(q, table);
      store_whole(row, x + i, q);
    }
    return;
  }
  for (int i = 0; i < count; ++i) {
    real(i, t);
    finish_positions<plain>(t, epilogue, row, x + i);
  }
}

}  // namespace
}  // namespace intact::kernels
