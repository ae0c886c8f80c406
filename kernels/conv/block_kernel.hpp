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
    blocks.pack_matrix_panel = pack_matrix_panel_avx512_vnni;
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

inline const char* refuses_nothing_to_multiply(const ConvShape& shape, const ConvWeights&) {
  return shape.in_channels == 0 ? "no input channels" : nullptr;
}

template <const BlockShapes& shapes, std::size_t index>
ConvKernel block_kernel(const char* name, Isa isa, decltype(ConvKernel::refuses) refuses) {
  return {name,
          isa,
          refuses,
          [](const ConvShape& shape) { return packed_conv_bytes(shapes[index], shape); },
          [](const ConvShape& shape, const ConvWeights& weights, void* packed) {
            (weights.matrix ? pack_matrix : pack_conv)(shapes[index], shape, weights, packed);
          },
          [](const ConvShape& shape) { return conv_blocks_scratch_bytes(shapes[index], shape); },
          [](const ConvShape& shape, const ConvArgs& args, Part part) {
            run_conv_blocks(shapes[index], shape, args, part);
          },
          false,
          block_rows(shapes[index].widths[0])};
}

/// One for each shape of blocks, for whatever it can multiply.
template <const BlockShapes& shapes>
std::array<ConvKernel, 3> every_block_kernel(const std::array<const char*, 3>& names, Isa isa) {
  return {block_kernel<shapes, 0>(names[0], isa, refuses_nothing_to_multiply),
          block_kernel<shapes, 1>(names[1], isa, refuses_nothing_to_multiply),
          block_kernel<shapes, 2>(names[2], isa, refuses_nothing_to_multiply)};
}

}  // namespace intact::kernels
