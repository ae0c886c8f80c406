// The AMX convolution on emulated tile registers, for CPUs that have none.
#pragma once

#include "kernels/conv/block_kernel.hpp"

namespace intact::kernels {

/// Needs AVX-512 VNNI.
extern const BlockShapes emulated_amx_blocks;

/// All shapes of blocks, each for every convolution.
std::span<const ConvKernel> emulated_amx_kernels();

/// Uses of the emulated registers that the CPU would refuse: operands whose configured rows and
/// bytes do not match, or registers that are not configured.
int emulated_amx_faults();

}  // namespace intact::kernels
