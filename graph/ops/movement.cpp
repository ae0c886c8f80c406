// Operators that rearrange whole tensors: Concat, Split, Transpose, Expand, Tile, depth and space.
#include <cstring>
#include <numeric>

#include "core/checked.hpp"
#include "graph/checks.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"
#include "graph/ops/strided.hpp"

namespace intact {

namespace {

// --- Concat
// ---------------------------------------------------------------------------------------

void check_concat_operand(const Node& node, const TensorType& first, const TensorType& next,
                          std::size_t i, int axis) {
  if (next.type != first.type)
    refuse(node, "operand {} has elements of type {}, the first of {}; they must agree", i,
           element_name(next.type), element_name(first.type));
  bool fits = next.shape->size() == first.shape->size();
  for (std::size_t d = 0; fits && d < first.shape->size(); ++d)
    fits = static_cast<int>(d) == axis || (*next.shape)[d] == (*first.shape)[d];
  if (!fits)
    refuse(node, "operand {} has shape {}, the first {}; they may differ along axis {} only", i,
           to_string(*next.shape), to_string(*first.shape), axis);
}

std::vector<TensorType> infer_concat(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, static_cast<std::size_t>(-1));
  for (std::size_t i = 0; i < context.inputs.size(); ++i) {
    if (!context.has(i)) refuse(node, "operand {} is absent; all operands are needed", i);
    if (!context.inputs[i].shape) return {{context.inputs[0].type, std::nullopt}};
  }
  if (node.version >= 4 && !node.attributes.has("axis"))
    refuse(node, "the attribute axis is absent");
  const TensorType& first = context.inputs[0];
  const int axis = normalize_axis(node, node.attributes.integer("axis", 1),
                                  static_cast<int>(first.shape->size()));
  Shape shape = *first.shape;
  auto& extent = shape[static_cast<std::size_t>(axis)];
  for (std::size_t i = 1; i < context.inputs.size(); ++i) {
    check_concat_operand(node, first, context.inputs[i], i, axis);
    if (!checked_add(extent, (*context.inputs[i].shape)[static_cast<std::size_t>(axis)], &extent))
      refuse(node, "the extent of the output along axis {} does not fit into 64 bits", axis);
  }
  return {{first.type, shape}};
}

std::vector<Tensor> evaluate_concat(const EvalContext& context) {
  const auto types = output_types(context, infer_concat);
  const Shape& shape = *types[0].shape;
  const int axis = normalize_axis(context.node, context.node.attributes.integer("axis", 1),
                                  static_cast<int>(shape.size()));
  Tensor result = allocate(context.node, types[0]);
  const std::int64_t outer = extent_product(shape, 0, static_cast<std::size_t>(axis));
  const std::size_t pitch = outer == 0 ? 0 : result.bytes() / static_cast<std::size_t>(outer);
  auto* slot = static_cast<std::byte*>(result.raw());
  for (const Tensor& tensor : context.inputs) {
    const std::size_t block = outer == 0 ? 0 : tensor.bytes() / static_cast<std::size_t>(outer);
    const auto* from = static_cast<const std::byte*>(tensor.raw());
    for (std::int64_t i = 0; i < outer && block > 0; ++i)
      std::memcpy(slot + static_cast<std::size_t>(i) * pitch,
                  from + static_cast<std::size_t>(i) * block, block);
    slot += block;
  }
  return {result};
}

// --- Split
// ----------------------------------------------------------------------------------------

/// Sizes of the parts of an axis of `extent` elements; nothing when they are not known yet.
std::optional<std::vector<std::int64_t>> split_sizes(const Node& node,
                                                     std::span<const TensorType> inputs,
                                                     std::span<const Tensor> constants,
                                                     std::int64_t extent) {
  std::vector<std::int64_t> sizes = node.attributes.integers("split");
  const auto parts = static_cast<std::int64_t>(node.outputs.size());
  if (inputs.size() > 1 && inputs[1].type != ElementType::undefined) {
    if (!constants[1].defined()) return std::nullopt;
    sizes = integers_of(node, constants[1], "split");
  } else if (sizes.empty()) {
    const std::int64_t wanted = node.attributes.integer("num_outputs", parts);
    if (wanted != parts || (node.version < 18 && extent % parts != 0))
      refuse(node, "an axis of {} elements cannot be split into {} equal parts for {} outputs",
             extent, wanted, parts);
    const std::int64_t size = extent / parts + (extent % parts != 0 ? 1 : 0);
    for (std::int64_t i = 0, rest = extent; i < parts; ++i, rest -= sizes.back())
      sizes.push_back(std::min(size, rest));
  }
  std::int64_t total = 0;
  bool fits = static_cast<std::int64_t>(sizes.size()) == parts;
  for (const std::int64_t size : sizes)
    fits = fits && size >= 0 && checked_add(total, size, &total);
  if (!fits || total != extent)
    refuse(node, "the split {} does not divide an axis of {} elements into {} outputs",
           to_string(Shape(sizes)), extent, parts);
  return sizes;
}

std::vector<TensorType> infer_split(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 2);
  const TensorType& data = context.inputs[0];
  std::vector<TensorType> outputs(node.outputs.size(), {data.type, std::nullopt});
  if (!data.shape || outputs.empty()) return outputs;
  const auto axis = static_cast<std::size_t>(normalize_axis(
      node, node.attributes.integer("axis", 0), static_cast<int>(data.shape->size())));
  const auto sizes = split_sizes(node, context.inputs, context.constants, (*data.shape)[axis]);
  if (!sizes) return outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].shape = *data.shape;
    (*outputs[i].shape)[axis] = (*sizes)[i];
  }
  return outputs;
}

