// Element-wise kernels for AVX2: the common text over 8 floats.

#include "kernels/elementwise/implementations.hpp"
#include "kernels/elementwise/lanes_avx2.hpp"
// Over the lanes included above.
#include "kernels/elementwise/vector_kernels.hpp"

namespace intact::kernels::avx2 {

void byte_binary(const ByteBinaryArgs& args) {
  byte_binary_all(args);
}
void byte_sum(const ByteSumArgs& args) {
  byte_sum_all(args);
}
void affine(const AffineArgs& args) {
  affine_all(args);
}
void table_to_bytes(const TableArgs& args) {
  table_to_bytes_all(args);
}
void word_table(const WordTableArgs& args) {
  word_table_all(args);
}
void float_binary(const FloatBinaryArgs& args) {
  float_binary_all(args);
}
void float_unary(const FloatUnaryArgs& args) {
  float_unary_all(args);
}

/// Eight scalar loads beat a gather of eight on most CPUs with AVX2.
void table_to_floats(const TableArgs& args) {
  const float* table = static_cast<const float*>(args.table);
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const std::uint8_t* src = args.src + row * args.src_pitch;
    float* dst = static_cast<float*>(args.dst) + row * args.dst_pitch;
    std::int64_t i = 0;
    for (; i + 8 <= args.channels; i += 8) {
      _mm256_storeu_ps(dst + i,
                       _mm256_setr_ps(table[src[i]], table[src[i + 1]], table[src[i + 2]],
                                      table[src[i + 3]], table[src[i + 4]], table[src[i + 5]],
                                      table[src[i + 6]], table[src[i + 7]]));
    }
    for (; i < args.channels; ++i) dst[i] = table[src[i]];
  }
}

}  // namespace intact::kernels::avx2
