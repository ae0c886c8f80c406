// Convolution tiles of 16 columns over vectors of 8 sums: blocks of up to 2, 4 or 6 rows. Written
// once over `Products`, the way of multiplying bytes:
//   max_quads               pairs of rows in a block
//   splits_pairs            expects weights halved as ConvSplits says
//   Row(x)                  4 bytes of a row, broadcast
//   Weights(w)              4 bytes for each of 8 columns
//   add(sum, row, weights)  sum + their products
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

/// Row and Weights of Products that multiply bytes as they are.
struct ByteOperands {
  struct Row {
    explicit Row(__m256i x) : bytes(x) {}
    __m256i bytes;
  };
  struct Weights {
    explicit Weights(__m256i w) : bytes(w) {}
    __m256i bytes;
  };
};

/// One group of 4 bytes for every row.
template <class Products, int quads>
[[gnu::always_inline]] inline void multiply(const std::uint8_t* const* rows, std::ptrdiff_t at,
                                            const std::int8_t* weights,
                                            __m256i (&accumulator)[quads][4]) {
  const typename Products::Weights w[vectors] = {typename Products::Weights(load(weights)),
                                                 typename Products::Weights(load(weights + 32))};
#pragma GCC unroll 6
  for (int r = 0; r < quads * rows_per_quad; ++r) {
    const typename Products::Row x(broadcast_4(rows[r] + at));
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) {
      __m256i& sum = accumulator[r / rows_per_quad][r % rows_per_quad * vectors + v];
      sum = Products::add(sum, x, w[v]);
    }
  }
}

template <EpilogueForm form>
void finish_one(const __m256i (&accumulator)[4], const ConvTile& tile, const EpilogueVectors& e,
                std::int64_t row) {
  EpilogueTarget target = tile.target;
  constexpr std::ptrdiff_t element = output_bytes(form);
  target.dst = static_cast<std::uint8_t*>(target.dst) + row * target.dst_pitch * element;
  if (form == EpilogueForm::rounded_residual || form == EpilogueForm::unrounded_residual)
    target.residual += row * target.residual_pitch;
  target.rows = tile.row_count - row < rows_per_quad ? 1 : rows_per_quad;
  finish_quad<form, width>(accumulator, tile.multiplier, tile.float_bias, e, target);
}

template <EpilogueForm form>
void finish(const __m256i (*accumulator)[4], int quads, const ConvTile& tile,
            const EpilogueVectors& e, std::int64_t row) {
  for (int q = 0; q < quads; ++q)
    finish_one<form>(accumulator[q], tile, e, row + q * rows_per_quad);
}

template <class Products, int quads>
[[gnu::noinline]] void run_block(const ConvTile& tile, EpilogueForm form, const EpilogueVectors& e,
                                 std::int64_t row) {
  __m256i accumulator[quads][4];
#pragma GCC unroll 12
  for (int i = 0; i < quads * 4; ++i) {
    const auto vector = [&](const std::int32_t* from) {
      return _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i % vectors * 8));
    };
    accumulator[i / 4][i % 4] = vector(tile.bias);
    if (tile.zero_point != nullptr)
      accumulator[i / 4][i % 4] =
          _mm256_sub_epi32(accumulator[i / 4][i % 4],
                           _mm256_mullo_epi32(vector(tile.zero_point),
                                              _mm256_set1_epi32(tile.row_sums[row + i / vectors])));
  }
  const std::int8_t* weights = tile.weights;
  const std::uint8_t* const* rows = tile.rows + row;
  for (std::int64_t tap = 0; tap < tile.taps; ++tap, rows += tile.row_stride) {
    std::ptrdiff_t at = tile.src_offset;
    for (std::int64_t k = 0; k < tile.k_groups; ++k, at += 4, weights += width * 4)
      multiply<Products, quads>(rows, at, weights, accumulator);
  }
  if constexpr (Products::splits_pairs) {
    const ConvSplits& splits = tile.splits;
    for (std::int32_t i = 0; i < splits.count; ++i) {
      const std::int64_t tap = splits.groups[i] / tile.k_groups;
      const std::int64_t at = tile.src_offset + splits.groups[i] % tile.k_groups * 4;
      multiply<Products, quads>(tile.rows + tap * tile.row_stride + row, at,
                                splits.weights + i * std::int64_t{64}, accumulator);
    }
  }
  alignas(32) __m256i done[quads][4];  // a copy, so that the products stay in registers
  for (int i = 0; i < quads * 4; ++i) done[i / 4][i % 4] = accumulator[i / 4][i % 4];
  switch (form) {
    case EpilogueForm::bytes:
      return finish<EpilogueForm::bytes>(done, quads, tile, e, row);
    case EpilogueForm::table:
      return finish<EpilogueForm::table>(done, quads, tile, e, row);
    case EpilogueForm::rounded_residual:
      return finish<EpilogueForm::rounded_residual>(done, quads, tile, e, row);
    case EpilogueForm::unrounded_residual:
      return finish<EpilogueForm::unrounded_residual>(done, quads, tile, e, row);
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
  for (std::int64_t row = 0; left > 0;) {
    const std::int64_t count = left < Products::max_quads ? left : Products::max_quads;
    run[count - 1](tile, form, e, row);
    row += count * rows_per_quad;
    left -= count;
  }
  e.range.join_into(tile.epilogue->range);
}

}  // namespace
}  // namespace intact::kernels
