// Trilu writes zeros, and the real zero is a byte of its own on every grid: Where with a constant
// condition says which elements stay, and has the zero as an operand that can lie on the grid.
#include "graph/definition.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

/// The condition: ones, of the matrices' extents, after Trilu itself.
Tensor kept_elements(const Graph& graph, const Node& node, const Shape& shape) {
  Tensor ones(ElementType::u8, {shape[shape.size() - 2], shape.back()});
  for (std::uint8_t& one : ones.data<std::uint8_t>()) one = 1;
  std::vector<Tensor> operands = {ones};
  if (node.has_input(1)) operands.push_back(graph.value(node.inputs[1]).constant);
  const Tensor kept = definition_of(node).evaluate({node, operands})[0];
  Tensor condition(ElementType::boolean, kept.shape());
  const auto from = kept.data<std::uint8_t>();
  for (std::size_t i = 0; i < from.size(); ++i) condition.data<bool>()[i] = from[i] != 0;
  return condition;
}

ValueId zero_of(Graph& graph, FreshNames& names, const Node& node,
                const std::optional<Grid>& grid) {
  const Tensor zero = Tensor::scalar(0.0f);
  const bool on_grid = grid && grid->per_tensor();
  const ValueId id =
      graph.add_constant(names.get(node.name + "/zero"), on_grid ? quantize(zero, *grid) : zero);
  Value& value = graph.value(id);
  value.type = ElementType::f32;
  value.shape = Shape{};
  if (on_grid) value.grid = grid;
  return id;
}

}  // namespace

void replace_trilu(Graph& graph) {
  FreshNames names(graph);
  for (Node& node : graph.nodes) {
    if (!node.is("Trilu")) continue;
    const Value x = graph.value(node.inputs[0]);
    if (x.type != ElementType::f32 || !x.shape || x.shape->size() < 2 ||
        element_count(*x.shape) == 0 || (node.has_input(1) && !graph.is_constant(node.inputs[1])))
      continue;
    const ValueId condition =
        graph.add_constant(names.get(node.name + "/kept"), kept_elements(graph, node, *x.shape));
    graph.value(condition).shape = graph.value(condition).constant.shape();
    node.inputs = {condition, node.inputs[0], zero_of(graph, names, node, x.grid)};
    node.op = "Where";
    node.attributes = {};
    if (x.grid && x.grid->per_tensor()) graph.value(node.outputs[0]).grid = x.grid;
  }
}

}  // namespace intact
