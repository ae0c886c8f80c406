// Quantize and dequantize for AVX-512: the common text over 16 floats.

#include "kernels/elementwise/lanes_avx512.hpp"
#include "kernels/quantize/implementations.hpp"
// Over the lanes included above.
#include "kernels/quantize/vector_kernels.hpp"

namespace intact::kernels::avx512_vnni {

void quantize_rows(const QuantizeArgs& args) {
  quantize_rows_all(args);
}
void quantize_rows(const QuantizeWordsArgs& args) {
  quantize_rows_all(args);
}
void quantize_planes(const QuantizeArgs& args) {
  quantize_planes_all(args);
}
void dequantize_rows(const DequantizeArgs& args) {
  dequantize_rows_all(args);
}
void dequantize_rows(const DequantizeWordsArgs& args) {
  dequantize_rows_all(args);
}
void dequantize_planes(const DequantizeArgs& args) {
  dequantize_planes_all(args);
}
ValueRange range(const RangeArgs& args) {
  return range_of_all(args);
}

}  // namespace intact::kernels::avx512_vnni
