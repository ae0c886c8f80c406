// Elements as double; see values.hpp.
#include "tools/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "intact/error.hpp"

namespace intact::tools {
namespace {

double half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double magnitude = 0;
  if (exponent == 31) {
    magnitude = fraction == 0 ? std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(fraction, -24);
  } else {
    magnitude = std::ldexp(1024 + fraction, exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

template <class T>
T load(const Tensor& tensor, std::int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(tensor.raw()) + index * std::int64_t{sizeof(T)},
              sizeof(T));
  return value;
}

/// Sign, exponent and `fraction` bits; `fnuz`: no infinities, the negative zero is NaN.
double float8_value(std::uint8_t bits, int fraction, int bias, bool fnuz) {
  const int exponent = (bits & 0x7f) >> fraction, whole = bits & ((1 << fraction) - 1);
  const double sign = (bits & 0x80) != 0 ? -1 : 1;
  if (fnuz ? bits == 0x80 : fraction == 3 && (bits & 0x7f) == 0x7f) return std::nan("");
  if (!fnuz && fraction == 2 && exponent == 31)
    return whole == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
  const int hidden = exponent == 0 ? 0 : 1 << fraction;
  return sign * std::ldexp(whole + hidden, std::max(exponent, 1) - bias - fraction);
}

}  // namespace

double value_at(const Tensor& tensor, std::int64_t index) {
  switch (tensor.type()) {
    case ElementType::f32:
      return load<float>(tensor, index);
    case ElementType::f64:
      return load<double>(tensor, index);
    case ElementType::f16:
      return half_value(load<std::uint16_t>(tensor, index));
    case ElementType::bf16:
      return std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(tensor, index))
                                  << 16);
    case ElementType::u8:
    case ElementType::u4:
    case ElementType::u2:
    case ElementType::boolean:
      return load<std::uint8_t>(tensor, index);
    case ElementType::s8:
    case ElementType::s4:
    case ElementType::s2:
      return load<std::int8_t>(tensor, index);
    case ElementType::u16:
      return load<std::uint16_t>(tensor, index);
    case ElementType::s16:
      return load<std::int16_t>(tensor, index);
    case ElementType::u32:
      return load<std::uint32_t>(tensor, index);
    case ElementType::s32:
      return load<std::int32_t>(tensor, index);
    case ElementType::u64:
      return static_cast<double>(load<std::uint64_t>(tensor, index));
    case ElementType::s64:
      return static_cast<double>(load<std::int64_t>(tensor, index));
    case ElementType::f8e4m3fn:
      return float8_value(load<std::uint8_t>(tensor, index), 3, 7, false);
    case ElementType::f8e4m3fnuz:
      return float8_value(load<std::uint8_t>(tensor, index), 3, 8, true);
    case ElementType::f8e5m2:
      return float8_value(load<std::uint8_t>(tensor, index), 2, 15, false);
    case ElementType::f8e5m2fnuz:
      return float8_value(load<std::uint8_t>(tensor, index), 2, 16, true);
    default:
      break;
  }
  throw Unsupported(
      fmt::format("tensors of {} have no numeric value here", element_name(tensor.type())));
}

std::vector<double> to_doubles(const Tensor& tensor) {
  std::vector<double> values(static_cast<std::size_t>(tensor.size()));
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    values[static_cast<std::size_t>(i)] = value_at(tensor, i);
  }
  return values;
}

}  // namespace intact::tools
