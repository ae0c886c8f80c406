// The numbers that ONNX gives to element types: of tensors, and in attributes (Cast's `to`,
// `dtype`, `output_dtype`).
#pragma once

#include <cstdint>
#include <optional>

#include "intact/tensor.hpp"

namespace intact {

/// Nothing for numbers without an element type here: strings, complex numbers, 4-bit floats.
std::optional<ElementType> element_type_numbered(std::int64_t number);

/// Throws Error for a type that has no number here.
int element_number(ElementType type);

}  // namespace intact
