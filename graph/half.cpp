// Half precision and 8-bit floats, bit by bit.
#include "graph/half.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace intact {

float half_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 31u;
  const std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
  return sign != 0 ? -magnitude : magnitude;
}

std::uint16_t float_to_half(float value) {
  const auto sign = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16 & 0x8000u);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return sign | 0x7e00u;
  if (magnitude == 0.0f) return sign;
  if (magnitude >= 65520.0f) return sign | 0x7c00u;  // halfway between 65504 and 65536 rounds up
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  // One unit in the last place is 2^(exponent - 11), and 2^-24 for subnormal numbers.
  const int unit = std::max(exponent - 11, -24);
  const auto steps = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(magnitude, -unit)));
  // A carry out of the fraction moves into the exponent by itself.
  return static_cast<std::uint16_t>(sign + (static_cast<std::uint32_t>(unit + 24) << 10) + steps);
}

namespace {

/// The layout of an 8-bit float: sign, exponent, `fraction` bits.
struct Float8 {
  int fraction;
  int bias;
  bool negative_zero_is_nan;  ///< "fnuz": no infinities, no other NaN
  bool has_infinity;
  float largest;
};

Float8 layout_of(ElementType type) {
  switch (type) {
    case ElementType::f8e4m3fn:
      return {3, 7, false, false, 448.0f};
    case ElementType::f8e4m3fnuz:
      return {3, 8, true, false, 240.0f};
    case ElementType::f8e5m2:
      return {2, 15, false, true, 57344.0f};
    default:
      return {2, 16, true, false, 57344.0f};
  }
}

}  // namespace

float float8_to_float(std::uint8_t bits, ElementType type) {
  const Float8 form = layout_of(type);
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  if (form.negative_zero_is_nan && bits == 0x80) return nan;
  const float sign = (bits & 0x80u) != 0 ? -1.0f : 1.0f;
  const int exponent = (bits & 0x7f) >> form.fraction;
  const int fraction = bits & ((1 << form.fraction) - 1);
  if (form.has_infinity && exponent == 31)
    return fraction == 0 ? sign * std::numeric_limits<float>::infinity() : nan;
  if (type == ElementType::f8e4m3fn && (bits & 0x7f) == 0x7f) return nan;
  const int whole = exponent == 0 ? fraction : fraction + (1 << form.fraction);
  return sign *
         std::ldexp(static_cast<float>(whole), std::max(exponent, 1) - form.bias - form.fraction);
}

std::uint8_t float_to_float8(float value, ElementType type, bool saturate) {
  const Float8 form = layout_of(type);
  const unsigned sign = std::signbit(value) ? 0x80u : 0;
  const std::uint8_t nan =
      static_cast<std::uint8_t>(form.negative_zero_is_nan ? 0x80u : sign | 0x7fu);
  if (std::isnan(value)) return nan;
  const float magnitude = std::fabs(value);
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  // One unit in the last place, as in float_to_half.
  const int lowest_unit = 1 - form.bias - form.fraction;
  const int unit = std::max(exponent - 1 - form.fraction, lowest_unit);
  const float rounded = std::isinf(magnitude)
                            ? magnitude
                            : std::ldexp(std::nearbyint(std::ldexp(magnitude, -unit)), unit);
  if (rounded > form.largest) {
    if (saturate) return float_to_float8(std::copysign(form.largest, value), type);
    return form.has_infinity ? static_cast<std::uint8_t>(sign | 0x7cu) : nan;
  }
  if (rounded == 0) return static_cast<std::uint8_t>(form.negative_zero_is_nan ? 0 : sign);
  const auto steps = static_cast<unsigned>(std::ldexp(rounded, -unit));
  return static_cast<std::uint8_t>(
      sign + (static_cast<unsigned>(unit - lowest_unit) << form.fraction) + steps);
}

}  // namespace intact
