// The matrix product of integers that several operators share.
#pragma once

#include "graph/onnx/expand/grids.hpp"

namespace intact {

/// a * b in real numbers, the scale of b single or one per column. With a scale of a that is known
/// in the file the operands are dequantized; one that is found at run time multiplies the sums of
/// integers, as the files of dynamic quantization write it.
ValueId integer_product(Expansion& expansion, QuantizedValue a, QuantizedValue b);

}  // namespace intact
