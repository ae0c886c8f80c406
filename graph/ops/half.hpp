// 16-bit floating-point numbers to double and back, rounded once, half to even.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace intact {

inline double half_to_double(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  double magnitude = 0;
  if (exponent == 31)
    magnitude = fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                              : std::numeric_limits<double>::infinity();
  else if (exponent == 0)
    magnitude = std::ldexp(fraction, -24);
  else
    magnitude = std::ldexp(1024 + fraction, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

inline std::uint16_t double_to_half(double x) {
  const std::uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  if (std::isnan(x)) return sign | 0x7e00;
  const double magnitude = std::fabs(x);
  if (magnitude >= 65520) return sign | 0x7c00;
  // Subnormal numbers share the quantum of the smallest normal ones.
  const int exponent = magnitude < 0x1p-14 ? -14 : std::ilogb(magnitude);
  const int steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  // A fraction that rounds up to the next power of two carries into the exponent by itself.
  return sign | static_cast<std::uint16_t>(steps + ((exponent + 14) << 10));
}

inline double bfloat16_to_double(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

inline std::uint16_t double_to_bfloat16(double x) {
  const std::uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  if (std::isnan(x)) return sign | 0x7fc0;
  const double magnitude = std::fabs(x);
  if (magnitude >= std::ldexp(511, 127 - 8)) return sign | 0x7f80;
  const int exponent = magnitude < 0x1p-126 ? -126 : std::ilogb(magnitude);
  const int steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 7 - exponent)));
  return sign | static_cast<std::uint16_t>(steps + ((exponent + 126) << 7));
}

}  // namespace intact
