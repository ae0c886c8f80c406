// The range of a tensor, which decides its grid where that is known at run time only. Plain header.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace intact::kernels {

/// The numbers from `low` to `high`. Begins as 0 alone, because every grid holds 0.
struct ValueRange {
  float low = 0, high = 0;
};

/// real = float(q - zero_point) * scale, with q from 0 to 255.
struct ByteGrid {
  float scale = 1;
  std::int32_t zero_point = 0;
};

/// As DynamicQuantizeLinear places it. Without finite ends the scale is not finite either.
inline ByteGrid byte_grid(ValueRange range) {
  const float scale = range.low == range.high ? 1 : (range.high - range.low) / 255;
  if (!std::isfinite(scale)) return {scale, 0};
  const float zero_point = std::nearbyintf(std::clamp(-range.low / scale, 0.0f, 255.0f));
  return {scale, static_cast<std::int32_t>(zero_point)};
}

}  // namespace intact::kernels
