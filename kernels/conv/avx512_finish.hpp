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
  if (form == EpilogueForm::rounded_residual || form == EpilogueForm::unrounded_residual)
    to.first.residual += row * to.first.residual_pitch;
  return to;
}

template <EpilogueForm form, int width>
[[gnu::always_inline]] inline void finish_one(const __m512i (&accumulator)[4], int quad,
                                              const ChannelVectors<width>& channels,
                                              const EpilogueVectors& e, const Destination& to) {
  constexpr int rows_per_quad = Block<width>::rows_per_quad;
  constexpr std::ptrdiff_t element = output_bytes(form);
  const int row = quad * rows_per_quad;
  EpilogueTarget target = to.first;
  target.dst = static_cast<std::uint8_t*>(target.dst) + row * target.dst_pitch * element;
  if (form == EpilogueForm::rounded_residual || form == EpilogueForm::unrounded_residual)
    target.residual += row * target.residual_pitch;
  target.rows = to.rows - row < rows_per_quad ? static_cast<int>(to.rows - row) : rows_per_quad;
  finish_quad<form, width>(accumulator, channels, e, target);
}

/// From memory: for forms that are rare or dominated by their stores, to keep the code small, and
/// for accumulators that come from memory.
template <EpilogueForm form, int width>
[[gnu::noinline]] void finish_spilled(const __m512i (*accumulator)[4], int quads,
                                      const ConvTile& tile, const EpilogueVectors& e,
                                      std::int64_t row) {
  const Destination to = destination<form>(tile, row);
  const auto channels = load_channels<width>(tile.multiplier, tile.float_bias);
  for (int q = 0; q < quads; ++q) finish_one<form, width>(accumulator[q], q, channels, e, to);
}

/// The same for any form.
template <int width>
[[gnu::always_inline]] inline void finish_rows(EpilogueForm form, const __m512i (*accumulator)[4],
                                               int quads, const ConvTile& tile,
                                               const EpilogueVectors& e, std::int64_t row) {
  switch (form) {
    case EpilogueForm::bytes:
      return finish_spilled<EpilogueForm::bytes, width>(accumulator, quads, tile, e, row);
    case EpilogueForm::table:
      return finish_spilled<EpilogueForm::table, width>(accumulator, quads, tile, e, row);
    case EpilogueForm::rounded_residual:
      return finish_spilled<EpilogueForm::rounded_residual, width>(accumulator, quads, tile, e,
                                                                   row);
    case EpilogueForm::unrounded_residual:
      return finish_spilled<EpilogueForm::unrounded_residual, width>(accumulator, quads, tile, e,
                                                                     row);
    case EpilogueForm::floats:
      return finish_spilled<EpilogueForm::floats, width>(accumulator, quads, tile, e, row);
    case EpilogueForm::range:
      return finish_spilled<EpilogueForm::range, width>(accumulator, quads, tile, e, row);
    case EpilogueForm::quotient:
      return finish_spilled<EpilogueForm::quotient, width>(accumulator, quads, tile, e, row);
  }
}

}  // namespace
}  // namespace intact::kernels
