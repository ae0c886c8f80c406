// Helpers of operator definitions; see checks.hpp.
#include "graph/checks.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/checked.hpp"

namespace intact {

void check_operands(const Node& node, std::size_t least, std::size_t most) {
  if (node.inputs.size() > most)
    refuse(node, "{} operands are given; it takes at most {}", node.inputs.size(), most);
  for (std::size_t i = 0; i < least; ++i)
    if (!node.has_input(i)) refuse(node, "operand {} is missing; it takes at least {}", i, least);
}

void check_present(const Node& node, std::size_t i) {
  if (!node.has_input(i)) refuse(node, "operand {} is missing; it is not optional", i);
}

int normalize_axis(const Node& node, std::int64_t axis, int rank) {
  if (axis < -rank || axis >= rank)
    refuse(node, "axis {} is out of range; for rank {} it must lie in [{}, {}]", axis, rank, -rank,
           rank - 1);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

std::vector<int> normalize_axes(const Node& node, std::span<const std::int64_t> axes, int rank) {
  std::vector<int> result;
  for (const std::int64_t axis : axes) {
    const int normal = normalize_axis(node, axis, rank);
    if (std::find(result.begin(), result.end(), normal) != result.end())
      refuse(node, "axis {} is given twice; axes must differ", axis);
    result.push_back(normal);
  }
  return result;
}

Shape broadcast(const Node& node, const Shape& a, const Shape& b) {
  const std::size_t rank = std::max(a.size(), b.size());
  Shape result(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t left = i < rank - a.size() ? 1 : a[i - (rank - a.size())];
    const std::int64_t right = i < rank - b.size() ? 1 : b[i - (rank - b.size())];
    if (left != right && left != 1 && right != 1)
      refuse(
          node,
          "shapes {} and {} do not broadcast: extents {} and {}; aligned from the right, extents "
          "must be equal or 1",
          to_string(a), to_string(b), left, right);
    result[i] = left == 1 ? right : left;
  }
  return result;
}

std::vector<std::int64_t> broadcast_strides(const Shape& from, const Shape& to) {
  std::vector<std::int64_t> strides(to.size(), 0);
  std::int64_t step = 1;
  for (std::size_t i = from.size(); i-- > 0;) {
    if (from[i] != 1) strides[i + to.size() - from.size()] = step;
    step *= from[i];
  }
  return strides;
}

std::vector<std::int64_t> integers_of(const Node& node, const Tensor& tensor, const char* what) {
  if (tensor.rank() > 1)
    refuse(node, "{} has shape {}; it must have rank 0 or 1", what, to_string(tensor.shape()));
  if (tensor.type() == ElementType::s64) {
    const auto data = tensor.data<std::int64_t>();
    return {data.begin(), data.end()};
  }
  if (tensor.type() == ElementType::s32) {
    const auto data = tensor.data<std::int32_t>();
    return {data.begin(), data.end()};
  }
  refuse(node, "{} has type {}; it must be s64 or s32", what, element_name(tensor.type()));
}

TensorType sized(const Node& node, ElementType type, Shape shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape)
    if (extent < 0 || !checked_multiply(count, extent, &count))
      refuse(node, "the output would have shape {}; its size must fit into 64 bits",
             to_string(shape));
  return {type, std::move(shape)};
}

void check_type(const InferContext& context, std::size_t i,
                std::initializer_list<ElementType> allowed) {
  const ElementType type = context.inputs[i].type;
  if (std::find(allowed.begin(), allowed.end(), type) != allowed.end()) return;
  std::vector<std::string_view> names;
  for (const ElementType other : allowed) names.push_back(element_name(other));
  refuse(context.node, "operand {} has type {}; it must be one of {}", i, element_name(type),
         fmt::join(names, ", "));
}

void check_same_type(const InferContext& context, std::size_t i, std::size_t j) {
  const ElementType a = context.inputs[i].type, b = context.inputs[j].type;
  if (a != b)
    refuse(context.node, "operand {} has type {} and operand {} has {}; they must be equal", i,
           element_name(a), j, element_name(b));
}

void check_shape(const InferContext& context, std::size_t i, const Shape& shape, const char* what) {
  if (context.has(i) && context.inputs[i].shape && *context.inputs[i].shape != shape)
    refuse(context.node, "{} has shape {}; it must be {}", what,
           to_string(*context.inputs[i].shape), to_string(shape));
}

std::int64_t extent_product(const Shape& shape, std::size_t first, std::size_t last) {
  std::int64_t product = 1;
  for (std::size_t i = first; i < last; ++i)
    if (!checked_multiply(product, shape[i], &product))
      throw Error(
          fmt::format("shape {} has more elements than fit into 64 bits", to_string(shape)));
  return product;
}

}  // namespace intact
