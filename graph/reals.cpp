// Conversions: one loop per pair of element types, generated from one template.
#include "graph/reals.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "graph/definition.hpp"
#include "graph/ops/dispatch.hpp"
#include "intact/error.hpp"

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

float bfloat_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

std::uint16_t float_to_bfloat(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

template <class To, class From>
To convert_element(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From{};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (std::isnan(value)) return 0;
    // The limits as powers of two are exact in floating point; the maxima of 32 and 64 bits are
    // not.
    constexpr int bits = std::numeric_limits<To>::digits;
    if (value >= std::ldexp(From{1}, bits)) return std::numeric_limits<To>::max();
    if (value <= static_cast<From>(std::numeric_limits<To>::min()))
      return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

Tensor half_as_float(const Tensor& tensor) {
  Tensor result(ElementType::f32, tensor.shape());
  const auto in = tensor.data<std::uint16_t>();
  const auto out = result.data<float>();
  const bool brain = tensor.type() == ElementType::bf16;
  for (std::size_t i = 0; i < in.size(); ++i)
    out[i] = brain ? bfloat_to_float(in[i]) : half_to_float(in[i]);
  return result;
}

Tensor float_as_half(const Tensor& tensor, ElementType to) {
  Tensor result(to, tensor.shape());
  const auto in = tensor.data<float>();
  const auto out = result.data<std::uint16_t>();
  const bool brain = to == ElementType::bf16;
  for (std::size_t i = 0; i < in.size(); ++i)
    out[i] = brain ? float_to_bfloat(in[i]) : float_to_half(in[i]);
  return result;
}

/// Integers into the range of the 4-bit types, which are held in bytes.
Tensor narrowed_to_nibbles(const Tensor& tensor, ElementType to) {
  Tensor wide = convert(tensor, to == ElementType::u4 ? ElementType::u8 : ElementType::s8).clone();
  auto* bytes = static_cast<std::uint8_t*>(wide.raw());
  Tensor result(to, tensor.shape());
  auto* out = static_cast<std::uint8_t*>(result.raw());
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    const auto low = static_cast<std::uint8_t>(bytes[i] & 15u);
    out[i] = to == ElementType::s4 && low > 7 ? static_cast<std::uint8_t>(low | 0xf0u) : low;
  }
  return result;
}

}  // namespace

Tensor convert(const Tensor& tensor, ElementType to) {
  if (tensor.type() == to) return tensor;
  if (is_half(tensor.type())) return convert(half_as_float(tensor), to);
  if (is_half(to)) return float_as_half(convert(tensor, ElementType::f32), to);
  if (to == ElementType::u4 || to == ElementType::s4) return narrowed_to_nibbles(tensor, to);
  Tensor result(to, tensor.shape());
  visit_element(tensor.type(), [&]<class From>(From) {
    visit_element(to, [&]<class To>(To) {
      const auto in = tensor.data<From>();
      const auto out = result.data<To>();
      for (std::size_t i = 0; i < in.size(); ++i) out[i] = convert_element<To>(in[i]);
    });
  });
  return result;
}

double round_to_integer(double x, double scale, std::int32_t zero_point, ElementType type) {
  const double low = lowest(type), high = highest(type);
  const double q = std::nearbyint(x / scale) + zero_point;
  if (std::isnan(q)) return low;
  return q < low ? low : q > high ? high : q;
}

namespace {

/// Calls body(element index, scale, zero point) for each element.
template <class Body>
void for_each_on_grid(const Shape& shape, std::int64_t size, const Grid& grid, Body body) {
  std::int64_t inner = std::max<std::int64_t>(size, 1), channels = 1;
  if (!grid.per_tensor()) {
    const auto axis = static_cast<std::size_t>(*grid.axis);
    if (axis >= shape.size() || shape[axis] != static_cast<std::int64_t>(grid.scale.size()))
      throw Error(fmt::format("a tensor of shape {} cannot lie on the grid {}", to_string(shape),
                              to_string(grid)));
    channels = shape[axis];
    inner = 1;
    for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  }
  for (std::int64_t i = 0; i < size; ++i) {
    const auto channel = static_cast<std::size_t>(i / inner % channels);
    body(static_cast<std::size_t>(i), static_cast<double>(grid.scale[channel]),
         grid.zero_point[channel]);
  }
}

}  // namespace

Tensor quantize(const Tensor& reals, const Grid& grid) {
  const Tensor wide = convert(reals, ElementType::f64);
  Tensor result(grid.type, reals.shape());
  const auto in = wide.data<double>();
  // ONNX divides f32 by f32. Rounded to float, the quotient of doubles is that quotient.
  const bool single = reals.type() == ElementType::f32;
  visit_element(grid.type, [&]<class T>(T) {
    const auto out = result.data<T>();
    for_each_on_grid(reals.shape(), reals.size(), grid,
                     [&](std::size_t i, double scale, std::int32_t zero_point) {
                       const double steps = in[i] / scale;
                       out[i] = static_cast<T>(round_to_integer(
                           single ? static_cast<double>(static_cast<float>(steps)) : steps, 1,
                           zero_point, grid.type));
                     });
  });
  return result;
}

Tensor dequantize(const Tensor& integers, const Grid& grid) {
  Tensor result(ElementType::f32, integers.shape());
  const auto out = result.data<float>();
  visit_element(integers.type(), [&]<class T>(T) {
    const auto in = integers.data<T>();
    for_each_on_grid(integers.shape(), integers.size(), grid,
                     [&](std::size_t i, double scale, std::int32_t zero_point) {
                       out[i] =
                           static_cast<float>(scale * (static_cast<double>(in[i]) - zero_point));
                     });
  });
  return result;
}

Tensor real_constant(const Value& value) {
  return value.grid && value.is_constant() ? dequantize(value.constant, *value.grid)
                                           : value.constant;
}

}  // namespace intact
