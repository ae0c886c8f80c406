// Nodes with constant inputs become constants, on their grids where they lie on one.
#include <algorithm>

#include "graph/definition.hpp"
#include "graph/folding.hpp"
#include "graph/passes/grid_operands.hpp"
#include "graph/passes/passes.hpp"

namespace intact {
namespace {

bool all_inputs_constant(const Graph& graph, const Node& node) {
  return std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](ValueId id) { return id == no_value || graph.is_constant(id); });
}

/// Weights of any size fold, but a result that is much larger than what it comes from (Expand,
/// ConstantOfShape) is better computed than kept.
std::int64_t largest_result(const Graph& graph, const Node& node) {
  std::int64_t given = 0;
  for (const ValueId id : node.inputs)
    if (id != no_value && graph.is_constant(id)) given += graph.value(id).constant.size();
  return std::max<std::int64_t>(1 << 20, given);
}

/// A channel axis can follow its tensor through Reshape only when both shapes are known.
void infer_moved_shape(Graph& graph, const Node& node) {
  const bool moves_channels = node.has_input(0) && graph.value(node.inputs[0]).grid &&
                              !graph.value(node.inputs[0]).grid->per_tensor() &&
                              node.outputs.size() == 1 && all_inputs_constant(graph, node);
  if (!moves_channels) return;
  std::vector<TensorType> types;
  std::vector<Tensor> constants;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    types.emplace_back();
    constants.emplace_back();
    if (!node.has_input(i)) continue;
    const Value& value = graph.value(node.inputs[i]);
    types.back() = {value.type, value.constant.shape()};
    if (!value.grid) constants.back() = value.constant;
  }
  const std::vector<TensorType> results = definition_of(node).infer({node, types, constants});
  if (!results.empty()) graph.value(node.outputs[0]).shape = results[0].shape;
}

/// The grid of a FromBytes fits integers that have become constant on the way.
void check_grid_of_constant(const Graph& graph, const Node& node) {
  if (!node.is_from_bytes() || !graph.is_constant(node.inputs[0])) return;
  const Tensor& integers = graph.value(node.inputs[0]).constant;
  check_integers(node, integers.type(), integers.shape());
}

bool is_quantization(const Node& node) {
  return node.op.find("QuantizeLinear") != std::string::npos ||
         node.op.find("DequantizeLinear") != std::string::npos;
}

template <class Skip>
void fold_all(Graph& graph, const Skip& skip) {
  for (Node& node : graph.nodes) {
    if (skip(node)) continue;
    check_grid_of_constant(graph, node);
    infer_moved_shape(graph, node);
    fold_node(graph, node, largest_result(graph, node));
  }
  graph.erase_marked();
}

}  // namespace

void fold_constants(Graph& graph) {
  fold_all(graph, [](const Node&) { return false; });
}

void fold_parameters(Graph& graph) {
  fold_all(graph, is_quantization);
}

}  // namespace intact
