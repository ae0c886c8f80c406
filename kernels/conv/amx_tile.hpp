// Convolution tiles on the tile registers of AMX: 16 rows of pixels x 64, 32 or 16 columns. One
// tile register holds 16 rows x 64 bytes of activations, another 64 bytes of K x 16 columns of
// weights, and one per 16 columns the sums. K beyond a multiple of 64 goes through a second pair of
// tile registers of that size. The sums go through memory into the epilogue of AVX-512.
//
// Written once over `Tiles`, the tile registers: those of the CPU (amx.cpp), or their emulation in
// the tests, which need no CPU that has them.
#pragma once

#include "kernels/conv/avx512_finish.hpp"

namespace intact::kernels {
namespace {

constexpr int tile_rows = 16, tile_bytes = 64;

/// The 64-byte operand of LDTILECFG.
struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};

/// What the tile registers hold; 0 to 3 are the sums of 16 columns each.
enum TileRegister : int { activations = 4, weights = 5, last_activations = 6, last_weights = 7 };

inline TileConfiguration tile_configuration(std::int64_t k_groups) {
  TileConfiguration configuration;
  for (int i = 0; i < 8; ++i) {
    configuration.rows[i] = tile_rows;
    configuration.row_bytes[i] = tile_bytes;
  }
  if (const auto rest = static_cast<std::uint8_t>(k_groups % tile_rows); rest > 0) {
    configuration.row_bytes[last_activations] = static_cast<std::uint16_t>(4 * rest);
    configuration.rows[last_weights] = rest;
  }
  return configuration;
}

/// The 16 rows that one tap of a block multiplies: where they are if they lie at equal distances,
/// else copied, 64 bytes at a time.
class TileRows {
 public:
  /// `count` of the rows are real; the others repeat the last one.
  TileRows(const std::uint8_t* const* rows, int count) : rows_(rows), count_(count) {
    step_ = count > 1 ? rows[1] - rows[0] : tile_bytes;
    bool even = count == tile_rows;
    for (int r = 2; r < count; ++r) even = even && rows[r] - rows[r - 1] == step_;
    even_ = even;
  }
  /// `bytes` (at most 64) of each row from offset `at` on.
  const std::uint8_t* find(std::ptrdiff_t at, std::size_t bytes) {
    if (even_) return rows_[0] + at;
    for (int r = 0; r < tile_rows; ++r)
      __builtin_memcpy(copy_[r], rows_[r < count_ ? r : count_ - 1] + at, bytes);
    return copy_[0];
  }
  std::ptrdiff_t step() const { return even_ ? step_ : tile_bytes; }

 private:
  const std::uint8_t* const* rows_;
  int count_;
  std::ptrdiff_t step_;
  bool even_;
  alignas(64) std::uint8_t copy_[tile_rows][tile_bytes];
};

/// Multiplies `a` with all columns of the panel.
template <class Tiles, int width, int a, int b>
[[gnu::always_inline]] inline void multiply_columns(const std::int8_t* panel) {
  unroll<0, width / 16>([&]<int v>() __attribute__((always_inline)) {
    Tiles::template load<b>(panel + v * tile_bytes, width * 4);
    Tiles::template multiply<v, a, b>();
  });
}

template <class Tiles, int width>
[[gnu::always_inline]] inline void multiply_block(const ConvTile& tile, std::int64_t row,
                                                  int count) {
  unroll<0, width / 16>([&]<int v>() __attribute__((always_inline)) { Tiles::template zero<v>(); });
  const std::int8_t* panel = tile.weights;
  const std::int64_t whole = tile.k_groups / tile_rows, rest = tile.k_groups % tile_rows;
  for (std::int64_t tap = 0; tap < tile.taps; ++tap) {
    TileRows rows(tile.rows + tap * tile.row_stride + row, count);
    std::ptrdiff_t at = tile.src_offset;
    for (std::int64_t k = 0; k < whole; ++k, at += tile_bytes, panel += tile_rows * width * 4) {
      Tiles::template load<activations>(rows.find(at, tile_bytes), rows.step());
      multiply_columns<Tiles, width, activations, weights>(panel);
    }
    if (rest == 0) continue;
    Tiles::template load<last_activations>(rows.find(at, static_cast<std::size_t>(4 * rest)),
                                           rows.step());
    multiply_columns<Tiles, width, last_activations, last_weights>(panel);
    panel += rest * width * 4;
  }
}

/// Sums start from the bias, less what the weights' zero points take.
template <int width>
[[gnu::always_inline]] inline void add_bias(__m512i (*accumulator)[4], const ConvTile& tile,
                                            std::int64_t row, int count) {
  constexpr int vectors = width / 16;
  for (int r = 0; r < count; ++r)
    for (int v = 0; v < vectors; ++v) {
      const int i = r * vectors + v;
      __m512i bias = _mm512_load_si512(tile.bias + v * 16);
      if (tile.zero_point != nullptr)
        bias =
            _mm512_sub_epi32(bias, _mm512_mullo_epi32(_mm512_load_si512(tile.zero_point + v * 16),
                                                      _mm512_set1_epi32(tile.row_sums[row + r])));
      accumulator[i / 4][i % 4] = _mm512_add_epi32(accumulator[i / 4][i % 4], bias);
    }
}

/// The tile registers must be configured for tile.k_groups.
template <class Tiles, int width>
void run_amx_tile(const ConvTile& tile) {
  constexpr int vectors = width / 16, rows_per_quad = Block<width>::rows_per_quad;
  const EpilogueVectors e = load_epilogue(*tile.epilogue);
  const EpilogueForm form = form_of(*tile.epilogue);
  for (std::int64_t row = 0; row < tile.row_count; row += tile_rows) {
    const int count =
        static_cast<int>(tile.row_count - row < tile_rows ? tile.row_count - row : tile_rows);
    multiply_block<Tiles, width>(tile, row, count);
    __m512i accumulator[tile_rows * vectors / 4][4];
    unroll<0, vectors>([&]<int v>() __attribute__((always_inline)) {
      Tiles::template store<v>(&accumulator[0][0] + v, vectors * tile_bytes);
    });
    add_bias<width>(accumulator, tile, row, count);
    finish_rows<width>(form, accumulator, (count + rows_per_quad - 1) / rows_per_quad, tile, e,
                       row);
  }
  e.range.join_into(tile.epilogue->range);
}

}  // namespace
}  // namespace intact::kernels
