// Elements of a tensor as double, whatever its type: for printing and comparing.
#pragma once

#include <cstdint>
#include <vector>

#include "intact/tensor.hpp"

namespace intact::tools {

/// Element `index` in row-major order. Throws Unsupported for strings.
double value_at(const Tensor& tensor, std::int64_t index);
std::vector<double> to_doubles(const Tensor& tensor);

}  // namespace intact::tools
