// Constant folding of one node. On a grid, moving operators fold on the integers, so that a
// transposed or reshaped weight stays quantized.
#include "graph/folding.hpp"

#include <fmt/format.h>

#include "graph/checks.hpp"
#include "graph/definition.hpp"
#include "graph/reals.hpp"
#include "intact/error.hpp"

namespace intact {

namespace {

/// Constants on a grid are dequantized for inference only when they may determine a shape.
constexpr std::int64_t largest_dequantized = 4096;

bool determines_shape(const Definition& definition, std::size_t input) {
  for (const int operand : definition.shape_operands)
    if (static_cast<std::size_t>(operand) == input) return true;
  return false;
}

}  // namespace

std::vector<TensorType> infer_node(const Graph& graph, const Node& node) {
  const Definition& definition = definition_of(node);
  std::vector<TensorType> types(node.inputs.size());
  std::vector<Tensor> constants(node.inputs.size());
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.has_input(i)) continue;
    const Value& value = graph.value(node.inputs[i]);
    types[i] = {value.type, value.is_constant() ? value.constant.shape() : value.shape};
    if (!value.is_constant()) continue;
    if (!value.grid)
      constants[i] = value.constant;
    else if (value.constant.size() <= largest_dequantized || determines_shape(definition, i))
      constants[i] = real_constant(value);
  }
  return definition.infer({node, types, constants});
}

