// Strided copies and splitting of words for AVX-512: the common text over 64 bytes.

#include "kernels/elementwise/lanes_avx512.hpp"
#include "kernels/layout/implementations.hpp"
// Over the lanes included above.
#include "kernels/layout/vector_kernels.hpp"

namespace intact::kernels::avx512_vnni {

void split_row(const SplitRow& row) {
  split_row_all(row);
}
void copy_rows(const RowCopy& piece) {
  copy_rows_all(piece);
}
void transpose_1(const Transpose& piece) {
  transpose_1_all(piece);
}
void transpose_4(const Transpose& piece) {
  transpose_4_all(piece);
}

}  // namespace intact::kernels::avx512_vnni
