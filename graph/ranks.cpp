// Ranks by operator.
#include "graph/ranks.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace intact {
namespace {

/// The rank of every output is that of the first input.
constexpr std::array<std::string_view, 48> same_as_input = {
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "Relu",
    "Clip",
    "Sigmoid",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Elu",
    "Selu",
    "Tanh",
    "Erf",
    "Gelu",
    "Swish",
    "Mish",
    "Softplus",
    "Softmax",
    "LogSoftmax",
    "Exp",
    "Log",
    "Sqrt",
    "Neg",
    "Abs",
    "Reciprocal",
    "Cast",
    "Identity",
    "Dropout",
    "Transpose",
    "Pad",
    "Slice",
    "Split",
    "Concat",
    "Trilu",
    "Resize",
    "Upsample",
    "Conv",
    "ConvTranspose",
    "ConvInteger",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "BatchNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "CumSum",
};

constexpr std::array<std::string_view, 10> broadcasting = {"Add", "Sub", "Mul",   "Div",   "Pow",
                                                           "Max", "Min", "Where", "PRelu", "Equal"};

template <std::size_t count>
bool contains(const std::array<std::string_view, count>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::optional<int> Ranks::of(ValueId id) const {
  if (id == no_value) return std::nullopt;
  const Value& value = graph_.value(id);
  if (value.is_constant()) return value.constant.rank();
  if (value.shape) return static_cast<int>(value.shape->size());
  if (value.declared) return static_cast<int>(value.declared->size());
  const auto found = known_.find(id);
  return found == known_.end() ? std::nullopt : std::optional<int>(found->second);
}

std::optional<int> Ranks::of_input(const Node& node, std::size_t i) const {
  return node.has_input(i) ? of(node.inputs[i]) : std::nullopt;
}

std::optional<int> Ranks::of_output(const Node& node) const {
  if (node.domain == "intact") return of_input(node, 0);
  if (!node.domain.empty()) return std::nullopt;
  if (contains(same_as_input, node.op)) return of_input(node, 0);
  if (node.op.starts_with("Reduce") && node.attributes.integer("keepdims", 1) != 0)
    return of_input(node, 0);
  if (node.op == "Gemm" || node.op == "Flatten") return 2;
  if (contains(broadcasting, node.op) || node.op == "MatMul" || node.op == "MatMulInteger") {
    // Matrices keep their two axes; a vector takes one away, and the rank is left open.
    const std::size_t operands = node.op == "MatMulInteger" ? 2 : node.inputs.size();
    int most = 0;
    for (std::size_t i = 0; i < operands; ++i) {
      const auto rank = of_input(node, i);
      if (!rank || (node.op.starts_with("MatMul") && *rank < 2)) return std::nullopt;
      most = std::max(most, *rank);
    }
    return most;
  }
  if (node.op == "Reshape" && node.has_input(1) && graph_.is_constant(node.inputs[1]))
    return static_cast<int>(graph_.value(node.inputs[1]).constant.size());
  if (node.op == "Gather") {
    const auto data = of_input(node, 0), indices = of_input(node, 1);
    if (data && indices && *data > 0) return *data + *indices - 1;
  }
  if (node.op == "Unsqueeze" || node.op == "Squeeze") {
    const auto rank = of_input(node, 0);
    auto count = static_cast<int>(node.attributes.integers("axes").size());
    if (node.has_input(1) && graph_.is_constant(node.inputs[1]))
      count = static_cast<int>(graph_.value(node.inputs[1]).constant.size());
    if (rank && count > 0) return node.op == "Squeeze" ? *rank - count : *rank + count;
  }
  return std::nullopt;
}

void Ranks::follow(const Node& node) {
  const std::optional<int> rank = of_output(node);
  if (!rank || *rank < 0) return;
  const std::size_t count = node.op == "Split" ? node.outputs.size() : 1;
  for (std::size_t i = 0; i < std::min(count, node.outputs.size()); ++i)
    if (node.outputs[i] != no_value) known_.emplace(node.outputs[i], *rank);
}

}  // namespace intact
