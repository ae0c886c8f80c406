// What each instruction set implements of this family. Each function computes all of its arguments,
// whose batch is 1; quantize.cpp cuts the work into such pieces. Plain header.
#pragma once

#include "kernels/quantize/quantize.hpp"

namespace intact::kernels {

namespace avx512_vnni {
/// Channel stride 1.
void quantize_rows(const QuantizeArgs& args);
void quantize_rows(const QuantizeWordsArgs& args);
void dequantize_rows(const DequantizeArgs& args);
void dequantize_rows(const DequantizeWordsArgs& args);
/// Pixel stride 1.
void quantize_planes(const QuantizeArgs& args);
void dequantize_planes(const DequantizeArgs& args);
ValueRange range(const RangeArgs& args);
}  // namespace avx512_vnni

namespace avx2 {
void quantize_rows(const QuantizeArgs& args);
void quantize_rows(const QuantizeWordsArgs& args);
void dequantize_rows(const DequantizeArgs& args);
void dequantize_rows(const DequantizeWordsArgs& args);
void quantize_planes(const QuantizeArgs& args);
void dequantize_planes(const DequantizeArgs& args);
ValueRange range(const RangeArgs& args);
}  // namespace avx2

/// The scalar definition, for any strides.
namespace reference {
void quantize(const QuantizeArgs& args, Part part);
void quantize(const QuantizeWordsArgs& args, Part part);
void dequantize(const DequantizeArgs& args, Part part);
void dequantize(const DequantizeWordsArgs& args, Part part);
ValueRange range(const RangeArgs& args);
}  // namespace reference

}  // namespace intact::kernels
