// Tensors as double and back, and a switch over element types: the reference evaluations compute
// in double and round once.
#pragma once

#include <type_traits>
#include <utility>

#include "intact/error.hpp"
#include "intact/tensor.hpp"

namespace intact {

/// f16, bf16, f32, f64.
bool is_floating(ElementType type);

/// Elements of any numeric type or bool as f64; an f64 tensor is returned as it is, sharing
/// storage.
Tensor to_double(const Tensor& tensor);

/// An f64 tensor rounded to `type`. Integers: half to even, saturated, NaN gives 0.
/// bool: unequal to zero.
Tensor from_double(const Tensor& tensor, ElementType type);

/// Calls body(std::type_identity<T>{}) with the C++ type whose arithmetic is that of `type`; 4-bit
/// types come as 8-bit ones. 16-bit floating-point types have no such T: Unsupported.
template <class Body>
decltype(auto) visit_type(ElementType type, Body&& body) {
  switch (type) {
    case ElementType::f32:
      return body(std::type_identity<float>{});
    case ElementType::f64:
      return body(std::type_identity<double>{});
    case ElementType::u8:
    case ElementType::u4:
      return body(std::type_identity<std::uint8_t>{});
    case ElementType::s8:
    case ElementType::s4:
      return body(std::type_identity<std::int8_t>{});
    case ElementType::u16:
      return body(std::type_identity<std::uint16_t>{});
    case ElementType::s16:
      return body(std::type_identity<std::int16_t>{});
    case ElementType::u32:
      return body(std::type_identity<std::uint32_t>{});
    case ElementType::s32:
      return body(std::type_identity<std::int32_t>{});
    case ElementType::u64:
      return body(std::type_identity<std::uint64_t>{});
    case ElementType::s64:
      return body(std::type_identity<std::int64_t>{});
    case ElementType::boolean:
      return body(std::type_identity<bool>{});
    default:
      throw Unsupported(std::string("arithmetic on ") + std::string(element_name(type)) +
                        " elements is not supported");
  }
}

}  // namespace intact
