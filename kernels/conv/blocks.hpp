// Convolution on tile registers (AMX): what the driver and the instruction set tell each other.
//
// The driver finds rows of input at equal distances, in place or in copied lines, and cuts them
// into blocks; the instruction set multiplies a block with a panel of channels and puts the
// epilogue of the block before between its products. A block has 1024 outputs at most: 16 rows x 64
// channels, 32 x 32 or 64 x 16. Plain header.
#pragma once

#include "kernels/conv/packed.hpp"

namespace intact::kernels {

/// Rows of a block at most, for panels of `width` channels.
constexpr int block_rows(int width) {
  return 1024 / width;
}

/// Outputs that the epilogue takes at a time: `rows` neighbouring pixels, at most 64 / width.
struct BlockQuad {
  std::uint8_t row = 0;  ///< of the block
  std::uint8_t rows = 0;
  std::uint8_t pixel = 0;  ///< counted from the block's first one
};

/// Rows [rows + i * BlockRows::step]; all blocks of a chunk have the same number of them. Which of
/// them are outputs, and not yet those of the block before, the quads say.
struct RowBlock {
  const std::uint8_t* rows = nullptr;
  const BlockQuad* quads = nullptr;
  std::int32_t quad_count = 0;   ///< at least 1
  std::int32_t first_row = 0;    ///< index into row_sums
  std::int64_t first_pixel = 0;  ///< of the first quad, counted from the chunk's first one
};

/// The rows of a chunk.
struct BlockRows {
  const RowBlock* blocks = nullptr;
  std::int64_t block_count = 0;
  std::int64_t height = 0;                  ///< rows of every block, at most block_rows(width)
  std::ptrdiff_t step = 0;                  ///< bytes from one row to the next
  const std::int64_t* k_offsets = nullptr;  ///< [k_steps]: from a row to the bytes of each step
  std::int64_t k_steps = 0;
  int step_groups = 0;  ///< of 4 bytes of K in a step, at most 16
  /// Of each row, with 3 readable beyond; null: all zero points of weights are zero.
  const std::int32_t* row_sums = nullptr;
};

/// A panel of channels: weights [k_step][step_group][column][4], and vectors in the packed order.
struct BlockPanel {
  const std::int8_t* weights = nullptr;
  const float* multiplier = nullptr;
  const float* float_bias = nullptr;
  const std::int32_t* bias = nullptr;
  const std::int32_t* zero_point = nullptr;  ///< only with row_sums
  EpilogueTarget target;                     ///< of the chunk's first pixel
  std::int64_t channel = 0;                  ///< for the TileStage
  /// What the next panel multiplies: brought into the second-level cache meanwhile.
  const std::int8_t* next_weights = nullptr;
  std::int64_t next_bytes = 0;
};

/// Where results wait for a TileStage: a block of floats, and the pixel that the chunk starts at.
struct BlockStage {
  float* floats = nullptr;
  std::int64_t first_pixel = 0;
};

/// Panels of one width over all rows of a chunk.
using RunBlocks = void (*)(const BlockRows&, const BlockPanel* panels, int panel_count,
                           const Epilogue&, const BlockStage&);

/// What an instruction set with tile registers supplies: a function per panel width.
struct ConvBlocks : ConvPacking {
  std::array<RunBlocks, 3> run = {};
  SumBytes sum_bytes = nullptr;
  /// After the last run of a thread.
  void (*end)() = nullptr;
};

std::size_t conv_blocks_scratch_bytes(const ConvBlocks& blocks, const ConvShape& shape);
void run_conv_blocks(const ConvBlocks& blocks, const ConvShape& shape, const ConvArgs& args,
                     Part part);

void conv_blocks_amx_64(const BlockRows&, const BlockPanel*, int, const Epilogue&,
                        const BlockStage&);
void conv_blocks_amx_32(const BlockRows&, const BlockPanel*, int, const Epilogue&,
                        const BlockStage&);
void conv_blocks_amx_16(const BlockRows&, const BlockPanel*, int, const Epilogue&,
                        const BlockStage&);
void conv_blocks_amx_end();

}  // namespace intact::kernels
