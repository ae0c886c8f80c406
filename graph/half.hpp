// Half precision and 8-bit floats.
#pragma once

#include <cstdint>

#include "intact/tensor.hpp"

namespace intact {

float half_to_float(std::uint16_t bits);
/// Round half to even; too large becomes infinity.
std::uint16_t float_to_half(float value);
inline bool is_half(ElementType type) {
  return type == ElementType::f16 || type == ElementType::bf16;
}

float float8_to_float(std::uint8_t bits, ElementType type);
/// Round half to even; too large becomes the largest number, or where `saturate` is false infinity
/// (NaN in types that have none).
std::uint8_t float_to_float8(float value, ElementType type, bool saturate = true);
inline bool is_float8(ElementType type) {
  return type >= ElementType::f8e4m3fn && type <= ElementType::f8e5m2fnuz;
}

}  // namespace intact
