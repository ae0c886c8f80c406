// Conversions between element types.
#pragma once

#include "intact/tensor.hpp"

namespace intact {

/// ONNX Cast between any two types but strings: floats truncate towards zero into integers
/// (saturating, NaN to 0), integers wrap, anything but zero is true. The tensor itself when it has
/// the type already. `saturate`: of float_to_float8 (graph/half.hpp).
Tensor convert(const Tensor& tensor, ElementType to, bool saturate = true);

}  // namespace intact