namespace {

/// Axis of the output of a row-major reshape that has the extent of `axis` and the same number of
/// elements before it.
std::optional<int> reshaped_axis(const Shape& from, const Shape& to, int axis) {
  const auto wanted = static_cast<std::size_t>(axis);
  if (wanted >= from.size()) return std::nullopt;
  const std::int64_t before = extent_product(from, 0, wanted);
  for (std::size_t i = 0; i < to.size(); ++i)
    if (to[i] == from[wanted] && extent_product(to, 0, i) == before) return static_cast<int>(i);
  return std::nullopt;
}

std::optional<int> transposed_axis(const Node& node, int rank, int axis) {
  const std::vector<std::int64_t> order = node.attributes.integers("perm");
  if (order.empty()) return rank - 1 - axis;
  for (std::size_t i = 0; i < order.size(); ++i)
    if (order[i] == axis) return static_cast<int>(i);
  return std::nullopt;
}

/// A row-major reshape that joins the channel axis with its neighbours: scales repeat along the
/// joined axis.
std::optional<Grid> joined_channels(const Shape& from, const Shape& to, const Grid& grid) {
  const auto axis = static_cast<std::size_t>(*grid.axis);
  if (axis >= from.size()) return std::nullopt;
  std::size_t at = 0;
  const auto end = [&](std::size_t i) { return extent_product(to, 0, i + 1); };
  while (at < to.size() && end(at) < extent_product(from, 0, axis + 1)) ++at;
  if (at == to.size()) return std::nullopt;
  std::size_t last = axis;
  while (last < from.size() && extent_product(from, 0, last + 1) < end(at)) ++last;
  if (last == from.size() || extent_product(from, 0, last + 1) != end(at)) return std::nullopt;
  const std::int64_t inner = extent_product(from, axis + 1, last + 1);
  if (to[at] % (from[axis] * inner) != 0) return std::nullopt;
  Grid joined = grid;
  joined.axis = static_cast<int>(at);
  joined.scale.clear();
  joined.zero_point.clear();
  for (std::int64_t i = 0; i < to[at]; ++i) {
    const auto channel = static_cast<std::size_t>(i / inner % from[axis]);
    joined.scale.push_back(grid.scale[channel]);
    joined.zero_point.push_back(grid.zero_point[channel]);
  }
  return joined;
}

/// One scale per channel, where the channels lie in the first output.
std::optional<Grid> moved_channels(const Graph& graph, const Node& node, Grid grid) {
  const Value& input = graph.value(node.inputs[0]);
  if (!input.shape) return std::nullopt;
  const bool reshapes = node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") ||
                        node.is("Unsqueeze") || node.is("Identity");
  const int axis = *grid.axis;
  if (node.is("Transpose")) {
    grid.axis = transposed_axis(node, static_cast<int>(input.shape->size()), axis);
  } else {
    if (!reshapes || node.outputs.empty() || node.outputs[0] == no_value) return std::nullopt;
    const Value& output = graph.value(node.outputs[0]);
    if (!output.shape || element_count(*output.shape) == 0) return std::nullopt;
    grid.axis = reshaped_axis(*input.shape, *output.shape, axis);
    if (!grid.axis) {
      grid.axis = axis;
      return joined_channels(*input.shape, *output.shape, grid);
    }
  }
  return grid.axis ? std::optional(grid) : std::nullopt;
}

/// Blocks stay blocks under Transpose alone.
std::optional<Grid> transposed_blocks(const Graph& graph, const Node& node, const Grid& grid) {
  const Value& input = graph.value(node.inputs[0]);
  if (node.is("Identity")) return grid;
  if (!node.is("Transpose") || !input.shape) return std::nullopt;
  Shape blocks = *input.shape;
  std::int64_t& extent = blocks[static_cast<std::size_t>(*grid.axis)];
  extent = extent / grid.block + (extent % grid.block != 0 ? 1 : 0);
  const auto move = [&](const Tensor& tensor) {
    const Tensor operands[] = {tensor};
    return definition_of(node).evaluate({node, operands})[0];
  };
  const Tensor scale = move(Tensor::from<float>(blocks, grid.scale));
  const Tensor zero_point = move(Tensor::from<std::int32_t>(blocks, grid.zero_point));
  Grid moved = grid;
  moved.axis = transposed_axis(node, static_cast<int>(input.shape->size()), *grid.axis);
  moved.scale.assign(scale.data<float>().begin(), scale.data<float>().end());
  moved.zero_point.assign(zero_point.data<std::int32_t>().begin(),
                          zero_point.data<std::int32_t>().end());
  return moved;
}

bool can_fold(const Graph& graph, const Node& node, const Definition& definition) {
  if (definition.random || definition.evaluate == nullptr) return false;
  if ((node.is("Shape") || node.is("Size")) && node.has_input(0))
    return graph.value(node.inputs[0]).shape.has_value();
  for (const ValueId id : node.inputs)
    if (id != no_value && !graph.value(id).is_constant()) return false;
  return true;
}

std::vector<Tensor> fold_operands(const Graph& graph, const Node& node, bool on_integers) {
  std::vector<Tensor> operands;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.has_input(i)) {
      operands.emplace_back();
      continue;
    }
    const Value& value = graph.value(node.inputs[i]);
    if (node.is("Shape") || node.is("Size"))  // reads the shape only
      operands.push_back(Tensor::borrow(ElementType::u8, *value.shape, nullptr));
    else
      operands.push_back(on_integers && is_data_input(node, i) ? value.constant
                                                               : real_constant(value));
  }
  return operands;
}

bool fits(const std::vector<TensorType>& types, std::int64_t max_elements) {
  std::int64_t total = 0;
  for (const TensorType& type : types) {
    if (!type.shape) continue;
    const std::int64_t count = element_count(*type.shape);
    if (count > max_elements - total) return false;
    total += count;
  }
  return true;
}

void set_constant(Value& value, Tensor tensor, const std::optional<Grid>& grid) {
  value.shape = tensor.shape();
  value.type = grid ? ElementType::f32 : tensor.type();
  value.grid = grid;
  value.constant = std::move(tensor);
}

