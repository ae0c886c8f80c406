// Softmax, LogSoftmax and Hardmax: listed by normalization.cpp.
#pragma once

#include "graph/definition.hpp"

namespace intact {

std::vector<TensorType> infer_softmax(const InferContext& context);
std::vector<Tensor> evaluate_softmax(const EvalContext& context);

}  // namespace intact
