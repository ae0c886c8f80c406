// Grids from the scale and zero point operands of quantization operators.
#pragma once

#include <optional>

#include "graph/graph.hpp"

namespace intact {

struct GridOperands {
  ValueId scale = no_value, zero_point = no_value;
  /// Element type when there is no zero point.
  ElementType type = ElementType::undefined;
  /// Channel axis when there are several scales; not negative.
  std::optional<int> axis = std::nullopt;
  /// Neighbours along `axis` that share a scale; 0: none do.
  std::int64_t block = 0;
  /// Shape of the tensor on the grid, for checking axis and number of scales, when known.
  std::optional<Shape> shape = std::nullopt;
};

/// The grid when it is fixed in the file. Nothing when scale or zero point is computed at run time
/// or has a form without a grid (half precision scales, 8-bit floats). Throws Error naming
/// the node when the numbers are invalid (core/grid.hpp, axis out of range, wrong number).
std::optional<Grid> constant_grid(const Graph& graph, const Node& node,
                                  const GridOperands& operands);

/// Throws Error naming the node unless a tensor of this type and shape can be the integers (type of
/// the grid) of the node's grid, whose channel axis has to have one index per scale.
void check_integers(const Node& node, ElementType type, const Shape& shape);

/// The node that makes real numbers of integers (FromBytes), rounds to a grid (Round), or shows the
/// integers (Bytes).
Node grid_node(const char* op, std::string name, const Grid& grid, ValueId input, ValueId output);

}  // namespace intact
