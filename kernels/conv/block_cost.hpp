// What a convolution on tile registers is expected to cost, to choose the shape of its blocks.
#pragma once

#include "kernels/conv/blocks.hpp"

namespace intact::kernels {

/// Clocks of one thread. Meant to compare shapes of blocks for one convolution: what they share
/// (copies of lines, reading cold weights) is left out.
double block_clocks(const ConvBlocks& blocks, const ConvShape& shape);

}  // namespace intact::kernels
