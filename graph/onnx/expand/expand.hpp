// Operators that other tools add to ONNX, in the operators of ONNX.
#pragma once

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/graph.hpp"

namespace intact {

/// Replaces quantized operators (QLinearConv, QGemm, ...) by DequantizeLinear, the operator and
/// QuantizeLinear, and the fused operators of com.microsoft by what they stand for. One of the new
/// nodes has the old one's name and stands for it. `ranks`: those that the file declares for
/// tensors in between. Throws Error or Unsupported naming the node.
void expand_operators(Graph& graph, std::map<ValueId, int> ranks = {});

/// The operators that it replaces: domain and name, sorted.
std::vector<std::pair<std::string_view, std::string_view>> expanded_operators();

}  // namespace intact
