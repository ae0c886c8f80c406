// The image pixels under one window as a list of pointers, for kernels of any window. Plain header;
// internal linkage, because it is compiled into files with different instruction sets.
#pragma once

#include "kernels/pool/window.hpp"

namespace intact::kernels {
namespace {

/// Writes taps() pointers, (d, h, w) order: to channel 0 of the pixel under each tap, or to
/// `padding` for taps outside the image.
[[maybe_unused]] void gather_taps(const ConvShape& shape, const std::uint8_t* src,
                                  std::ptrdiff_t pitch, const Window& window,
                                  const std::uint8_t* padding, const std::uint8_t** taps) {
  const auto inside = [&](int axis, long k) {
    return k >= window.axis[axis].begin && k < window.axis[axis].end;
  };
  for (long kd = 0; kd < shape.kernel[0]; ++kd)
    for (long kh = 0; kh < shape.kernel[1]; ++kh) {
      const bool row_inside = inside(0, kd) && inside(1, kh);
      for (long kw = 0; kw < shape.kernel[2]; ++kw)
        *taps++ = row_inside && inside(2, kw) ? src + input_pixel(shape, window, kd, kh, kw) * pitch
                                              : padding;
    }
}

}  // namespace
}  // namespace intact::kernels
