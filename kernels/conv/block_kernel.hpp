// Kernels of an instruction set with tile registers: one per shape of its blocks, each for the
// convolutions that it is the fastest for.
#pragma once

#include "kernels/conv/block_cost.hpp"

namespace intact::kernels {

/// Shapes whose blocks are 16 x 64, 32 x 32 and 64 x 16; channels that are left over take the
/// narrower ones.
using BlockShapes = std::array<ConvBlocks, 3>;

constexpr BlockShapes block_shapes(const std::array<RunBlocks, 3>& run, SumBytes sum_bytes,
                                   void (*end)()) {
  BlockShapes shapes;
  for (int first = 0; first < 3; ++first) {
    ConvBlocks& blocks = shapes[static_cast<std::size_t>(first)];
    blocks.step_bytes = 64;
    blocks.copies_lines = true;
    for (int i = first; i < 3; ++i) {
      const auto to = static_cast<std::size_t>(blocks.width_count++);
      blocks.widths[to] = 64 >> i;
      blocks.run[to] = run[static_cast<std::size_t>(i)];
    }
    blocks.sum_bytes = sum_bytes;
    blocks.end = end;
  }
  return shapes;
}

/// The index of the shape whose blocks are expected to take the fewest clocks; of equal ones, the
/// one that has no panels it does not use.
inline std::size_t fastest_blocks(const BlockShapes& shapes, const ConvShape& shape) {
  std::size_t best = 0;
  double fewest = block_clocks(shapes[0], shape);
  for (std::size_t i = 1; i < shapes.size(); ++i)
    if (const double clocks = block_clocks(shapes[i], shape); clocks <= fewest) {
      fewest = clocks;
      best = i;
    }
  return best;
}

template <const BlockShapes& shapes, std::size_t index>
const char* refuses_blocks(const ConvShape& shape, const ConvWeights&) {
  // A tile multiplies 16 rows in the time of one; up to here vectors are faster.
  if (shape.out_pixels() <= 4) return "4 pixels or fewer";
  if (shape.in_channels == 0) return "no input channels";
  return fastest_blocks(shapes, shape) == index ? nullptr : "blocks of another shape are faster";
}

template <const BlockShapes& shapes, std::size_t index>
ConvKernel block_kernel(const char* name, Isa isa) {
  return {name,
          isa,
          refuses_blocks<shapes, index>,
          [](const ConvShape& shape) { return packed_conv_bytes(shapes[index], shape); },
          [](const ConvShape& shape, const ConvWeights& weights, void* packed) {
            (weights.matrix ? pack_matrix : pack_conv)(shapes[index], shape, weights, packed);
          },
          [](const ConvShape& shape) { return conv_blocks_scratch_bytes(shapes[index], shape); },
          [](const ConvShape& shape, const ConvArgs& args, Part part) {
            run_conv_blocks(shapes[index], shape, args, part);
          }};
}

}  // namespace intact::kernels
