// The epilogue one output at a time: requantize -> table -> residual -> write. It defines what
// kernels/epilogue.hpp describes; the vector epilogues reproduce it bit for bit. Plain header with
// internal linkage only, so that files compiled per ISA may include it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/epilogue.hpp"

namespace intact::kernels {

/// half_even(t) + offset, clamped to [lower, upper]. |t| < 2^31.
[[gnu::always_inline]] static inline std::int32_t round_and_clamp(float t, std::int32_t offset,
                                                                  std::int32_t lower,
                                                                  std::int32_t upper) {
  const long q = __builtin_lrintf(t) + offset;
  return static_cast<std::int32_t>(q < lower ? lower : q > upper ? upper : q);
}

/// The product in units of the destination's scale. No float bias is the bias -0.0f: adding it
/// changes no value and no sign, so that vector code needs one form only.
[[gnu::always_inline]] static inline float scale_accumulator(std::int32_t accumulator,
                                                             float multiplier, float float_bias,
                                                             bool bias_apart = false) {
  const float sum = static_cast<float>(accumulator);
  return bias_apart ? sum * multiplier + float_bias : __builtin_fmaf(sum, multiplier, float_bias);
}
constexpr float no_float_bias = -0.0F;

/// max first, then min, with the operand order of maxps and minps (it decides the sign of zero).
[[gnu::always_inline]] static inline float clamp_float(float t, float lower, float upper) {
  const float raised = t > lower ? t : lower;
  return raised < upper ? raised : upper;
}

/// The byte written for t; `residual_byte` is read only where there is a residual.
[[gnu::always_inline]] static inline std::uint8_t epilogue_byte(const Epilogue& epilogue, float t,
                                                                std::uint8_t residual_byte) {
  const Residual* residual = epilogue.residual;
  float inner = t;
  if (residual == nullptr || residual->inner_rounding) {
    std::int32_t q = round_and_clamp(t, epilogue.zero_point, epilogue.lower, epilogue.upper);
    if (epilogue.table != nullptr) q = epilogue.table[q];
    if (residual == nullptr) return static_cast<std::uint8_t>(q);
    inner = static_cast<float>(q - residual->inner_zero_point) * residual->inner_multiplier;
  }
  const float sum = __builtin_fmaf(static_cast<float>(residual_byte - residual->zero_point),
                                   residual->multiplier, inner);
  return static_cast<std::uint8_t>(
      round_and_clamp(sum, residual->dst_zero_point, residual->dst_lower, residual->dst_upper));
}

[[gnu::always_inline]] static inline void extend(ValueRange& range, float x) {
  if (x < range.low) range.low = x;
  if (x > range.high) range.high = x;
}

/// Writes one output at dst[pixel * dst_pitch + channel].
[[gnu::always_inline]] static inline void write_reference(const Epilogue& epilogue, float t,
                                                          std::int64_t pixel, std::int64_t channel,
                                                          void* dst, std::ptrdiff_t dst_pitch) {
  const std::ptrdiff_t at = pixel * dst_pitch + channel;
  if (epilogue.output != Output::u8) {
    const float real = clamp_float(t, epilogue.float_lower, epilogue.float_upper);
    if (epilogue.range != nullptr) extend(*epilogue.range, real);
    if (epilogue.output == Output::f32) static_cast<float*>(dst)[at] = real;
    if (epilogue.output == Output::quotient)
      static_cast<std::uint8_t*>(dst)[at] = static_cast<std::uint8_t>(
          round_and_clamp(real / epilogue.scale, epilogue.zero_point, 0, 255));
    return;
  }
  const Residual* residual = epilogue.residual;
  const std::uint8_t other =
      residual != nullptr ? residual->data[pixel * residual->pitch + channel] : std::uint8_t{0};
  static_cast<std::uint8_t*>(dst)[at] = epilogue_byte(epilogue, t, other);
}

}  // namespace intact::kernels
