// The AMX convolution on emulated tile registers, for CPUs that have none. Plain header.
#pragma once

#include "kernels/conv/kernels.hpp"

namespace intact::kernels {

/// Needs AVX-512 VNNI.
const ConvTiles& emulated_amx_tiles();

}  // namespace intact::kernels
