// Packs panels of a matrix for AVX-512. Where neighbouring columns are neighbours in memory, four
// rows are interleaved by unpacking bytes and words; else 16 bytes of 16 columns are transposed in
// units of four. Both give the packed order of four lanes (epilogue_avx512.hpp) as they are.
#include <immintrin.h>

#include "kernels/conv/matrix_panel.hpp"
#include "kernels/unroll.hpp"

namespace intact::kernels {
namespace {

/// Bytes - 128; 0 where the mask has no bit.
[[gnu::always_inline]] inline __m512i recenter(__mmask64 mask, __m512i bytes) {
  return _mm512_maskz_sub_epi8(mask, bytes, _mm512_set1_epi8(-128));
}

template <int vectors>
struct Sums {
  __m512i of[vectors];
  Sums() {
    for (int v = 0; v < vectors; ++v) of[v] = _mm512_setzero_si512();
  }
  [[gnu::always_inline]] void store(int v, __m512i weights, std::int8_t* to) {
    _mm512_store_si512(to + 64 * v, weights);
    of[v] = _mm512_dpbusd_epi32(of[v], _mm512_set1_epi8(1), weights);
  }
  void write(std::int32_t* sums) const {
    for (int v = 0; v < vectors; ++v) _mm512_store_si512(sums + 16 * v, of[v]);
  }
};

/// The bytes of a row, a quarter of its columns at the start of each lane.
template <int width>
[[gnu::always_inline]] inline __m512i load_row(const std::uint8_t* row, __mmask64 columns) {
  const __m512i bytes = recenter(columns, _mm512_maskz_loadu_epi8(columns, row));
  if constexpr (width == 32)
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 0, 1, 1, 2, 2, 3, 3), bytes);
  else if constexpr (width == 16)
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3), bytes);
  else
    return bytes;
}

template <int width>
void pack_rows(const MatrixPanel& panel, std::int32_t* sums) {
  Sums<width / 16> all;
  const __mmask64 columns =
      panel.columns == 64 ? ~__mmask64{0} : (__mmask64{1} << panel.columns) - 1;
  std::int8_t* to = panel.to;
  for (std::int64_t group = 0; group < panel.k_groups; ++group, to += width * 4) {
    __m512i row[4];
    for (int i = 0; i < 4; ++i) {
      const std::int64_t k = 4 * group + i;
      row[i] = k < panel.depth ? load_row<width>(panel.data + k * panel.k_stride, columns)
                               : _mm512_setzero_si512();
    }
    const __m512i low = _mm512_unpacklo_epi8(row[0], row[1]);
    const __m512i other_low = _mm512_unpacklo_epi8(row[2], row[3]);
    all.store(0, _mm512_unpacklo_epi16(low, other_low), to);
    if constexpr (width >= 32) all.store(1, _mm512_unpackhi_epi16(low, other_low), to);
    if constexpr (width == 64) {
      const __m512i high = _mm512_unpackhi_epi8(row[0], row[1]);
      const __m512i other_high = _mm512_unpackhi_epi8(row[2], row[3]);
      all.store(2, _mm512_unpacklo_epi16(high, other_high), to);
      all.store(3, _mm512_unpackhi_epi16(high, other_high), to);
    }
  }
  all.write(sums);
}

/// 16 bytes from row k on of the columns of one vector, those of lane l in lane l: column i of each
/// lane in result i.
template <int width, int v, int i>
[[gnu::always_inline]] inline __m512i load_columns(const MatrixPanel& panel, std::int64_t k,
                                                   __mmask16 rows) {
  __m128i lane[4];
  __mmask64 mask = 0;
  unroll<0, 4>([&]<int l>() __attribute__((always_inline)) {
    constexpr int column = 4 * (width / 16 * l + v) + i;
    const bool exists = column < panel.columns;
    lane[l] = exists ? _mm_maskz_loadu_epi8(rows, panel.data + column * panel.column_stride + k)
                     : _mm_setzero_si128();
    if (exists) mask |= static_cast<__mmask64>(rows) << (16 * l);
  });
  const __m512i low = _mm512_inserti32x4(_mm512_castsi128_si512(lane[0]), lane[1], 1);
  return recenter(mask, _mm512_inserti32x4(_mm512_inserti32x4(low, lane[2], 2), lane[3], 3));
}

template <int width>
void pack_columns(const MatrixPanel& panel, std::int32_t* sums) {
  Sums<width / 16> all;
  for (std::int64_t group = 0; group < panel.k_groups; group += 4) {
    const std::int64_t left = panel.depth - 4 * group;
    const auto rows = static_cast<__mmask16>(left >= 16 ? 0xffff : left > 0 ? (1u << left) - 1 : 0);
    std::int8_t* const to = panel.to + group * width * 4;
    const std::int64_t groups = panel.k_groups - group;
    unroll<0, width / 16>([&]<int v>() __attribute__((always_inline)) {
      const __m512i a = load_columns<width, v, 0>(panel, 4 * group, rows);
      const __m512i b = load_columns<width, v, 1>(panel, 4 * group, rows);
      const __m512i c = load_columns<width, v, 2>(panel, 4 * group, rows);
      const __m512i d = load_columns<width, v, 3>(panel, 4 * group, rows);
      const __m512i ab = _mm512_unpacklo_epi32(a, b), cd = _mm512_unpacklo_epi32(c, d);
      const __m512i ab_high = _mm512_unpackhi_epi32(a, b), cd_high = _mm512_unpackhi_epi32(c, d);
      all.store(v, _mm512_unpacklo_epi64(ab, cd), to);
      if (groups > 1) all.store(v, _mm512_unpackhi_epi64(ab, cd), to + width * 4);
      if (groups > 2) all.store(v, _mm512_unpacklo_epi64(ab_high, cd_high), to + 2 * width * 4);
      if (groups > 3) all.store(v, _mm512_unpackhi_epi64(ab_high, cd_high), to + 3 * width * 4);
    });
  }
  all.write(sums);
}

template <int width>
void pack_panel(const MatrixPanel& panel, std::int32_t* sums) {
  if (panel.column_stride == 1)
    pack_rows<width>(panel, sums);
  else
    pack_columns<width>(panel, sums);
}

}  // namespace

void pack_matrix_panel_avx512_vnni(const MatrixPanel& panel, std::int32_t* sums) {
  if (panel.width == 64) return pack_panel<64>(panel, sums);
  if (panel.width == 32) return pack_panel<32>(panel, sums);
  pack_panel<16>(panel, sums);
}

}  // namespace intact::kernels
