// Element types as the kernels of comparisons, choices and conversions name them.
#pragma once

#include <optional>

#include "intact/tensor.hpp"
#include "kernels/logic/logic.hpp"

namespace intact {

/// Nothing for types that these kernels do not take.
std::optional<kernels::ElementKind> element_kind(ElementType type);

}  // namespace intact
