// Convolution tiles of 16 columns over vectors of 8 sums: blocks of up to 2, 4 or 6 rows. Written
// once over `Products`, the way of multiplying bytes:
//   max_quads                          pairs of rows in a block
//   keeps_rests                        expects weights as pack_rests leaves them
//   chain                              k_groups multiplied at a time, but for the last of a tap
//   add(sums, row, at, weights)        adds the products of a row, 4 bytes from each of `at` on,
//   and
//                                      both vectors of weights
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

[[gnu::always_inline]] inline __m256i load(const std::int8_t* from) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
}

template <class Products, int quads, int groups>
[[gnu::always_inline]] inline void multiply(
    const std::uint8_t* const* rows, const std::ptrdiff_t (&at)[groups], const std::int8_t* weights,
    __m256i (&accumulator)[quads * rows_per_quad][vectors]) {
#pragma GCC unroll 6
  for (int r = 0; r < quads * rows_per_quad; ++r)
    Products::add(accumulator[r], rows[r], at, weights);
}

/// sum + x in the register of `sum`: compilers move the six sums of a loop to and fro otherwise.
[[gnu::always_inline]] inline void add_16_bits(__m256i& sum, __m256i x) {
  asm("vpaddw %1, %0, %0" : "+x"(sum) : "x"(x));
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

template <EpilogueForm form>
[[gnu::always_inline]] inline void finish_one(const __m256i (*rows)[vectors], const ConvTile& tile,
                                              const EpilogueVectors& e, std::int64_t row) {
  const __m256i accumulator[4] = {rows[0][0], rows[0][1], rows[1][0], rows[1][1]};
  EpilogueTarget target = tile.target;
  constexpr std::ptrdiff_t element = output_bytes(form);
  target.dst = static_cast<std::uint8_t*>(target.dst) + row * target.dst_pitch * element;
  if (form == EpilogueForm::residual) target.residual += row * target.residual_pitch;
  target.rows = tile.row_count - row < rows_per_quad ? 1 : rows_per_quad;
  finish_quad<form, width>(accumulator, tile.multiplier, tile.float_bias, e, target);
}

template <EpilogueForm form>
void finish(const __m256i (*accumulator)[vectors], int quads, const ConvTile& tile,
            const EpilogueVectors& e, std::int64_t row) {
  for (int q = 0; q < quads; ++q)
    finish_one<form>(accumulator + q * rows_per_quad, tile, e, row + q * rows_per_quad);
}

template <class Products, int quads>
[[gnu::noinline]] void run_block(const ConvTile& tile, EpilogueForm form, const EpilogueVectors& e,
                                 std::int64_t row) {
  constexpr int rows = quads * rows_per_quad;
  __m256i accumulator[rows][vectors];
#pragma GCC unroll 12
  for (int i = 0; i < rows * vectors; ++i) {
    const auto vector = [&](const std::int32_t* from) {
      return _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i % vectors * 8));
    };
    __m256i& sum = accumulator[i / vectors][i % vectors];
    sum = vector(tile.bias);
    if (tile.zero_point != nullptr)
      sum = _mm256_sub_epi32(
          sum, _mm256_mullo_epi32(vector(tile.zero_point),
                                  _mm256_set1_epi32(tile.row_sums[row + i / vectors])));
  }
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
      weights += Products::chain * width * 4;
    }
    if (Products::chain > 1 && left > 0) {
      const std::ptrdiff_t last[1] = {tile.src_offset + *k_offset++};
      multiply<Products, quads>(pixels, last, weights, accumulator);
      weights += width * 4;
    }
  }
  alignas(32) __m256i done[rows][vectors];  // a copy, so that the products stay in registers
  for (int i = 0; i < rows * vectors; ++i)
    done[i / vectors][i % vectors] = accumulator[i / vectors][i % vectors];
  if constexpr (Products::keeps_rests) {
    if (tile.rests[0].run_count + tile.rests[1].run_count > 0)
      tile.tap_step != 0 ? add_rests<rows, true>(tile, row, done)
                         : add_rests<rows, false>(tile, row, done);
  }
  switch (form) {
    case EpilogueForm::bytes:
      return finish<EpilogueForm::bytes>(done, quads, tile, e, row);
    case EpilogueForm::table:
      return finish<EpilogueForm::table>(done, quads, tile, e, row);
    case EpilogueForm::residual:
      return finish<EpilogueForm::residual>(done, quads, tile, e, row);
    case EpilogueForm::floats:
      return finish<EpilogueForm::floats>(done, quads, tile, e, row);
    case EpilogueForm::range:
      return finish<EpilogueForm::range>(done, quads, tile, e, row);
    case EpilogueForm::quotient:
      return finish<EpilogueForm::quotient>(done, quads, tile, e, row);
  }
}

template <class Products>
void run_tile(const ConvTile& tile) {
  using Run = void (*)(const ConvTile&, EpilogueForm, const EpilogueVectors&, std::int64_t);
  static constexpr Run run[3] = {run_block<Products, 1>, run_block<Products, 2>,
                                 run_block<Products, Products::max_quads>};
  const EpilogueVectors e = load_epilogue(*tile.epilogue);
  const EpilogueForm form = form_of(*tile.epilogue);
  std::int64_t left = (tile.row_count + rows_per_quad - 1) / rows_per_quad;
  std::int64_t blocks = (left + Products::max_quads - 1) / Products::max_quads;
  for (std::int64_t row = 0; blocks > 0; --blocks) {
    const std::int64_t count = (left + blocks - 1) / blocks;  // even heights
    run[count - 1](tile, form, e, row);
    row += count * rows_per_quad;
    left -= count;
  }
  e.range.join_into(tile.epilogue->range);
}

}  // namespace
}  // namespace intact::kernels
