// Tiles for a TileStage from a kernel that only writes to memory: the convolution is cut into
// convolutions of a few output lines, each of which the kernel writes as floats into scratch
// memory. Plain header.
#pragma once

#include "kernels/conv/conv.hpp"

namespace intact::kernels {

/// Scratch of one thread: the kernel's own and the lines.
std::size_t by_lines_bytes(const ConvKernel& kernel, const ConvShape& shape);

/// `args.epilogue.tiles` is set, and `args.scratch` has by_lines_bytes. The packed weights of the
/// kernel must not depend on the extents of input and output. Lines are divided among the parts.
void run_by_lines(const ConvKernel& kernel, const ConvShape& shape, const ConvArgs& args,
                  Part part);

}  // namespace intact::kernels
