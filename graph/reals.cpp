// Conversions: one loop per pair of element types, generated from one template.
#include "graph/reals.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "graph/definition.hpp"
#include "graph/dispatch.hpp"
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

bool is_narrow(ElementType type) {
  return type >= ElementType::u4 && type <= ElementType::s2;
}

/// Integers into the range of types of 4 and 2 bits, which are held in bytes.
Tensor narrowed(const Tensor& tensor, ElementType to) {
  const bool is_signed = lowest(to) < 0;
  const Tensor wide = convert(tensor, is_signed ? ElementType::s8 : ElementType::u8);
  const auto* bytes = static_cast<const std::uint8_t*>(wide.raw());
  const int count = highest(to) - lowest(to) + 1;
  Tensor result(to, tensor.shape());
  auto* out = static_cast<std::uint8_t*>(result.raw());
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    const int low = bytes[i] & (count - 1);
    out[i] = static_cast<std::uint8_t>(low > highest(to) ? low - count : low);
  }
  return result;
}

Tensor float8_as_float(const Tensor& tensor) {
  Tensor result(ElementType::f32, tensor.shape());
  const auto* in = static_cast<const std::uint8_t*>(tensor.raw());
  const auto out = result.data<float>();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = float8_to_float(in[i], tensor.type());
  return result;
}

Tensor float_as_float8(const Tensor& tensor, ElementType to, bool saturate) {
  Tensor result(to, tensor.shape());
  const auto in = tensor.data<float>();
  auto* out = static_cast<std::uint8_t*>(result.raw());
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = float_to_float8(in[i], to, saturate);
  return result;
}

}  // namespace

Tensor convert(const Tensor& tensor, ElementType to, bool saturate) {
  if (tensor.type() == to) return tensor;
  if (is_half(tensor.type())) return convert(half_as_float(tensor), to, saturate);
  if (is_half(to)) return float_as_half(convert(tensor, ElementType::f32), to);
  if (is_float8(tensor.type())) return convert(float8_as_float(tensor), to, saturate);
  if (is_float8(to)) return float_as_float8(convert(tensor, ElementType::f32), to, saturate);
  if (is_narrow(to)) return narrowed(tensor, to);
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
  const std::optional<std::int64_t> scales = grid.scales_for(shape);
  if (!scales || *scales != static_cast<std::int64_t>(grid.scale.size()))
    throw Error(fmt::format("a tensor of shape {} cannot lie on the grid {}", to_string(shape),
                            to_string(grid)));
  // Neighbours along the axis are `inner` apart; `run` of them share a scale.
  std::int64_t inner = std::max<std::int64_t>(size, 1), extent = 1;
  if (!grid.per_tensor()) {
    const auto axis = static_cast<std::size_t>(*grid.axis);
    extent = shape[axis];
    inner = 1;
    for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  }
  const std::int64_t run = std::max<std::int64_t>(grid.block, 1);
  const std::int64_t blocks = extent / run + (extent % run != 0 ? 1 : 0);
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t at = i / inner % extent / run;
    const std::int64_t entry =
        grid.block == 0 ? at : (i / inner / extent * blocks + at) * inner + i % inner;
    const auto k = static_cast<std::size_t>(entry);
    body(static_cast<std::size_t>(i), static_cast<double>(grid.scale[k]), grid.zero_point[k]);
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

Tensor steps_of(const Tensor& reals, const Grid& grid) {
  const Tensor wide = convert(reals, ElementType::f64);
  Tensor result(ElementType::f32, reals.shape());
  const auto in = wide.data<double>();
  const auto out = result.data<float>();
  for_each_on_grid(reals.shape(), reals.size(), grid,
                   [&](std::size_t i, double scale, std::int32_t) {
                     out[i] = static_cast<float>(in[i] / scale);
                   });
  return result;
}

namespace {

template <class Real>
Tensor reals_of(const Tensor& integers, const Grid& grid) {
  Tensor result(element_type_of<Real>(), integers.shape());
  const auto out = result.data<Real>();
  visit_element(integers.type(), [&]<class T>(T) {
    const auto in = integers.data<T>();
    for_each_on_grid(integers.shape(), integers.size(), grid,
                     [&](std::size_t i, double scale, std::int32_t zero_point) {
                       out[i] =
                           static_cast<Real>(scale * (static_cast<double>(in[i]) - zero_point));
                     });
  });
  return result;
}

}  // namespace

Tensor dequantize(const Tensor& integers, const Grid& grid) {
  return reals_of<float>(integers, grid);
}

Tensor exact_reals(const Tensor& integers, const Grid& grid) {
  return reals_of<double>(integers, grid);
}

Tensor real_constant(const Value& value) {
  return value.grid && value.is_constant() ? dequantize(value.constant, *value.grid)
                                           : value.constant;
}

}  // namespace intact
