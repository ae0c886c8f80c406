// Reading grids; every defect of a file's scales and zero points is reported here.
#include "graph/passes/grid_operands.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "graph/convert.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

bool is_grid_type(ElementType type) {
  switch (type) {
    case ElementType::u2:
    case ElementType::s2:
    case ElementType::u4:
    case ElementType::s4:
    case ElementType::u8:
    case ElementType::s8:
    case ElementType::u16:
    case ElementType::s16:
    case ElementType::s32:
      return true;
    default:
      return false;
  }
}

void check_axis(const Node& node, const Grid& grid, const std::optional<Shape>& shape) {
  if (grid.per_tensor() || !shape) return;
  const int rank = static_cast<int>(shape->size());
  if (*grid.axis >= rank)
    throw Error(fmt::format("{}: quantization axis {} is out of range for a tensor of shape {}",
                            describe(node), *grid.axis, to_string(*shape)));
  const std::int64_t extent = (*shape)[static_cast<std::size_t>(*grid.axis)];
  if (grid.block != 0) {
    if (std::find(shape->begin(), shape->end(), -1) != shape->end()) return;
    if (const std::int64_t wanted = *grid.scales_for(*shape);
        wanted != static_cast<std::int64_t>(grid.scale.size()))
      throw Error(fmt::format(
          "{}: {} scales for blocks of {} along axis {} of a tensor of shape {}; {} are needed",
          describe(node), grid.scale.size(), grid.block, *grid.axis, to_string(*shape), wanted));
    return;
  }
  if (extent >= 0 && extent != static_cast<std::int64_t>(grid.scale.size()))
    throw Error(
        fmt::format("{}: {} scales along axis {} of a tensor of shape {}; one scale per "
                    "index of that axis is needed",
                    describe(node), grid.scale.size(), *grid.axis, to_string(*shape)));
}

}  // namespace

std::optional<Grid> constant_grid(const Graph& graph, const Node& node,
                                  const GridOperands& operands) {
  if (!graph.is_constant(operands.scale)) return std::nullopt;
  const bool has_zero_point = operands.zero_point != no_value;
  if (has_zero_point && !graph.is_constant(operands.zero_point)) return std::nullopt;
  const Tensor& scale = graph.value(operands.scale).constant;
  if (scale.type() != ElementType::f32 || (operands.block == 0 && scale.rank() > 1))
    return std::nullopt;

  Grid grid;
  grid.type = operands.type;
  grid.scale.assign(scale.data<float>().begin(), scale.data<float>().end());
  grid.zero_point.assign(grid.scale.size(), 0);
  if (has_zero_point) {
    const Tensor& zero_point = graph.value(operands.zero_point).constant;
    grid.type = zero_point.type();
    if (!is_grid_type(grid.type)) return std::nullopt;
    const Tensor wide = convert(zero_point, ElementType::s32);
    grid.zero_point.assign(wide.data<std::int32_t>().begin(), wide.data<std::int32_t>().end());
  }
  if (!is_grid_type(grid.type)) return std::nullopt;
  check_grid(grid, describe(node));
  if (grid.scale.size() > 1 || operands.block != 0) {
    if (!operands.axis)
      throw Error(fmt::format("{}: {} scales are given where one is needed", describe(node),
                              grid.scale.size()));
    grid.axis = operands.axis;
    grid.block = operands.block;
    check_axis(node, grid, operands.shape);
  }
  return grid;
}

void check_integers(const Node& node, ElementType type, const Shape& shape) {
  if (type != node.grid->type)
    throw Error(
        fmt::format("{}: the zero point is {}, but the input is {}; their types must be "
                    "equal",
                    describe(node), element_name(node.grid->type), element_name(type)));
  check_axis(node, *node.grid, shape);
}

Node grid_node(const char* op, std::string name, const Grid& grid, ValueId input, ValueId output) {
  Node node;
  node.op = op;
  node.domain = "intact";
  node.version = 1;
  node.name = std::move(name);
  node.inputs = {input};
  node.outputs = {output};
  node.grid = grid;
  return node;
}

}  // namespace intact
