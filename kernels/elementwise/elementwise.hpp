// Element-wise kernels over `rows` rows of `channels` contiguous elements. Row r of an operand is
// at data + r * pitch (in elements); pitch 0 repeats one row (per-channel vector); `step` 0 of an
// operand repeats one element along its row. Nothing outside [row][0, channels) of dst is written;
// sources are readable for 64 bytes beyond their last element. dst may be one of the sources.
// Plain header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/thread_team.hpp"
#include "intact/isa.hpp"
#include "kernels/element.hpp"
#include "kernels/epilogue.hpp"

namespace intact::kernels {

struct ByteOperand {
  const std::uint8_t* data = nullptr;
  std::ptrdiff_t pitch = 0;
  int step = 1;  ///< 1 or 0
  std::int32_t zero_point = 0;
};

/// Add: t = fma(float(b - zb), multiplier_b, float(a - za) * multiplier_a); Sub: multiplier_b is
/// negative. Mul: t = (float(a - za) * float(b - zb)) * multiplier_a  (the product of two 9-bit
/// integers is exact). u8: q = clamp(half_even(t) + zero_point, lower, upper), then table if any.
/// f32: writes min(max(t, float_lower), float_upper).
/// multiplier: scale_a / scale_dst and scale_b / scale_dst; Mul: float(scale_a * scale_b) /
/// scale_dst.
/// Div, Max, Min compute what the float operators compute between FromBytes and Round:
///   real = op(float(a - za) * multiplier_a, float(b - zb) * multiplier_b)
///   t = min(max(real, float_lower), float_upper) / divisor
/// where multiplier is the operand's scale and divisor scale_dst (1 for f32). Infinities saturate,
/// and NaN, of 0 / 0, becomes `lower` (before the table); in f32 both stay what they are.
enum class ByteBinary : std::uint8_t { add, mul, div, max, min };
/// Computes in reals instead of steps of the destination's grid.
constexpr bool on_reals(ByteBinary operation) {
  return operation != ByteBinary::add && operation != ByteBinary::mul;
}
struct ByteBinaryArgs {
  ByteBinary operation = ByteBinary::add;
  std::int64_t rows = 0, channels = 0;
  ByteOperand a, b;
  float multiplier_a = 1, multiplier_b = 1;
  float divisor = 1;  ///< Div, Max, Min
  void* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
  Epilogue epilogue;  ///< residual unused
};
struct ByteBinaryKernel {
  const char* name;
  Isa isa;
  void (*run)(const ByteBinaryArgs&, Part part);
};
std::span<const ByteBinaryKernel> byte_binary_kernels();

/// The sum of several tensors on grids, and of one float per channel. In the order of the terms:
///   t = addend ? fma(float(x0 - z0), multiplier[0], addend[c]) : float(x0 - z0) * multiplier[0]
///   t = fma(float(xk - zk), multiplier[k], t)   for k = 1 .. count - 1
/// then as ByteBinaryArgs. Two terms without addend equal ByteBinary::add.
/// multiplier[k] = scale_k / scale_dst; addend in units of the destination's scale.
struct ByteSumArgs {
  static constexpr int most_terms = 8;
  std::int64_t rows = 0, channels = 0;
  int count = 0;
  ByteOperand terms[most_terms];
  float multiplier[most_terms] = {};
  const float* addend = nullptr;  ///< [channels] or null
  void* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
  Epilogue epilogue;  ///< residual unused
};
struct ByteSumKernel {
  const char* name;
  Isa isa;
  void (*run)(const ByteSumArgs&, Part part);
};
std::span<const ByteSumKernel> byte_sum_kernels();

/// A factor and an addend for each channel: t = fma(x, factor[c], addend[c]) with x the floats of
/// the source or, of bytes, float(q - src_zero_point); then as ByteBinaryArgs. For u8 results
/// factor and addend are in units of the destination's scale.
struct AffineArgs {
  std::int64_t rows = 0, channels = 0;
  Output input = Output::u8;  ///< type of the source
  const void* src = nullptr;
  std::ptrdiff_t src_pitch = 0;
  std::int32_t src_zero_point = 0;
  const float* factor = nullptr;  ///< [channels]
  const float* addend = nullptr;  ///< [channels]
  void* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
  Epilogue epilogue;  ///< residual unused
};
struct AffineKernel {
  const char* name;
  Isa isa;
  void (*run)(const AffineArgs&, Part part);
};
std::span<const AffineKernel> affine_kernels();

/// dst = table[src]: u8 -> u8 (256 bytes) or u8 -> f32 (256 floats).
struct TableArgs {
  std::int64_t rows = 0, channels = 0;
  const std::uint8_t* src = nullptr;
  std::ptrdiff_t src_pitch = 0;
  const void* table = nullptr;
  void* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
};
struct TableKernel {
  const char* name;
  Isa isa;
  Output output;
  void (*run)(const TableArgs&, Part part);
};
std::span<const TableKernel> table_kernels();

/// dst = table[src] where integers of 16 bits are on one side: u8 -> u16; u16 -> u8, u16 or f32. As
/// many entries as the source has integers: floats for f32, else u16, readable for 2 bytes beyond
/// the last one.
struct WordTableArgs {
  std::int64_t rows = 0, channels = 0;
  Element input = Element::u16, output = Element::u16;
  const void* src = nullptr;
  std::ptrdiff_t src_pitch = 0;
  const void* table = nullptr;
  void* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
};
struct WordTableKernel {
  const char* name;
  Isa isa;
  void (*run)(const WordTableArgs&, Part part);
};
std::span<const WordTableKernel> word_table_kernels();

/// Float arithmetic, one rounding per operation, the same on every ISA. prelu: a * b for negative
/// a, else a.
enum class FloatBinary : std::uint8_t { add, sub, mul, div, max, min, prelu };
struct FloatOperand {
  const float* data = nullptr;
  std::ptrdiff_t pitch = 0;
  int step = 1;
};
struct FloatBinaryArgs {
  FloatBinary operation = FloatBinary::add;
  std::int64_t rows = 0, channels = 0;
  FloatOperand a, b;
  float* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
  float lower = -__builtin_inff(), upper = __builtin_inff();  ///< clamp of the result
};
struct FloatBinaryKernel {
  const char* name;
  Isa isa;
  void (*run)(const FloatBinaryArgs&, Part part);
};
std::span<const FloatBinaryKernel> float_binary_kernels();

/// Unary float functions. alpha, beta: LeakyRelu slope; HardSigmoid alpha, beta; Clip lower, upper;
/// silu is x * sigmoid(alpha * x); elu beta * alpha * (e^x - 1) for negative x, else beta * x. NaN
/// in gives NaN out for all of them. Within 4 ulp of the exact value (gelu_erf 7; where the exact
/// value is subnormal, within 1e-42; gelu_tanh 6 above -2, and 200 below, where it falls like
/// e^(x^3); silu 80 with another alpha than 1); the same bits on every ISA.
enum class FloatUnary : std::uint8_t {
  clip,
  leaky_relu,
  hard_sigmoid,
  hard_swish,
  sigmoid,
  tanh,
  silu,
  exp,
  gelu_erf,
  gelu_tanh,
  mish,
  elu,
  square_root,
  reciprocal,
  square,
  absolute,
  negative,
  error_function,
  natural_logarithm,
  softplus,
  softsign,
  nearest_even,
  floor,
  ceiling
};
struct FloatUnaryArgs {
  FloatUnary function = FloatUnary::clip;
  std::int64_t rows = 0, channels = 0;
  const float* src = nullptr;
  std::ptrdiff_t src_pitch = 0;
  float* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
  float alpha = 0, beta = 0;
};
struct FloatUnaryKernel {
  const char* name;
  Isa isa;
  void (*run)(const FloatUnaryArgs&, Part part);
};
std::span<const FloatUnaryKernel> float_unary_kernels();

}  // namespace intact::kernels
