// From the accumulators of a convolution tile to its outputs, for files compiled for AVX-512 with
// VBMI: intrinsics and internal linkage only.
#pragma once

#include "kernels/conv/kernels.hpp"
#include "kernels/epilogue_avx512.hpp"

namespace intact::kernels {
namespace {

template <int width>
struct Block {
  static constexpr int vectors = width / 16;  // per row
  static constexpr int rows_per_quad = 4 / vectors;
};

/// Where the epilogue of one block goes; a copy, because stores of bytes may alias everything else.
struct Destination {
  EpilogueTarget first;  ///< of the block's first row
  std::int64_t rows;     ///< of the block
};

template <EpilogueForm form>
[[gnu::always_inline]] inline Destination destination(const ConvTile& tile, std::int64_t row) {
  Destination to{tile.target, tile.row_count - row};
  constexpr std::ptrdiff_t element = output_bytes(form);
  to.first.dst = static_cast<std::uint8_t*>(to.first.dst) + row * to.first.dst_pitch * element;
  if (form == EpilogueForm::residual) to.first.residual += row * to.first.residual_pitch;
  return to;
}

template <EpilogueForm form, int width, bool whole>
[[gnu::always_inline]] inline void finish_one(const __m512i (&accumulator)[4], int quad,
                                              const ChannelVectors<width>& channels,
                                              const EpilogueVectors& e, const Destination& to) {
  constexpr int rows_per_quad = Block<width>::rows_per_quad;
  constexpr std::ptrdiff_t element = output_bytes(form);
  const int row = quad * rows_per_quad;
  EpilogueTarget target = to.first;
  target.dst = static_cast<std::uint8_t*>(target.dst) + row * target.dst_pitch * element;
  if (form == EpilogueForm::residual) target.residual += row * target.residual_pitch;
  target.rows = to.rows - row < rows_per_quad ? static_cast<int>(to.rows - row) : rows_per_quad;
  finish_quad<form, width, whole>(accumulator, channels, e, target);
}

/// Sums come from memory, whatever computed them: the stores and loads cost less than the registers
/// that the constants of the epilogue find free, and one loop serves blocks of all heights.
/// `whole`: all rows and columns of the block exist.
template <EpilogueForm form, int width, bool whole>
[[gnu::noinline]] void finish_block(const __m512i (*accumulator)[4], int quads,
                                    const ConvTile& tile, const EpilogueVectors& e,
                                    std::int64_t row) {
  const Destination to = destination<form>(tile, row);
  const auto channels = load_channels<width>(tile.multiplier, tile.float_bias);
  const EpilogueVectors constants = e;
  for (int q = 0; q < quads; ++q)
    finish_one<form, width, whole>(accumulator[q], q, channels, constants, to);
  if (form == EpilogueForm::floats) e.range = constants.range;
}

/// Only the range of the block's outputs. Columns beyond the last are products of zeros: clamped,
/// they lie within the range, too.
template <int width>
[[gnu::noinline]] void find_range(const __m512i (*accumulator)[4], int quads, const ConvTile& tile,
                                  const EpilogueVectors& e, std::int64_t row) {
  using B = Block<width>;
  const std::int64_t rows = tile.row_count - row;
  SumRange sums[B::vectors];
  for (int q = 0; q < quads; ++q)
    unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
      if (q * B::rows_per_quad + j / B::vectors < rows)
        sums[j % B::vectors].extend(accumulator[q][j]);
    });
  const auto channels = load_channels<width>(tile.multiplier, tile.float_bias);
  unroll<0, B::vectors>([&]<int v>() __attribute__((always_inline)) {
    for (const __m512i sum : {sums[v].low, sums[v].high})
      e.range.extend(range_value(sum, channels.multiplier[v], channels.float_bias[v], e));
  });
}

using FinishBlock = void (*)(const __m512i (*accumulator)[4], int quads, const ConvTile& tile,
                             const EpilogueVectors& e, std::int64_t row);

template <int width, bool whole>
[[gnu::always_inline]] inline FinishBlock block_finisher(EpilogueForm form) {
  switch (form) {
    case EpilogueForm::bytes:
      return finish_block<EpilogueForm::bytes, width, whole>;
    case EpilogueForm::table:
      return finish_block<EpilogueForm::table, width, whole>;
    case EpilogueForm::residual:
      return finish_block<EpilogueForm::residual, width, whole>;
    case EpilogueForm::floats:
      return finish_block<EpilogueForm::floats, width, false>;
    case EpilogueForm::range:
      return find_range<width>;
    case EpilogueForm::quotient:
      return finish_block<EpilogueForm::quotient, width, false>;
  }
  return nullptr;
}

/// Finishes blocks of a tile: in whatever form, chosen once.
template <int width>
class Finisher {
 public:
  [[gnu::always_inline]] Finisher(const ConvTile& tile, const EpilogueVectors& e)
      : tile_(tile), e_(e) {
    const EpilogueForm form = form_of(*tile.epilogue);
    partial_ = block_finisher<width, false>(form);
    whole_ = tile.target.columns >= width ? block_finisher<width, true>(form) : partial_;
  }
  [[gnu::always_inline]] void operator()(const __m512i (*accumulator)[4], int quads,
                                         std::int64_t row) const {
    const bool whole = tile_.row_count - row >= std::int64_t{quads} * Block<width>::rows_per_quad;
    (whole ? whole_ : partial_)(accumulator, quads, tile_, e_, row);
  }

 private:
  const ConvTile& tile_;
  const EpilogueVectors& e_;
  FinishBlock whole_, partial_;
};

}  // namespace
}  // namespace intact::kernels
