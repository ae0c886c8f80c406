// What the files of this family tell each other: the reference, and the tiles that each instruction
// set supplies to the common driver. Plain header.
#pragma once

#include "kernels/conv/conv.hpp"
#include "kernels/epilogue_form.hpp"

namespace intact::kernels {

ConvKernel conv_reference();

/// Groups of 4 bytes of K whose neighbouring products can leave 16 bits (vpmaddubsw): their weights
/// are halved and multiplied twice, the second time by the other halves. For panels of 16 columns.
struct ConvSplits {
  const std::int32_t* groups = nullptr;  ///< tap * k_groups + k_group of each
  const std::int8_t* weights = nullptr;  ///< [count][16][4]: the other halves
  /// Of groups; -1: too many to be worth it, nothing was halved.
  std::int32_t count = 0;
};

/// One panel of output channels over a run of output pixels ("rows"). Row r multiplies the taps
///   rows[tap * row_stride + r][src_offset .. src_offset + 4 * k_groups)
/// with weights[tap][k_group][column][4], starting from
///   bias[column] - zero_point[column] * row_sums[r].
/// Up to 3 row pointers after the last row are read and must be valid.
/// Columns, and the vectors indexed by them, are in the packed order of the ISA's epilogue.
struct ConvTile {
  const std::uint8_t* const* rows = nullptr;
  std::ptrdiff_t row_stride = 0;
  std::int64_t row_count = 0;
  std::int64_t taps = 1, k_groups = 0;
  std::ptrdiff_t src_offset = 0;
  const std::int8_t* weights = nullptr;
  const float* multiplier = nullptr;
  const float* float_bias = nullptr;
  const std::int32_t* bias = nullptr;
  const std::int32_t* zero_point = nullptr;  ///< null: all zero
  const std::int32_t* row_sums = nullptr;    ///< only with zero_point
  ConvSplits splits;                         ///< of tiles that split pairs
  EpilogueTarget target;                     ///< of row 0, column 0; rows is filled in by the tile
  const Epilogue* epilogue = nullptr;
};

/// What an instruction set supplies: a function per panel width. Widths descend; every multiple of
/// 16 is a sum of them.
struct ConvTiles {
  int lanes = 4;  ///< 128-bit lanes of a vector: decides the packed order
  int width_count = 0;
  std::array<int, 3> widths = {};
  std::array<void (*)(const ConvTile&), 3> run = {};
  /// Sum of `count` bytes: the row sums of weights with zero points.
  std::int32_t (*sum_bytes)(const std::uint8_t* from, std::int64_t count) = nullptr;
  bool splits_pairs = false;  ///< of widths {16}: weights are packed with ConvSplits
  /// Around all tiles that one thread runs for a convolution; null: nothing to do.
  void (*begin)(std::int64_t k_groups) = nullptr;
  void (*end)() = nullptr;
};

void conv_tiles_begin_amx(std::int64_t k_groups);
void conv_tiles_end_amx();
void conv_tile_amx_64(const ConvTile&);
void conv_tile_amx_32(const ConvTile&);
void conv_tile_amx_16(const ConvTile&);

void conv_tile_avx512_vnni_64(const ConvTile&);
void conv_tile_avx512_vnni_32(const ConvTile&);
void conv_tile_avx512_vnni_16(const ConvTile&);
void conv_tile_avxvnni_16(const ConvTile&);
void conv_tile_avx2_16(const ConvTile&);
std::int32_t sum_bytes_avx512_vnni(const std::uint8_t* from, std::int64_t count);
std::int32_t sum_bytes_avx2(const std::uint8_t* from, std::int64_t count);

}  // namespace intact::kernels
