// Convolution tiles of 16 columns over vectors of 8 sums: blocks of 2, 4 or 6 rows, whose sums stay
// in registers until the epilogue has made bytes of them. Written once over `Products`, the way of
// multiplying bytes:
//   keeps_rests                        expects weights as pack_rests leaves them
//   chain                              k_groups multiplied at a time, but for the last of a tap
//   group_bytes                        of the weights of a k_group
//   add(sums, row, at, weights)        adds the products of a row, 4 bytes from each of `at` on,
//                                      and both vectors of weights
// Included by files compiled for AVX2 and up: intrinsics and internal linkage only.
#pragma once

#include "kernels/conv/kernels.hpp"
#include "kernels/epilogue_avx2.hpp"

namespace intact::kernels {
namespace {

constexpr int width = 16, vectors = 2, rows_per_quad = 2;

[[gnu::always_inline]] inline __m256i broadcast_4(const std::uint8_t* from) {
  int value;
  __builtin_memcpy(&value, from, sizeof value);
  return _mm256_set1_epi32(value);
}

[[gnu::always_inline]] inline __m256i load(const void* from) {
  return _mm256_load_si256(static_cast<const __m256i*>(from));
}

template <class Products, int quads, int groups>
[[gnu::always_inline]] inline void multiply(
    const std::uint8_t* const* rows, const std::ptrdiff_t (&at)[groups], const std::int8_t* weights,
    __m256i (&accumulator)[quads * rows_per_quad][vectors]) {
  unroll<0, quads * rows_per_quad>([&]<int r>() __attribute__((always_inline)) {
    Products::add(accumulator[r], rows[r], at, weights);
  });
}

/// sum + x in the register of `sum`: compilers move the sums of a loop to and fro otherwise.
[[gnu::always_inline]] inline void add_16_bits(__m256i& sum, __m256i x) {
  asm("vpaddw %1, %0, %0" : "+x"(sum) : "x"(x));
}
[[gnu::always_inline]] inline void add_32_bits(__m256i& sum, __m256i x) {
  asm("vpaddd %1, %0, %0" : "+x"(sum) : "x"(x));
}

/// The products of rests, in runs of 16-bit sums.
template <int rows, bool cross_taps>
[[gnu::noinline]] void add_rests(const ConvTile& tile, std::int64_t row,
                                 __m256i (&accumulator)[rows][vectors]) {
  for (int v = 0; v < vectors; ++v) {
    const ConvRests& rests = tile.rests[v];
    const std::int32_t* offset = rests.offsets;
    const std::int8_t* weights = rests.weights;
    for (std::int32_t i = 0; i < rests.run_count; ++i) {
      const ConvRestRun run = rests.runs[i];
      const std::uint8_t* const* const pixels = tile.rows + run.tap * tile.row_stride + row;
      const std::uint8_t* from[rows];
      __m256i sums[rows];
#pragma GCC unroll 6
      for (int r = 0; r < rows; ++r) {
        from[r] = pixels[r] + tile.src_offset;
        sums[r] = _mm256_setzero_si256();
      }
      for (const std::int32_t* const end = offset + run.count; offset < end; ++offset) {
        constexpr int in_tap = (1 << ConvRests::tap_shift) - 1;
        const std::ptrdiff_t at =
            cross_taps ? (*offset & in_tap) + (*offset >> ConvRests::tap_shift) * tile.tap_step
                       : *offset;
        const __m256i w = load(weights);
        weights += 32;
#pragma GCC unroll 6
        for (int r = 0; r < rows; ++r)
          add_16_bits(sums[r], _mm256_maddubs_epi16(broadcast_4(from[r] + at), w));
      }
#pragma GCC unroll 6
      for (int r = 0; r < rows; ++r)
        accumulator[r][v] =
            _mm256_add_epi32(accumulator[r][v], _mm256_madd_epi16(sums[r], _mm256_set1_epi16(1)));
    }
  }
}

/// A copy in memory, so that the sums themselves stay in registers.
template <int rows>
[[gnu::always_inline]] inline void copy_sums(const __m256i (&from)[rows][vectors],
                                             __m256i (&to)[rows][vectors]) {
  unroll<0, rows>([&]<int r>() __attribute__((always_inline)) {
    to[r][0] = from[r][0];
    to[r][1] = from[r][1];
  });
}

template <EpilogueForm form>
[[gnu::always_inline]] inline void finish_one(const __m256i (&accumulator)[4], const ConvTile& tile,
                                              const EpilogueVectors& e, std::int64_t row, int rows,
                                              int columns) {
  EpilogueTarget target = tile.target;
  constexpr std::ptrdiff_t element = output_bytes(form);
  target.dst = static_cast<std::uint8_t*>(target.dst) + row * target.dst_pitch * element;
  if constexpr (form == EpilogueForm::residual) target.residual += row * target.residual_pitch;
  target.rows = rows;
  target.columns = columns;
  finish_quad<form, width>(accumulator, tile.multiplier, tile.float_bias, e, target);
}

/// Where rows or columns end within the block.
template <EpilogueForm form>
[[gnu::noinline]] void finish_part(const __m256i (*sums)[vectors], int rows, const ConvTile& tile,
                                   const EpilogueVectors& e, std::int64_t row) {
  for (int r = 0; r < rows; r += rows_per_quad, sums += rows_per_quad) {
    const __m256i quad[4] = {sums[0][0], sums[0][1], sums[1][0], sums[1][1]};
    finish_one<form>(quad, tile, e, row + r, tile.row_count - row - r < rows_per_quad ? 1 : 2,
                     tile.target.columns);
  }
}

template <EpilogueForm form, int rows>
[[gnu::always_inline]] inline void finish(const __m256i (&accumulator)[rows][vectors],
                                          const ConvTile& tile, const EpilogueVectors& e,
                                          std::int64_t row) {
  if (row + rows > tile.row_count || tile.target.columns < width) {
    __m256i sums[rows][vectors];
    copy_sums<rows>(accumulator, sums);
    return finish_part<form>(sums, rows, tile, e, row);
  }
  unroll<0, rows / rows_per_quad>([&]<int q>() __attribute__((always_inline)) {
    constexpr int r = q * rows_per_quad;
    const __m256i quad[4] = {accumulator[r][0], accumulator[r][1], accumulator[r + 1][0],
                             accumulator[r + 1][1]};
    finish_one<form>(quad, tile, e, row + r, rows_per_quad, width);
  });
}

template <class Products, EpilogueForm form, int quads>
[[gnu::noinline]] void run_block(const ConvTile& tile, const EpilogueVectors& e, std::int64_t row) {
  constexpr int rows = quads * rows_per_quad;
  __m256i accumulator[rows][vectors];
  unroll<0, rows * vectors>([&]<int i>() __attribute__((always_inline)) {
    constexpr int r = i / vectors, v = i % vectors;
    accumulator[r][v] = load(tile.bias + 8 * v);
    if (tile.zero_point != nullptr)
      accumulator[r][v] = _mm256_sub_epi32(
          accumulator[r][v], _mm256_mullo_epi32(load(tile.zero_point + 8 * v),
                                                _mm256_set1_epi32(tile.row_sums[row + r])));
  });
  const std::int8_t* weights = tile.weights;
  const std::int32_t* k_offset = tile.k_offsets;
  const std::uint8_t* const* pixels = tile.rows + row;
  for (std::int64_t tap = 0; tap < tile.taps; ++tap, pixels += tile.row_stride) {
    std::ptrdiff_t at[Products::chain] = {tile.src_offset};
    std::int64_t left = tile.k_groups;
    for (; left >= Products::chain; left -= Products::chain) {
      if constexpr (Products::keeps_rests)
        for (std::ptrdiff_t& next : at) next = tile.src_offset + *k_offset++;
      multiply<Products, quads>(pixels, at, weights, accumulator);
      if constexpr (!Products::keeps_rests) at[0] += 4;
      weights += Products::chain * Products::group_bytes;
    }
    if (Products::chain > 1 && left > 0) {
      const std::ptrdiff_t last[1] = {tile.src_offset + *k_offset++};
      multiply<Products, quads>(pixels, last, weights, accumulator);
      weights += Products::group_bytes;
    }
  }
  if (Products::keeps_rests && tile.rests[0].run_count + tile.rests[1].run_count > 0) {
    __m256i sums[rows][vectors];
    copy_sums<rows>(accumulator, sums);
    tile.tap_step != 0 ? add_rests<rows, true>(tile, row, sums)
                       : add_rests<rows, false>(tile, row, sums);
    copy_sums<rows>(sums, accumulator);
  }
  finish<form, rows>(accumulator, tile, e, row);
}

template <class Products, EpilogueForm form>
void run_form(const ConvTile& tile, const EpilogueVectors& e) {
  using Run = void (*)(const ConvTile&, const EpilogueVectors&, std::int64_t);
  static constexpr int max_quads = 3;
  static constexpr Run run[max_quads] = {run_block<Products, form, 1>, run_block<Products, form, 2>,
                                         run_block<Products, form, 3>};
  std::int64_t left = (tile.row_count + rows_per_quad - 1) / rows_per_quad;
  std::int64_t blocks = (left + max_quads - 1) / max_quads;
  for (std::int64_t row = 0; blocks > 0; --blocks) {
    const std::int64_t count = (left + blocks - 1) / blocks;  // even heights
    run[count - 1](tile, e, row);
    row += count * rows_per_quad;
    left -= count;
  }
}

template <class Products>
void run_tile(const ConvTile& tile) {
  const EpilogueVectors e = load_epilogue(*tile.epilogue);
  with_form(*tile.epilogue, [&]<EpilogueForm form>() { run_form<Products, form>(tile, e); });
  e.range.join_into(tile.epilogue->range);
}

}  // namespace
}  // namespace intact::kernels
