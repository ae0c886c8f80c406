// Which shapes are windows over single planes. Plain header; internal linkage, because it is
// compiled into files with different instruction sets.
#pragma once

#include "kernels/conv/conv.hpp"

namespace intact::kernels {
namespace {

/// For kernels whose window slides over each plane of the image by itself, without gaps.
[[maybe_unused]] const char* refuses_plane_windows(const ConvShape& shape) {
  if (shape.kernel[0] != 1 || shape.stride[0] != 1 || shape.pad_begin[0] != 0 ||
      shape.in[0] != shape.out[0])
    return "window over depth";
  if (shape.dilation[1] != 1 || shape.dilation[2] != 1) return "dilation";
  if (shape.pad_begin[1] < 0 || shape.pad_begin[2] < 0) return "negative padding";
  return nullptr;
}

}  // namespace
}  // namespace intact::kernels
