// Copies of input lines with their padding. Plain header.
#pragma once

#include "kernels/conv/conv.hpp"

namespace intact::kernels {

/// Which bytes a copied line has.
struct LineCopy {
  const std::uint8_t* src = nullptr;
  std::ptrdiff_t src_pitch = 0;
  std::int64_t channel = 0, channels = 0;  ///< [channel, channel + channels) of every pixel
  std::int64_t pixels = 0;                 ///< of the copy
  std::int64_t first = 0, step = 1;        ///< pixel i is that of column first + i * step
  std::uint8_t padding = 0;                ///< where the input has no such column or line
};

/// Pixels without gaps. May read 15 bytes beyond the channels of a pixel.
void copy_line(const ConvShape& shape, const LineCopy& copy, std::int64_t image, std::int64_t z,
               std::int64_t y, std::uint8_t* to);

}  // namespace intact::kernels
