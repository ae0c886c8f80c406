// TensorScatter: new rows of a cache of keys or values, written over the old ones.
#include <cstring>

#include "graph/checks.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {
namespace {

bool is_circular(const Node& node) {
  const std::string mode = node.attributes.text("mode", "linear");
  if (mode != "linear" && mode != "circular")
    refuse(node, "the attribute mode is '{}'; it must be linear or circular", mode);
  return mode == "circular";
}

/// The axis of the rows, which is not that of the batch.
std::size_t row_axis(const Node& node, const Shape& cache) {
  const int axis =
      normalize_axis(node, node.attributes.integer("axis", -2), static_cast<int>(cache.size()));
  if (axis == 0) refuse(node, "the rows lie along axis 0, which is that of the batch");
  return static_cast<std::size_t>(axis);
}

std::vector<TensorType> infer_tensor_scatter(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 3);
  check_same_type(context, 0, 1);
  if (context.has(2)) check_type(context, 2, {ElementType::s64});
  is_circular(node);
  const auto &cache = context.inputs[0].shape, &update = context.inputs[1].shape;
  if (!cache || !update) return {context.inputs[0]};
  const std::size_t axis = row_axis(node, *cache);
  Shape wanted = *cache;
  if (update->size() == wanted.size()) wanted[axis] = (*update)[axis];
  if (*update != wanted || (*update)[axis] > (*cache)[axis])
    refuse(node, "the update has shape {}, the cache {}; only the extent of axis {} may be smaller",
           to_string(*update), to_string(*cache), axis);
  check_shape(context, 2, {(*cache)[0]}, "the list of write indices");
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_tensor_scatter(const EvalContext& context) {
  output_types(context, infer_tensor_scatter);
  const Node& node = context.node;
  const Tensor& update = context.inputs[1];
  Tensor result = context.inputs[0].clone();
  if (update.size() == 0) return {result};
  const Shape& shape = result.shape();
  const std::size_t axis = row_axis(node, shape);
  const bool circular = is_circular(node);
  const std::int64_t outer = extent_product(shape, 0, axis), per_batch = outer / shape[0],
                     rows = update.shape()[axis], extent = shape[axis];
  const std::size_t bytes = update.bytes() / static_cast<std::size_t>(outer * rows);
  const auto* from = static_cast<const std::byte*>(update.raw());
  auto* to = static_cast<std::byte*>(result.raw());
  for (std::int64_t block = 0; block < outer; ++block) {
    const auto batch = static_cast<std::size_t>(block / per_batch);
    std::int64_t first = context.has(2) ? context.inputs[2].data<std::int64_t>()[batch] : 0;
    if (circular) first = (first % extent + extent) % extent;
    if (first < 0 || (!circular && first > extent - rows))
      refuse(node, "write index {} is out of range for {} rows in a cache of {}", first, rows,
             extent);
    for (std::int64_t row = 0; row < rows; ++row, from += bytes)
      std::memcpy(to + static_cast<std::size_t>(block * extent + (first + row) % extent) * bytes,
                  from, bytes);
  }
  return {result};
}

const Definition definitions[] = {
    {.op = "TensorScatter",
     .first = 24,
     .infer = infer_tensor_scatter,
     .evaluate = evaluate_tensor_scatter},
};

}  // namespace

std::span<const Definition> tensor_scatter_definitions() {
  return definitions;
}

}  // namespace intact
