// Grids of tensors, derived from their producers.
#include <cmath>

#include "graph/convert.hpp"
#include "graph/definition.hpp"
#include "graph/folding.hpp"
#include "graph/passes/grids.hpp"
#include "graph/passes/passes.hpp"

namespace intact {
namespace {

/// The padding value must lie on the grid as well; the real zero always does.
bool pads_on_grid(const Graph& graph, const Node& node, const Grid& grid) {
  if (node.attributes.text("mode", "constant") != "constant") return true;
  double value = static_cast<double>(node.attributes.number("value", 0));
  if (node.has_input(2)) {
    if (!graph.is_constant(node.inputs[2])) return false;
    const Tensor given = convert(real_constant(graph.value(node.inputs[2])), ElementType::f64);
    if (given.size() != 1) return false;
    value = given.data<double>()[0];
  }
  if (value == 0) return true;
  const double steps = value / static_cast<double>(grid.scale[0]) + grid.zero_point[0];
  const double whole = std::nearbyint(steps);
  // The real number must be the very float that the integer stands for.
  return whole >= lowest(grid.type) && whole <= highest(grid.type) &&
         static_cast<float>((whole - grid.zero_point[0]) * static_cast<double>(grid.scale[0])) ==
             static_cast<float>(value);
}

/// Operators whose result is one of the compared elements.
bool selects(const Node& node) {
  return node.is("MaxPool") || node.is("GlobalMaxPool") || node.is("ReduceMax") ||
         node.is("ReduceMin") || node.is("TopK");
}

}  // namespace

std::optional<Grid> output_grid(const Graph& graph, const Node& node, std::size_t output) {
  if (node.is_round() || node.is_from_bytes()) return node.grid;
  if (!node.has_input(0)) return std::nullopt;
  // Only Split has several outputs of data; others have positions or masks behind the first.
  if (output != 0 && !node.is("Split")) return std::nullopt;
  if (!selects(node) && !node.is("Pad")) return moved_grid(graph, node);
  const std::optional<Grid>& grid = graph.value(node.inputs[0]).grid;
  if (!grid || !grid->per_tensor()) return std::nullopt;
  if (node.is("Pad") && !pads_on_grid(graph, node, *grid)) return std::nullopt;
  return grid;
}

void set_output_grids(Graph& graph, const Node& node) {
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == no_value) continue;
    Value& value = graph.value(node.outputs[i]);
    value.grid = output_grid(graph, node, i);
    if (value.grid) value.type = ElementType::f32;
  }
}

void propagate_grids(Graph& graph) {
  for (const Node& node : graph.nodes) set_output_grids(graph, node);
}

}  // namespace intact
