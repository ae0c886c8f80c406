// The scalar definition of what real_elements.hpp does. Internal linkage.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/element.hpp"

namespace intact::kernels {
namespace {

inline float read_real(Element type, const void* data, std::ptrdiff_t at, float scale,
                       std::int32_t zero_point) {
  if (type == Element::f32) return static_cast<const float*>(data)[at];
  const int q = type == Element::u8 ? static_cast<const std::uint8_t*>(data)[at]
                                    : static_cast<const std::uint16_t*>(data)[at];
  return static_cast<float>(q - zero_point) * scale;
}

inline void write_real(Element type, void* data, std::ptrdiff_t at, float y, float scale,
                       std::int32_t zero_point) {
  if (type == Element::f32) {
    static_cast<float*>(data)[at] = y;
    return;
  }
  const float steps = y / scale;
  const float lowest = static_cast<float>(-zero_point);
  const float greatest = static_cast<float>(greatest_of(type) - zero_point);
  const float bounded = std::isnan(steps) ? lowest : std::clamp(steps, lowest, greatest);
  const std::int32_t q = static_cast<std::int32_t>(std::nearbyintf(bounded)) + zero_point;
  if (type == Element::u8)
    static_cast<std::uint8_t*>(data)[at] = static_cast<std::uint8_t>(q);
  else
    static_cast<std::uint16_t*>(data)[at] = static_cast<std::uint16_t>(q);
}

}  // namespace
}  // namespace intact::kernels
