// Tiles for a TileStage from kernels that only write to memory: the convolution is cut into
// convolutions of a few output lines, each of which the kernel writes as floats into scratch
// memory. So two products of the same outputs can be handed over together. Plain header.
#pragma once

#include "kernels/conv/conv.hpp"

namespace intact::kernels {

/// Restricts an axis to the outputs [begin, begin + count) and to the inputs that they meet, of
/// which there is at least one. Returns the first of these inputs.
std::int64_t restrict_axis(ConvShape& shape, int axis, std::int64_t begin, std::int64_t count);

/// The packed weights must not depend on the extents of input and output.
struct LineProduct {
  const ConvKernel* kernel = nullptr;
  const ConvShape* shape = nullptr;
  const ConvArgs* args = nullptr;
};

/// Scratch of one thread: the kernels' own and the lines. Needs no args.
std::size_t by_lines_bytes(std::span<const LineProduct> products);

/// One product, or two with equal output pixels and channels: the second one's results come as
/// Tile::other. The stage, and the scratch memory for both, are those of the first one's args.
/// Lines are divided among the parts.
void run_by_lines(std::span<const LineProduct> products, Part part);

}  // namespace intact::kernels
