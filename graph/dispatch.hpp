// From a run-time element type to a C++ type.
#pragma once

#include <fmt/format.h>

#include "intact/error.hpp"
#include "intact/tensor.hpp"

namespace intact {

/// Calls body(T{}) with the C++ type of the elements, which must be numbers; narrow integers as
/// bytes. Throws Unsupported for half precision and 8-bit floats (convert first), booleans and
/// strings.
template <class Body>
decltype(auto) visit_number(ElementType type, Body body) {
  switch (type) {
    case ElementType::f32:
      return body(float{});
    case ElementType::f64:
      return body(double{});
    case ElementType::u2:
    case ElementType::u4:
    case ElementType::u8:
      return body(std::uint8_t{});
    case ElementType::s2:
    case ElementType::s4:
    case ElementType::s8:
      return body(std::int8_t{});
    case ElementType::u16:
      return body(std::uint16_t{});
    case ElementType::s16:
      return body(std::int16_t{});
    case ElementType::u32:
      return body(std::uint32_t{});
    case ElementType::s32:
      return body(std::int32_t{});
    case ElementType::u64:
      return body(std::uint64_t{});
    case ElementType::s64:
      return body(std::int64_t{});
    default:
      break;
  }
  throw Unsupported(fmt::format("elements of type {} are not supported here", element_name(type)));
}

/// The same for numbers and booleans.
template <class Body>
decltype(auto) visit_element(ElementType type, Body body) {
  return type == ElementType::boolean ? body(bool{}) : visit_number(type, body);
}

/// Calls body(T{}) with an unsigned type as wide as the element, for operators that only move data.
template <class Body>
decltype(auto) visit_width(ElementType type, Body body) {
  switch (element_size(type)) {
    case 1:
      return body(std::uint8_t{});
    case 2:
      return body(std::uint16_t{});
    case 4:
      return body(std::uint32_t{});
    default:
      return body(std::uint64_t{});
  }
}

inline bool is_float(ElementType type) {
  return type == ElementType::f32 || type == ElementType::f64 || type == ElementType::f16 ||
         type == ElementType::bf16;
}

}  // namespace intact
