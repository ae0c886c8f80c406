// Lists of tensors: taking tensors apart and joining them, and reading operands that are sequences.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graph/definition.hpp"

namespace intact {

/// The tensors behind each other along `axis` (Concat), or, with `new_axis`, along an axis that the
/// result has in addition. Types and, but for the extent of an axis they have, shapes must agree:
/// throws Error naming the node. At least one tensor.
Tensor join(const Node& node, std::span<const Tensor> tensors, std::int64_t axis, bool new_axis);

/// Indices [first, first + count) along `axis`, which must be in range. `keep` false drops the axis
/// (count is 1 then).
Tensor take(const Node& node, const Tensor& tensor, int axis, std::int64_t first,
            std::int64_t count, bool keep);

/// Operand i; throws Error when there is none or it is of the other kind.
const std::vector<Tensor>& sequence_operand(const DataContext& context, std::size_t i);
const Tensor& tensor_operand(const DataContext& context, std::size_t i);
/// Absent operands and optionals that hold nothing.
bool is_absent(const DataContext& context, std::size_t i);

/// The only element of an operand, as an integer.
std::int64_t scalar_operand(const DataContext& context, std::size_t i);

/// Types and shapes show when the operator has run.
std::vector<TensorType> infer_nothing(const InferContext& context);

}  // namespace intact
