// Loops that the element-wise families share. Half precision computes in f32; a mix of f32 and f64
// computes in f64, so that a chain with f32 constants can be evaluated in double (byte tables).
#pragma once

#include <algorithm>
#include <type_traits>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/half.hpp"
#include "graph/ops/evaluation.hpp"

namespace intact {

/// Broadcast shape and common type of operands [first, last); throws Error when they do not fit.
TensorType common_type(const InferContext& context, std::size_t first, std::size_t last);

/// Type that a computation on elements of `type` uses: f32 for half precision.
inline ElementType computing_type(ElementType type) {
  return is_half(type) ? ElementType::f32 : type;
}

/// An operand converted to `type` and expanded to `shape`.
inline Tensor operand(const Node& node, const Tensor& tensor, ElementType type,
                      const Shape& shape) {
  return broadcast_to(node, convert(tensor, type), shape);
}

/// out[i] = f(a[i], b[i]) with all three of the type `type.type`.
template <class F>
Tensor map_pairs(const Node& node, const Tensor& a, const Tensor& b, const TensorType& type, F f) {
  const ElementType computing = computing_type(type.type);
  const Tensor left = operand(node, a, computing, *type.shape);
  const Tensor right = operand(node, b, computing, *type.shape);
  Tensor result = allocate(node, {computing, type.shape});
  visit_number(computing, [&]<class T>(T) {
    const auto x = left.data<T>(), y = right.data<T>();
    const auto out = result.data<T>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(f(x[i], y[i]));
  });
  return convert(result, type.type);
}

/// out[i] = f(x[i]) with elements of one type.
template <class F>
Tensor map_elements(const Node& node, const Tensor& tensor, F f) {
  const Tensor in = convert(tensor, computing_type(tensor.type()));
  Tensor result = allocate(node, {in.type(), in.shape()});
  visit_number(in.type(), [&]<class T>(T) {
    const auto x = in.data<T>();
    const auto out = result.data<T>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(f(x[i]));
  });
  return convert(result, tensor.type());
}

/// out[i] = f(x[i]) in double, rounded once to the type of the (floating-point) elements.
template <class F>
Tensor map_reals(const Node& node, const Tensor& tensor, F f) {
  if (!is_float(tensor.type()))
    refuse_unsupported(node, "elements of type {} are not supported, only floating-point ones",
                       element_name(tensor.type()));
  return map_elements(node, tensor, [&](auto x) { return f(static_cast<double>(x)); });
}

inline Definition elementwise_definition(std::string_view op, decltype(Definition::infer) infer,
                                         decltype(Definition::evaluate) evaluate) {
  return {.op = op, .infer = infer, .evaluate = evaluate, .elementwise = true};
}

/// +, -, * that wrap for integers instead of overflowing.
template <class T, class F>
T wrapping(T a, T b, F f) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(f(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
  else
    return f(a, b);
}

/// The greater, or NaN when one is NaN.
template <class T>
T greater_of(T a, T b) {
  return a != a || a > b ? a : b;
}
template <class T>
T lesser_of(T a, T b) {
  return a != a || a < b ? a : b;
}

}  // namespace intact
