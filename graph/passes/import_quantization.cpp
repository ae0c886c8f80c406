// QuantizeLinear becomes Round and Bytes, DequantizeLinear becomes FromBytes. Nodes whose scale is
// known only at run time, and those of 8-bit floats, stay as they are.
#include <fmt/format.h>

#include "graph/element_numbers.hpp"
#include "graph/folding.hpp"
#include "graph/passes/grid_operands.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"
#include "graph/ranks.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

/// The extents that are known before shape inference, -1 for the others.
std::optional<Shape> known_shape(const Value& value) {
  if (value.shape) return value.shape;
  if (!value.declared) return std::nullopt;
  Shape shape;
  for (const Dimension& dimension : *value.declared) shape.push_back(dimension.value);
  return shape;
}

/// Type of the integers when a node has no zero point to tell it.
ElementType default_type(const Node& node, const Value& integers) {
  if (node.op == "DequantizeLinear") return integers.type;
  const std::int64_t number = node.attributes.integer("output_dtype", 0);
  if (number == 0) return ElementType::u8;
  return element_type_numbered(number).value_or(ElementType::undefined);
}

/// The grid of a QuantizeLinear or DequantizeLinear node, or nothing when the node has to stay.
std::optional<Grid> node_grid(const Graph& graph, const Node& node, std::optional<int> rank) {
  if (node.inputs.size() < 2 || !node.has_input(0) || !node.has_input(1) ||
      node.outputs.size() != 1)
    return std::nullopt;
  const std::int64_t block = node.attributes.integer("block_size", 0);
  if (block < 0)
    throw Error(fmt::format("{}: block_size is {}; it must be positive, or 0 for none",
                            describe(node), block));
  const bool quantizes = node.op == "QuantizeLinear";
  const Value& input = graph.value(node.inputs[0]);
  GridOperands operands;
  operands.scale = node.inputs[1];
  operands.zero_point = node.has_input(2) ? node.inputs[2] : no_value;
  operands.type = default_type(node, quantizes ? graph.value(node.outputs[0]) : input);
  operands.shape = known_shape(input);
  std::int64_t axis = node.attributes.integer("axis", 1);
  const bool several = graph.is_constant(operands.scale) &&
                       (block != 0 || graph.value(operands.scale).constant.size() > 1);
  if (several && rank) {
    if (axis < -*rank || axis >= *rank)
      throw Error(fmt::format("{}: quantization axis {} is out of range for a tensor of rank {}",
                              describe(node), axis, *rank));
    if (axis < 0) axis += *rank;
  }
  if (several && axis < 0) return std::nullopt;
  operands.axis = static_cast<int>(axis);
  operands.block = block;
  std::optional<Grid> grid = constant_grid(graph, node, operands);
  if (!grid) return std::nullopt;
  if (quantizes && grid->type == ElementType::s32) return std::nullopt;
  if (!quantizes && input.type != ElementType::undefined && input.type != grid->type)
    throw Error(
        fmt::format("{}: the zero point is {}, but the input is {}; their types must be "
                    "equal",
                    describe(node), element_name(grid->type), element_name(input.type)));
  return grid;
}

void import_quantize(Graph& graph, Rewriter& rewriter, Node node, const Grid& grid) {
  const ValueId integers = node.outputs[0];
  const ValueId rounded = graph.add_value(
      rewriter.names.get(graph.value(integers).name + "/rounded"), ElementType::f32);
  graph.value(rounded).grid = grid;
  graph.value(rounded).shape = graph.value(node.inputs[0]).shape;
  graph.value(integers).type = grid.type;
  graph.value(integers).shape = graph.value(rounded).shape;
  Node round = grid_node("Round", node.name, grid, node.inputs[0], rounded);
  round.sources = std::move(node.sources);
  rewriter.push(std::move(round));
  rewriter.push(grid_node("Bytes", node.name + "/bytes", grid, rounded, integers));
}

void import_dequantize(Graph& graph, Rewriter& rewriter, Node node, const Grid& grid) {
  Value& reals = graph.value(node.outputs[0]);
  reals.type = ElementType::f32;
  reals.grid = grid;
  Node from_bytes = grid_node("FromBytes", node.name, grid, node.inputs[0], node.outputs[0]);
  from_bytes.sources = std::move(node.sources);
  rewriter.push(std::move(from_bytes));
}

/// Operators that move data keep the element type; shape inference has not run yet.
void pass_type_on(Graph& graph, const Node& node) {
  if ((!moves_data(node) && !node.is("Pad")) || !node.has_input(0)) return;
  const std::size_t moved = node.is("Split") ? node.outputs.size() : 1;
  for (std::size_t i = 0; i < moved; ++i)
    if (node.outputs[i] != no_value && graph.value(node.outputs[i]).type == ElementType::undefined)
      graph.value(node.outputs[i]).type = graph.value(node.inputs[0]).type;
}

}  // namespace

void import_quantization(Graph& graph) {
  Rewriter rewriter(graph);
  // To resolve negative axes.
  Ranks ranks(graph, {});
  for (Node& node : rewriter.take_nodes()) {
    ranks.follow(node);
    const bool quantizes = node.is("QuantizeLinear");
    const bool dequantizes = node.is("DequantizeLinear");
    if (!quantizes && !dequantizes) {
      pass_type_on(graph, node);
      rewriter.push(std::move(node));
      continue;
    }
    const std::optional<Grid> grid =
        node_grid(graph, node, ranks.of(node.has_input(0) ? node.inputs[0] : no_value));
    if (!grid)
      rewriter.push(std::move(node));
    else if (quantizes)
      import_quantize(graph, rewriter, std::move(node), *grid);
    else
      import_dequantize(graph, rewriter, std::move(node), *grid);
  }
  rewriter.finish();
}

}  // namespace intact
