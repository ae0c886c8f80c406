// Conversions between element types, half precision, and between reals and the integers of a grid.
#pragma once

#include <cstdint>

#include "core/grid.hpp"
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

/// ONNX Cast between any two types but strings: floats truncate towards zero into integers
/// (saturating, NaN to 0), integers wrap, anything but zero is true. The tensor itself when it has
/// the type already. `saturate`: of float_to_float8.
Tensor convert(const Tensor& tensor, ElementType to, bool saturate = true);

/// Element by element: reals (f32 or f64) to integers of the grid's type, as round_to_integer but
/// with the division in the type of the reals, as ONNX has it.
Tensor quantize(const Tensor& reals, const Grid& grid);
/// x / scale, rounded once to f32.
Tensor steps_of(const Tensor& reals, const Grid& grid);
/// scale * (q - zero_point) in double, rounded once to f32.
Tensor dequantize(const Tensor& integers, const Grid& grid);
/// The same as f64: exact where the product fits into 53 bits.
Tensor exact_reals(const Tensor& integers, const Grid& grid);

}  // namespace intact
