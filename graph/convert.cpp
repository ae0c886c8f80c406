// Conversions: one loop per pair of element types, generated from one template.
#include "graph/convert.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/grid.hpp"
#include "graph/dispatch.hpp"
#include "graph/half.hpp"

namespace intact {

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

}  // namespace intact
