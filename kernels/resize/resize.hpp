// Interpolation along up to three axes of images whose channels are innermost: each output
// position is a short weighted sum of input positions, one axis after the other. Bytes in are
// dequantized, bytes out are quantized, in between are two lines of floats in scratch: byte forms
// equal dequantize, the float form and quantize to the bit. Plain header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/thread_team.hpp"
#include "intact/isa.hpp"
#include "kernels/element.hpp"

namespace intact::kernels {

/// Element position i is w[0] * x[index[0]], then fma(w[k], x[index[k]], sum) for the other taps k,
/// of weights and indices from i * taps on. One tap copies: its weight does not count.
struct ResizeTaps {
  std::int64_t in = 1, out = 1, taps = 1;
  const std::int32_t* index = nullptr;    ///< [out * taps], within [0, in)
  const float* weight = nullptr;          ///< [out * taps]
  const std::uint8_t* outside = nullptr;  ///< [out] or null: not 0 where the result is extrapolated
};

/// Pixel p = ((image * depth + d) * height + h) * width + w is at data + p * pitch, in elements.
struct ResizeArgs {
  std::int64_t batch = 1, channels = 1;
  ResizeTaps axis[3];           ///< depth, height, width, in this order
  Element input = Element::u8;  ///< type of the source
  const void* src = nullptr;
  std::ptrdiff_t src_pitch = 0;
  float src_scale = 1;  ///< u8: x = float(q - src_zero_point) * src_scale
  std::int32_t src_zero_point = 0;
  Element output = Element::u8;
  void* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
  float dst_scale = 1;  ///< u8: q = clamp(half_even(y / dst_scale) + dst_zero_point, 0, 255)
  std::int32_t dst_zero_point = 0;  ///< NaN becomes 0
  float extrapolation = 0;          ///< the real number where an axis says outside
  float* scratch = nullptr;         ///< of this thread, resize_scratch(...) floats
  /// Output rows to compute, counted over images, depth and height; the first one is at dst. No
  /// number: all.
  std::int64_t first_row = 0;
  std::optional<std::int64_t> rows;
};

/// Two lines of the input's width.
inline std::int64_t resize_scratch(std::int64_t width, std::int64_t channels) {
  return 2 * ((width * channels + 15) / 16 * 16);
}

struct ResizeKernel {
  const char* name;
  Isa isa;
  void (*run)(const ResizeArgs&, Part part);
};
std::span<const ResizeKernel> resize_kernels();

}  // namespace intact::kernels
