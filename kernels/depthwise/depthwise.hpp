// Depthwise integer convolution: groups == in_channels == out_channels. Contract as in
// kernels/conv/conv.hpp. Plain header.
#pragma once

#include "kernels/conv/conv.hpp"

namespace intact::kernels {

std::span<const ConvKernel> depthwise_kernels();

}  // namespace intact::kernels
