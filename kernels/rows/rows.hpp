// Operators along the innermost axis: softmax and normalizations of `rows` rows of `length`
// elements each, after a scale and an addition if wanted. Row r of the source and destination is at
// data + r * pitch (in elements). Integers (u8 or u16) in are dequantized, integers out are
// quantized, in between are rows of floats in scratch: these forms equal dequantize, the float
// form and quantize to the bit. Nothing outside [row][0, length) of dst is written, nothing outside
// of it is read. dst may be the source where both have one type. Plain header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/thread_team.hpp"
#include "intact/isa.hpp"
#include "kernels/element.hpp"

namespace intact::kernels {

/// Sums are 16 partial sums (element i belongs to sum i % 16, in ascending order) that are added in
/// halves: 8 and 8, 4 and 4, 2 and 2, 1 and 1.
/// softmax: e[i] = exp(x[i] - max(x)), or 0 where the argument is below least_exponent,
///   y[i] = e[i] / sum(e).
/// log_softmax: y[i] = (x[i] - max(x)) - log(sum(e)), e without that bound.
/// layer_norm: d[i] = x[i] - sum(x) / length, s = sqrt(sum(d * d) / length + epsilon) with the
///   products added by fma, y[i] = d[i] / s * gamma, or fma(d[i] / s, gamma, beta); without gamma
///   y[i] = d[i] / s.
/// rms_norm: the same with d = x.
/// l1_norm, l2_norm: y[i] = x[i] / n with n = sum(|x|), or sqrt(sum(x * x)) added by fma; 1 if 0.
/// response_norm: y[i] = x[i] / t^exponent with t = fma(factor, s, bias) and s the sum of x[k] *
/// x[k]
///   for k from i - before to i + after, added by fma in this order; elements outside of the row
///   are 0. t^0.5 = sqrt(t), t^0.75 = sqrt(t) * sqrt(sqrt(t)), t^1 = t, others
///   exp(exponent * log(t)).
enum class RowFunction : std::uint8_t {
  softmax,
  log_softmax,
  layer_norm,
  rms_norm,
  l1_norm,
  l2_norm,
  response_norm
};

/// Of response_norm.
struct Response {
  static constexpr int most_neighbours = 16;
  std::int64_t before = 0, after = 0;  ///< at most most_neighbours each
  float factor = 0, bias = 1, exponent = 1;
};

/// e to this is little more than the least normal float.
constexpr float least_exponent = -87.0f;

/// What happens to an element between loading and the function.
enum class RowScale : std::uint8_t { none, multiply, divide };
/// What the addend does: it is added, or is 0 or 1 and tells which elements are replaced.
enum class RowAddend : std::uint8_t { sum, replaces_at_zero, replaces_at_one };

struct RowArgs {
  RowFunction function = RowFunction::softmax;
  std::int64_t rows = 0, length = 0;  ///< length >= 1
  Element input = Element::u8;        ///< type of the source
  const void* src = nullptr;
  std::ptrdiff_t src_pitch = 0;
  float src_scale = 1;  ///< u8, u16: x = float(q - src_zero_point) * src_scale
  std::int32_t src_zero_point = 0;
  const float* table = nullptr;  ///< u8: x = table[q] instead, 256 entries
  /// Then x = x * factor or x / factor, then x = x + addend[addend_row[r] + i] for row r, where
  /// there is an addend, or x = replacement where that addend says so.
  RowScale scale = RowScale::none;
  float factor = 1;
  const float* addend = nullptr;
  const std::int64_t* addend_row = nullptr;  ///< [rows]
  RowAddend addend_use = RowAddend::sum;
  float replacement = 0;
  Element output = Element::u8;
  void* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
  /// u8, u16: q = clamp(half_even(y / dst_scale) + dst_zero_point, 0, 255 or 65535)
  float dst_scale = 1;
  std::int32_t dst_zero_point = 0;  ///< NaN becomes 0
  /// Element i of row r has gamma[r % period * (length / repeat) + i / repeat]: period 1 and repeat
  /// 1 for one factor per element of a row; repeat = length for one per row.
  const float* gamma = nullptr;         ///< [period][length / repeat] or null
  const float* beta = nullptr;          ///< like gamma, or null
  std::int64_t period = 1, repeat = 1;  ///< repeat divides length
  std::int64_t first_row = 0;           ///< number of row 0, for the period
  float epsilon = 0;
  Response response;
  float* scratch = nullptr;  ///< of this thread, row_scratch(length) floats
};

/// Rows that vector kernels compute at a time, as long as they fit into the first-level cache.
constexpr int rows_together = 4;
constexpr int rows_at_a_time(std::int64_t length) {
  return length <= 1024 ? rows_together : 1;
}
/// Rows rounded up to whole groups of 16, and neighbours on either side.
constexpr std::int64_t row_scratch(std::int64_t length) {
  return rows_at_a_time(length) * ((length + 15) / 16 * 16) + 2 * Response::most_neighbours;
}

struct RowKernel {
  const char* name;
  Isa isa;
  void (*run)(const RowArgs&, Part part);
};
std::span<const RowKernel> rows_kernels();

}  // namespace intact::kernels
