// Float products, written once over the lane types of whichever lanes_*.hpp was included before
// this file. A block of rows times a few vectors of columns has its sums in registers; the panel
// stays in the first-level cache while all rows pass.
#pragma once

#include "kernels/float_product/float_product.hpp"

namespace intact::kernels {
namespace {

/// Registers for sums: what the columns of one step and an element of a row leave of 32 or 16.
constexpr int sum_registers = Floats::size == 16 ? 24 : 12;
constexpr int most_vectors = Floats::size == 16 ? 4 : 2;

/// Where the columns of a block are: in a panel, and in dst from `column` on.
struct PanelColumns {
  const float* data;
  std::int64_t width;
  std::int64_t column, count;  ///< count: those that exist
};

template <int height, int vectors>
void product_block(const FloatProductArgs& args, std::int64_t row, const PanelColumns& columns) {
  constexpr int size = Floats::size;
  // Unrolled everywhere, or the sums would lie in memory.
  Floats sum[height][vectors];
#pragma GCC unroll 12
  for (int i = 0; i < height; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) broadcast(sum[i][v], 0.0f);
  const float* a = args.a + row * args.a_row;
  const float* b = columns.data;
  for (std::int64_t k = 0; k < args.depth; ++k, a += args.a_step, b += columns.width) {
    Floats y[vectors];
    for (int v = 0; v < vectors; ++v) load(y[v], b + v * size);
#pragma GCC unroll 12
    for (int i = 0; i < height; ++i) {
      Floats x;
      broadcast(x, a[i * args.a_row]);
      for (int v = 0; v < vectors; ++v) sum[i][v] = fma(x, y[v], sum[i][v]);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < height; ++i) {
    float* const dst = args.dst + (row + i) * args.dst_pitch + columns.column;
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      const std::int64_t left = columns.count - v * size;
      if (left >= size)
        store(dst + v * size, sum[i][v]);
      else if (left > 0)
        store_first(dst + v * size, sum[i][v], static_cast<int>(left));
    }
  }
}

/// All rows in blocks of `height`, the last of which overlaps the one before; of fewer rows,
/// smaller blocks.
template <int height, int vectors>
void product_rows_of(const FloatProductArgs& args, const PanelColumns& columns) {
  if constexpr (height > 1) {
    if (args.rows < height) return product_rows_of<height / 2, vectors>(args, columns);
  }
  for (std::int64_t row = 0; row < args.rows; row += height) {
    const std::int64_t last = args.rows - height;
    product_block<height, vectors>(args, row < last ? row : last, columns);
  }
}

template <int vectors>
void product_columns_of(const FloatProductArgs& args, const PanelColumns& columns) {
  constexpr int fitting = sum_registers / vectors;
  product_rows_of < fitting<product_rows ? fitting : product_rows, vectors>(args, columns);
}

void all_panels(const FloatProductArgs& args) {
  constexpr std::int64_t most = most_vectors * Floats::size;
  for (std::int64_t begin = 0; begin < args.columns; begin += product_panel) {
    const std::int64_t width = panel_width(args.columns, begin);
    for (std::int64_t at = 0; at < width; at += most) {
      const PanelColumns columns = {args.panels + begin * args.depth + at, width, begin + at,
                                    args.columns - begin - at};
      if (columns.count <= 0) break;
      const std::int64_t vectors = (width - at < most ? width - at : most) / Floats::size;
      if constexpr (most_vectors == 4) {
        if (vectors == 1) product_columns_of<1>(args, columns);
        if (vectors == 3) product_columns_of<3>(args, columns);
        if (vectors == 4) product_columns_of<4>(args, columns);
      }
      if (vectors == 2) product_columns_of<2>(args, columns);
    }
  }
}

}  // namespace
}  // namespace intact::kernels