std::vector<Tensor> evaluate_split(const EvalContext& context) {
  const auto types = output_types(context, infer_split);
  const Tensor& data = context.inputs[0];
  const auto axis = static_cast<std::size_t>(
      normalize_axis(context.node, context.node.attributes.integer("axis", 0), data.rank()));
  const auto strides = dense_strides(data.shape());
  std::vector<Tensor> results;
  std::int64_t offset = 0;
  for (const TensorType& type : types) {
    results.push_back(allocate(context.node, type));
    copy_strided(data, offset, strides, results.back());
    offset += (*type.shape)[axis] * strides[axis];
  }
  return results;
}

// --- Transpose
// ------------------------------------------------------------------------------------

std::vector<std::int64_t> permutation(const Node& node, std::size_t rank) {
  std::vector<std::int64_t> order = node.attributes.integers("perm");
  if (order.empty()) {
    order.resize(rank);
    std::iota(order.rbegin(), order.rend(), 0);
  }
  std::vector<bool> seen(rank, false);
  bool valid = order.size() == rank;
  for (const std::int64_t axis : order) {
    valid = valid && axis >= 0 && axis < static_cast<std::int64_t>(rank) &&
            !seen[static_cast<std::size_t>(axis)];
    if (valid) seen[static_cast<std::size_t>(axis)] = true;
  }
  if (!valid)
    refuse(node, "the attribute perm is {}; it must name each of the {} axes once",
           to_string(Shape(order)), rank);
  return order;
}

std::vector<TensorType> infer_transpose(const InferContext& context) {
  check_operands(context.node, 1, 1);
  TensorType type = context.inputs[0];
  if (!type.shape) return {type};
  const Shape from = *type.shape;
  const auto order = permutation(context.node, from.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    (*type.shape)[i] = from[static_cast<std::size_t>(order[i])];
  return {type};
}

std::vector<Tensor> evaluate_transpose(const EvalContext& context) {
  const auto types = output_types(context, infer_transpose);
  const Tensor& data = context.inputs[0];
  const auto dense = dense_strides(data.shape());
  std::vector<std::int64_t> strides;
  for (const std::int64_t axis : permutation(context.node, data.shape().size()))
    strides.push_back(dense[static_cast<std::size_t>(axis)]);
  Tensor result = allocate(context.node, types[0]);
  copy_strided(data, 0, strides, result);
  return {result};
}

// --- Expand and Tile
// ------------------------------------------------------------------------------

std::vector<TensorType> infer_expand(const InferContext& context) {
  check_operands(context.node, 2, 2);
  const TensorType& data = context.inputs[0];
  if (!data.shape || !context.constants[1].defined()) return {{data.type, std::nullopt}};
  const Shape wanted = integers_of(context.node, context.constants[1], "shape");
  for (const std::int64_t extent : wanted)
    if (extent < 0) refuse(context.node, "the shape {} has a negative extent", to_string(wanted));
  return {{data.type, broadcast(context.node, *data.shape, wanted)}};
}

std::vector<Tensor> evaluate_expand(const EvalContext& context) {
  const auto types = output_types(context, infer_expand);
  return {broadcast_to(context.node, context.inputs[0], *types[0].shape)};
}

std::vector<TensorType> infer_tile(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 2);
  TensorType type = context.inputs[0];
  if (!type.shape || !context.constants[1].defined()) return {{type.type, std::nullopt}};
  const auto repeats = integers_of(node, context.constants[1], "repeats");
  bool fits = repeats.size() == type.shape->size();
  for (std::size_t i = 0; fits && i < repeats.size(); ++i)
    fits = repeats[i] >= 0 && checked_multiply((*type.shape)[i], repeats[i], &(*type.shape)[i]);
  if (!fits)
    refuse(node, "the repeats {} do not fit an input of shape {}; one count per axis is needed",
           to_string(Shape(repeats)), to_string(*context.inputs[0].shape));
  return {type};
}

/// Tiling [a, b] to [n a, m b] is broadcasting [1, a, 1, b] to [n, a, m, b].
std::vector<Tensor> evaluate_tile(const EvalContext& context) {
  const auto types = output_types(context, infer_tile);
  const Shape& from = context.inputs[0].shape();
  const auto repeats = integers_of(context.node, context.inputs[1], "repeats");
  Shape single, repeated;
  for (std::size_t i = 0; i < from.size(); ++i) {
    single.insert(single.end(), {1, from[i]});
    repeated.insert(repeated.end(), {repeats[i], from[i]});
  }
  const Tensor tiled = broadcast_to(context.node, context.inputs[0].reshaped(single), repeated);
  return {tiled.reshaped(*types[0].shape)};
}

