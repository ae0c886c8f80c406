// Conversions between element types and double; see numeric.hpp.
#include "graph/ops/numeric.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/ops/half.hpp"

namespace intact {
namespace {

template <class T>
T round_saturated(double x, double low, double high) {
  if (std::isnan(x)) return T{0};
  const double rounded = std::nearbyint(x);
  // The comparisons are with doubles: the highest 64-bit integers have none of their own.
  if (rounded <= low) return static_cast<T>(low);
  if (rounded >= high)
    return static_cast<T>(high < 0x1p63 ? static_cast<T>(high) : std::numeric_limits<T>::max());
  return static_cast<T>(rounded);
}

template <class T>
void convert(std::span<const double> from, std::span<T> to, double low, double high) {
  std::transform(from.begin(), from.end(), to.begin(),
                 [=](double x) { return round_saturated<T>(x, low, high); });
}

}  // namespace

bool is_floating(ElementType type) {
  return type == ElementType::f16 || type == ElementType::bf16 || type == ElementType::f32 ||
         type == ElementType::f64;
}

Tensor to_double(const Tensor& tensor) {
  if (tensor.type() == ElementType::f64) return tensor;
  Tensor result(ElementType::f64, tensor.shape());
  const auto out = result.data<double>();
  if (tensor.type() == ElementType::f16 || tensor.type() == ElementType::bf16) {
    const auto in = tensor.data<std::uint16_t>();
    const auto widen = tensor.type() == ElementType::f16 ? half_to_double : bfloat16_to_double;
    std::transform(in.begin(), in.end(), out.begin(), widen);
    return result;
  }
  visit_type(tensor.type(), [&]<class T>(std::type_identity<T>) {
    const auto in = tensor.data<T>();
    std::transform(in.begin(), in.end(), out.begin(), [](T x) { return static_cast<double>(x); });
  });
  return result;
}

Tensor from_double(const Tensor& tensor, ElementType type) {
  if (type == ElementType::f64) return tensor;
  const auto in = tensor.data<double>();
  Tensor result(type, tensor.shape());
  if (type == ElementType::f16 || type == ElementType::bf16) {
    const auto narrow = type == ElementType::f16 ? double_to_half : double_to_bfloat16;
    std::transform(in.begin(), in.end(), result.data<std::uint16_t>().begin(), narrow);
    return result;
  }
  visit_type(type, [&]<class T>(std::type_identity<T>) {
    const auto out = result.data<T>();
    if constexpr (std::is_same_v<T, bool>)
      std::transform(in.begin(), in.end(), out.begin(), [](double x) { return x != 0; });
    else if constexpr (std::is_floating_point_v<T>)
      std::transform(in.begin(), in.end(), out.begin(), [](double x) { return static_cast<T>(x); });
    else if (type == ElementType::u4)
      convert<T>(in, out, 0, 15);
    else if (type == ElementType::s4)
      convert<T>(in, out, -8, 7);
    else
      convert<T>(in, out, static_cast<double>(std::numeric_limits<T>::min()),
                 static_cast<double>(std::numeric_limits<T>::max()));
  });
  return result;
}

}  // namespace intact
