// What an input or output of a model holds.
#pragma once

#include <variant>
#include <vector>

#include "intact/tensor.hpp"

namespace intact {

/// A tensor, undefined when it is an optional without a value; or a sequence of tensors.
using Datum = std::variant<Tensor, std::vector<Tensor>>;

}  // namespace intact
