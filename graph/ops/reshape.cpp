// Operators that give the same elements another shape: Reshape, Flatten, Squeeze, Unsqueeze.
#include <algorithm>

#include "core/checked.hpp"
#include "graph/checks.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {

namespace {

/// The integers of the second operand or, in old operator sets, of the attribute `name`. Nothing
/// when neither is there; `known` is false when the operand is not constant.
std::optional<std::vector<std::int64_t>> operand_or_attribute(const InferContext& context,
                                                              const char* name, bool* known) {
  *known = true;
  if (context.has(1)) {
    *known = context.constants[1].defined();
    if (!*known) return std::nullopt;
    return integers_of(context.node, context.constants[1], name);
  }
  if (!context.node.attributes.has(name)) return std::nullopt;
  return context.node.attributes.integers(name);
}

// --- Reshape
// --------------------------------------------------------------------------------------

/// Resolves 0 (the input's extent, unless allowzero) and -1 (what is left) in `wanted`.
Shape resolve_reshape(const Node& node, const Shape& from,
                      const std::vector<std::int64_t>& wanted) {
  const bool allow_zero = node.attributes.integer("allowzero", 0) != 0;
  const auto misfit = [&]() {
    refuse(node, "an input of shape {} cannot be reshaped to {}", to_string(from),
           to_string(Shape(wanted)));
  };
  Shape shape = wanted;
  std::optional<std::size_t> open;
  std::int64_t known = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && !allow_zero) {
      if (i >= from.size()) misfit();
      shape[i] = from[i];
    } else if (shape[i] == -1) {
      if (open) refuse(node, "the shape {} has more than one -1", to_string(Shape(wanted)));
      open = i;
      continue;
    }
    if (shape[i] < 0 || !checked_multiply(known, shape[i], &known)) misfit();
  }
  const std::int64_t total = element_count(from);
  if (open) {
    if (known == 0 ? total != 0 : total % known != 0) misfit();
    shape[*open] = known == 0 ? 0 : total / known;
    known *= shape[*open];
  }
  if (known != total) misfit();
  return shape;
}

std::vector<TensorType> infer_reshape(const InferContext& context) {
  check_operands(context.node, context.node.version < 5 ? 1 : 2, 2);
  const TensorType& data = context.inputs[0];
  bool known = true;
  const auto wanted = operand_or_attribute(context, "shape", &known);
  if (!known || !data.shape) return {{data.type, std::nullopt}};
  if (!wanted) refuse(context.node, "neither operand nor attribute gives the shape");
  return {{data.type, resolve_reshape(context.node, *data.shape, *wanted)}};
}

// --- Flatten
// --------------------------------------------------------------------------------------

std::vector<TensorType> infer_flatten(const InferContext& context) {
  check_operands(context.node, 1, 1);
  const TensorType& data = context.inputs[0];
  if (!data.shape) return {data};
  const auto rank = static_cast<std::int64_t>(data.shape->size());
  std::int64_t axis = context.node.attributes.integer("axis", 1);
  if (axis < -rank || axis > rank)
    refuse(context.node, "the attribute axis is {}; it must be from {} to {}", axis, -rank, rank);
  if (axis < 0) axis += rank;
  const auto cut = static_cast<std::size_t>(axis);
  return {{data.type, Shape{extent_product(*data.shape, 0, cut),
                            extent_product(*data.shape, cut, data.shape->size())}}};
}

// --- Squeeze and Unsqueeze
// ------------------------------------------------------------------------

std::vector<TensorType> infer_squeeze(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 2);
  const TensorType& data = context.inputs[0];
  bool known = true;
  const auto axes = operand_or_attribute(context, "axes", &known);
  if (!known || !data.shape) return {{data.type, std::nullopt}};
  const Shape& from = *data.shape;
  std::vector<bool> drop(from.size(), false);
  if (axes) {
    for (const int axis : normalize_axes(node, *axes, static_cast<int>(from.size()))) {
      const auto i = static_cast<std::size_t>(axis);
      if (from[i] != 1)
        refuse(node, "axis {} of shape {} has {} elements; only axes of one can be removed", axis,
               to_string(from), from[i]);
      drop[i] = true;
    }
  } else {
    for (std::size_t i = 0; i < from.size(); ++i) drop[i] = from[i] == 1;
  }
  Shape shape;
  for (std::size_t i = 0; i < from.size(); ++i)
    if (!drop[i]) shape.push_back(from[i]);
  return {{data.type, shape}};
}

std::vector<TensorType> infer_unsqueeze(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 2);
  const TensorType& data = context.inputs[0];
  bool known = true;
  const auto axes = operand_or_attribute(context, "axes", &known);
  if (!known || !data.shape) return {{data.type, std::nullopt}};
  if (!axes) refuse(node, "neither operand nor attribute gives the axes");
  constexpr std::size_t largest_rank = 64;
  if (data.shape->size() + axes->size() > largest_rank)
    refuse(node, "{} axes are added; ranks above {} are not supported", axes->size(), largest_rank);
  std::vector<int> added =
      normalize_axes(node, *axes, static_cast<int>(data.shape->size() + axes->size()));
  std::sort(added.begin(), added.end());
  Shape shape = *data.shape;
  for (const int axis : added) shape.insert(shape.begin() + axis, 1);
  return {{data.type, shape}};
}

template <std::vector<TensorType> (*Infer)(const InferContext&)>
std::vector<Tensor> evaluate_view(const EvalContext& context) {
  const TensorType type = output_types(context, Infer)[0];
  return {context.inputs[0].reshaped(*type.shape)};
}

template <std::vector<TensorType> (*Infer)(const InferContext&)>
Definition view(std::string_view op, std::vector<int> shape_operands = {}) {
  return {.op = op,
          .infer = Infer,
          .evaluate = evaluate_view<Infer>,
          .moves_data = true,
          .shape_operands = std::move(shape_operands)};
}

}  // namespace

std::span<const Definition> reshape_definitions() {
  static const Definition definitions[] = {
      view<infer_reshape>("Reshape", {1}),
      view<infer_flatten>("Flatten"),
      view<infer_squeeze>("Squeeze", {1}),
      view<infer_unsqueeze>("Unsqueeze", {1}),
  };
  return definitions;
}

}  // namespace intact
