// What the files of this family tell each other: the reference, and the tiles that each instruction
// set supplies to the common driver. Plain header.
#pragma once

#include "kernels/conv/conv.hpp"
#include "kernels/conv/matrix_panel.hpp"
#include "kernels/epilogue_form.hpp"

namespace intact::kernels {

ConvKernel conv_reference();

/// Tiles that add products in 16 bits (vpmaddubsw) do so over chains: k_groups of a tap, by twos,
/// in an order of the panel's own. Packing keeps in a panel what bytes cannot push out of 16 bits,
/// pair by pair of a column's weights and in the sum of a chain, and lists the rest of the weights
/// per vector of 8 columns, in runs whose sums fit 16 bits as well. See rests.hpp.
/// Panels with too many rests, and matrices packed at run time, are words of 16 bits instead:
///   [tap][k_group][bytes 0 and 2, bytes 1 and 3][column][2]
constexpr int chain_groups = 2, word_group_bytes = 128;
struct ConvRestRun {
  std::int32_t tap = 0, count = 0;  ///< whose row pointers lead to `count` entries
};
struct ConvRests {
  const ConvRestRun* runs = nullptr;
  std::int32_t run_count = 0;
  /// Per entry: bytes from the run's row pointers; with ConvTile::tap_step, those from the row
  /// pointers of tap offset / 2^tap_shift in the bits below.
  const std::int32_t* offsets = nullptr;
  static constexpr int tap_shift = 16;
  const std::int8_t* weights = nullptr;  ///< per entry: [8][4]
};

/// Memory to bring into the second-level cache while products keep the processor busy. Tiles take
/// from the front what they have fetched.
struct Ahead {
  const std::byte* next = nullptr;
  const std::byte* end = nullptr;
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
  /// Of tiles that keep rests, where weights are packed for chains: [tap][k_group] in the order of
  /// the weights, what to add to src_offset; else null.
  const std::int32_t* k_offsets = nullptr;
  std::array<ConvRests, 2> rests;  ///< then, of the panel's two vectors
  /// Runs of rests cross taps, which are this far apart in all rows; 0: they do not.
  std::ptrdiff_t tap_step = 0;
  EpilogueTarget target;  ///< of row 0, column 0; rows is filled in by the tile
  const Epilogue* epilogue = nullptr;
  Ahead* ahead = nullptr;
};

/// What the packed form of weights depends on besides the shape.
struct ConvPacking {
  int lanes = 4;  ///< 128-bit lanes of a vector: decides the packed order
  /// Of panels; they descend, and every multiple of 16 is a sum of them.
  int width_count = 0;
  std::array<int, 3> widths = {};
  bool keeps_rests = false;  ///< of widths {16}: weights are packed with ConvRests
  /// K of a tap is cut into equal steps of at most as many bytes, each a multiple of 4.
  int step_bytes = 4;
  /// Every window is read from copied lines, so every window without dilation can fold.
  bool copies_lines = false;
  PackMatrixPanel pack_matrix_panel = nullptr;  ///< null: plain code
};

/// Sum of `count` bytes: the row sums of weights with zero points.
using SumBytes = std::int32_t (*)(const std::uint8_t* from, std::int64_t count);

/// What an instruction set with vectors supplies: a function per panel width.
struct ConvTiles : ConvPacking {
  std::array<void (*)(const ConvTile&), 3> run = {};
  SumBytes sum_bytes = nullptr;
};

void conv_tile_avx512_vnni_64(const ConvTile&);
void conv_tile_avx512_vnni_32(const ConvTile&);
void conv_tile_avx512_vnni_16(const ConvTile&);
void conv_tile_avxvnni_16(const ConvTile&);
void conv_tile_avx2_16(const ConvTile&);
std::int32_t sum_bytes_avx512_vnni(const std::uint8_t* from, std::int64_t count);
std::int32_t sum_bytes_avx2(const std::uint8_t* from, std::int64_t count);

}  // namespace intact::kernels