/// Round, FromBytes and Bytes of constants: between integers and grids without a detour.
std::optional<Tensor> fold_grid_operator(const Graph& graph, const Node& node) {
  if (node.inputs.empty() || !node.has_input(0)) return std::nullopt;
  const Value& input = graph.value(node.inputs[0]);
  if (!input.is_constant()) return std::nullopt;
  if (node.is_from_bytes() && node.grid) return input.constant;
  if (node.is_round() && node.grid) return quantize(real_constant(input), *node.grid);
  if (node.is_bytes() && input.grid) return input.constant;
  return std::nullopt;
}

void finish(Graph& graph, Node& node) {
  graph.removed.push_back({std::move(node.sources), "constant"});
  node = Node{};
}

}  // namespace

bool moves_data(const Node& node) {
  if (node.is("Resize") || node.is("Upsample"))
    return node.attributes.text("mode", "nearest") == "nearest" &&
           node.attributes.text("coordinate_transformation_mode", "") != "tf_crop_and_resize";
  const Definition* definition = find_definition(node.op, node.domain);
  return definition != nullptr && definition->moves_data;
}

bool mixes_data(const Node& node) {
  if (node.is("Where") || node.is("TensorScatter")) return true;
  const bool scatters = node.is("ScatterND") || node.is("ScatterElements") || node.is("Scatter");
  return scatters && node.attributes.text("reduction", "none") == "none";
}

bool is_data_input(const Node& node, std::size_t input) {
  if (node.is("Where")) return input == 1 || input == 2;
  if (node.is("TensorScatter")) return input < 2;
  if (mixes_data(node)) return input == 0 || input == 2;
  return input == 0 || node.is("Concat");
}

std::optional<Grid> moved_grid(const Graph& graph, const Node& node) {
  if ((!moves_data(node) && !mixes_data(node)) || node.inputs.empty()) return std::nullopt;
  std::optional<Grid> common;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!is_data_input(node, i)) continue;
    if (!node.has_input(i)) return std::nullopt;
    const std::optional<Grid>& grid = graph.value(node.inputs[i]).grid;
    if (!grid || (common && grid != common)) return std::nullopt;
    common = grid;
  }
  if (!common || common->per_tensor()) return common;
  if (mixes_data(node)) return std::nullopt;
  if (common->block != 0) return transposed_blocks(graph, node, *common);
  return moved_channels(graph, node, *common);
}

bool fold_node(Graph& graph, Node& node, std::int64_t max_elements) {
  const Definition& definition = definition_of(node);
  if (!can_fold(graph, node, definition)) return false;
  if (std::optional<Tensor> direct;
      graph.is_constant(node.has_input(0) ? node.inputs[0] : no_value) &&
      graph.value(node.inputs[0]).constant.size() <= max_elements &&
      (direct = fold_grid_operator(graph, node))) {
    const bool on_grid = !node.is_bytes();
    set_constant(graph.value(node.outputs.at(0)), std::move(*direct),
                 on_grid ? node.grid : std::nullopt);
    finish(graph, node);
    return true;
  }
  const std::vector<TensorType> types = infer_node(graph, node);
  if (!node.is("Constant") && !fits(types, max_elements)) return false;
  for (std::size_t i = 0; i < std::min(types.size(), node.outputs.size()); ++i)
    if (node.outputs[i] != no_value) graph.value(node.outputs[i]).shape = types[i].shape;
  const std::optional<Grid> grid = moved_grid(graph, node);
  const std::vector<Tensor> operands = fold_operands(graph, node, grid.has_value());
  std::vector<Tensor> results;
  try {
    results = definition.evaluate({node, operands});
  } catch (const Unsupported&) {
    return false;  // stays in the graph, where it is refused only if it is run
  }
  if (results.size() < node.outputs.size())
    refuse(node, "has {} outputs, but the operator gives {}", node.outputs.size(), results.size());
  for (std::size_t i = 0; i < node.outputs.size(); ++i)
    if (node.outputs[i] != no_value) set_constant(graph.value(node.outputs[i]), results[i], grid);
  finish(graph, node);
  return true;
}

}  // namespace intact
