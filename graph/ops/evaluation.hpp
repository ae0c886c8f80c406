// What evaluations share: output types from the actual operands, and safe allocation.
#pragma once

#include "graph/definition.hpp"

namespace intact {

/// Shape inference with the operands of an evaluation, all of them known: checks them and gives the
/// concrete types of the outputs. Throws Unsupported when a shape is still unknown.
std::vector<TensorType> output_types(const EvalContext& context,
                                     std::vector<TensorType> (*infer)(const InferContext&));

/// A zeroed tensor. Throws Error naming the node when it would need more than half of the machine's
/// memory, before anything is allocated: shapes come from files.
Tensor allocate(const Node& node, const TensorType& type);

/// `tensor` repeated along the axes where its shape has 1 (or no axis) and `shape` does not.
Tensor broadcast_to(const Node& node, const Tensor& tensor, const Shape& shape);

}  // namespace intact