// --- DepthToSpace and SpaceToDepth: a reshape, a transpose and a reshape
// ---------------------------

std::int64_t block_size(const Node& node) {
  const std::int64_t block = node.attributes.integer("blocksize", 0);
  if (block < 1 || block > 1 << 15)
    refuse(node, "the attribute blocksize is {}; it must be from 1 to 32768", block);
  return block;
}

std::vector<TensorType> infer_depth_to_space(const InferContext& context) {
  check_operands(context.node, 1, 1);
  TensorType type = context.inputs[0];
  const std::int64_t block = block_size(context.node);
  if (!type.shape) return {type};
  Shape& s = *type.shape;
  if (s.size() != 4 || s[1] % (block * block) != 0)
    refuse(context.node,
           "the input has shape {}; it must be [batch, channels, height, width] with channels "
           "divisible by {}",
           to_string(s), block * block);
  s[1] /= block * block;
  if (!checked_multiply(s[2], block, &s[2]) || !checked_multiply(s[3], block, &s[3]))
    refuse(context.node, "the output's extents do not fit into 64 bits");
  return {type};
}

std::vector<Tensor> evaluate_depth_to_space(const EvalContext& context) {
  const auto types = output_types(context, infer_depth_to_space);
  if (context.inputs[0].size() == 0) return {allocate(context.node, types[0])};
  const Shape& s = context.inputs[0].shape();
  const Shape& out = *types[0].shape;
  const std::int64_t b = block_size(context.node);
  const std::int64_t area = s[2] * s[3];
  const std::string mode = context.node.attributes.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    refuse(context.node, "the attribute mode is '{}'; it must be DCR or CRD", mode);
  // Steps of the depth, row-in-block and column-in-block parts of the channel.
  const bool depth_first = mode == "DCR";
  const std::int64_t depth = depth_first ? area : b * b * area;
  const std::int64_t row = depth_first ? b * out[1] * area : b * area;
  const std::int64_t column = depth_first ? out[1] * area : area;
  Tensor result = allocate(context.node, {types[0].type, Shape{s[0], out[1], s[2], b, s[3], b}});
  copy_strided(context.inputs[0], 0, {s[1] * area, depth, s[3], row, 1, column}, result);
  return {result.reshaped(out)};
}

std::vector<TensorType> infer_space_to_depth(const InferContext& context) {
  check_operands(context.node, 1, 1);
  TensorType type = context.inputs[0];
  const std::int64_t block = block_size(context.node);
  if (!type.shape) return {type};
  Shape& s = *type.shape;
  if (s.size() != 4 || s[2] % block != 0 || s[3] % block != 0)
    refuse(context.node,
           "the input has shape {}; it must be [batch, channels, height, width] with height and "
           "width divisible by {}",
           to_string(s), block);
  if (!checked_multiply(s[1], block * block, &s[1]))
    refuse(context.node, "the output's extents do not fit into 64 bits");
  s[2] /= block;
  s[3] /= block;
  return {type};
}

std::vector<Tensor> evaluate_space_to_depth(const EvalContext& context) {
  const auto types = output_types(context, infer_space_to_depth);
  if (context.inputs[0].size() == 0) return {allocate(context.node, types[0])};
  const Shape& s = context.inputs[0].shape();
  const Shape& out = *types[0].shape;
  const std::int64_t b = block_size(context.node);
  const std::int64_t area = s[2] * s[3];
  Tensor result = allocate(context.node, {types[0].type, Shape{s[0], b, b, s[1], out[2], out[3]}});
  copy_strided(context.inputs[0], 0, {s[1] * area, s[3], 1, area, b * s[3], b}, result);
  return {result.reshaped(out)};
}

Definition movement(std::string_view op, decltype(Definition::infer) infer,
                    decltype(Definition::evaluate) evaluate, std::vector<int> shape_operands = {}) {
  return {.op = op,
          .infer = infer,
          .evaluate = evaluate,
          .moves_data = true,
          .shape_operands = std::move(shape_operands)};
}

}  // namespace

std::span<const Definition> movement_definitions() {
  static const Definition definitions[] = {
      movement("Concat", infer_concat, evaluate_concat),
      movement("Split", infer_split, evaluate_split, {1}),
      movement("Transpose", infer_transpose, evaluate_transpose),
      movement("Expand", infer_expand, evaluate_expand, {1}),
      movement("Tile", infer_tile, evaluate_tile, {1}),
      movement("DepthToSpace", infer_depth_to_space, evaluate_depth_to_space),
      movement("SpaceToDepth", infer_space_to_depth, evaluate_space_to_depth),
  };
  return definitions;
}

}  // namespace intact
