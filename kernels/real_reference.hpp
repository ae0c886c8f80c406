// The scalar definition of what real_elements.hpp does. Internal linkage.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/epilogue.hpp"

namespace intact::kernels {
namespace {

inline float read_real(Output type, const void* data, std::ptrdiff_t at, float scale,
                       std::int32_t zero_point) {
  if (type == Output::f32) return static_cast<const float*>(data)[at];
  const int q = static_cast<const std::uint8_t*>(data)[at];
  return static_cast<float>(q - zero_point) * scale;
}

inline void write_real(Output type, void* data, std::ptrdiff_t at, float y, float scale,
                       std::int32_t zero_point) {
  if (type == Output::f32) {
    static_cast<float*>(data)[at] = y;
    return;
  }
  const float steps = y / scale;
  const float lowest = static_cast<float>(-zero_point);
  const float bounded =
      std::isnan(steps) ? lowest : std::clamp(steps, lowest, static_cast<float>(255 - zero_point));
  static_cast<std::uint8_t*>(data)[at] =
      static_cast<std::uint8_t>(static_cast<std::int32_t>(std::nearbyintf(bounded)) + zero_point);
}

}  // namespace
}  // namespace intact::kernels
