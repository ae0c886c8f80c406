// One panel of a matrix of activations in the place of weights (ConvMatrix). Plain header.
#pragma once

#include <cstddef>
#include <cstdint>

namespace intact::kernels {

/// Byte (k, column) is data[k * k_stride + column * column_stride]; one of the strides is 1.
struct MatrixPanel {
  const std::uint8_t* data = nullptr;
  std::ptrdiff_t k_stride = 1, column_stride = 1;
  std::int64_t depth = 0;     ///< rows of the matrix
  std::int64_t k_groups = 0;  ///< of 4 rows, at least those of depth: what is beyond becomes zero
  int columns = 0;            ///< of the matrix, at most width: likewise
  int width = 0;              ///< 64, 32 or 16
  std::int8_t* to = nullptr;  ///< [k_group][column in packed order][4]: the bytes - 128
};

/// Writes the panel and the sums of its columns, [width] in packed order.
using PackMatrixPanel = void (*)(const MatrixPanel&, std::int32_t* sums);

/// For 4 lanes. `to` and sums are 64-byte aligned.
void pack_matrix_panel_avx512_vnni(const MatrixPanel&, std::int32_t* sums);

}  // namespace intact::kernels
