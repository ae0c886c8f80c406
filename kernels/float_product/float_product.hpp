// Products of two matrices of floats. Each output is one sum in the order of depth:
//   dst[r][c] = fma(a[r][k], b[k][c], ...) for ascending k, from 0 on
// so that blocks, instruction sets and threads cannot change it. Plain header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "intact/isa.hpp"

namespace intact::kernels {

/// Columns of b lie in panels of `product_panel`, the last one rounded up to `product_grain`:
/// element (k, c) of a panel of `width` columns at k * width + c, panels one after the other. What
/// is beyond the last column counts for nothing, but is there.
constexpr std::int64_t product_panel = 64, product_grain = 16;
constexpr std::int64_t product_columns(std::int64_t columns) {
  return (columns + product_grain - 1) / product_grain * product_grain;
}
/// Width of the panel that begins at column `begin`.
constexpr std::int64_t panel_width(std::int64_t columns, std::int64_t begin) {
  const std::int64_t left = product_columns(columns) - begin;
  return left < product_panel ? left : product_panel;
}

struct FloatProductArgs {
  std::int64_t rows = 0, columns = 0, depth = 0;
  const float* a = nullptr;  ///< element (r, k) at a[r * a_row + k * a_step]
  std::ptrdiff_t a_row = 0, a_step = 1;
  const float* panels = nullptr;  ///< product_columns(columns) * depth floats
  float* dst = nullptr;           ///< element (r, c) at dst[r * dst_pitch + c]; no operand
  std::ptrdiff_t dst_pitch = 0;
};
/// On the calling thread. Rows in multiples of `product_rows` are fastest.
constexpr std::int64_t product_rows = 12;
struct FloatProductKernel {
  const char* name;
  Isa isa;
  void (*run)(const FloatProductArgs&);
};
std::span<const FloatProductKernel> float_product_kernels();

}  // namespace intact::kernels
