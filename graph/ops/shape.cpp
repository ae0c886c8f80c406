// Operators about shapes and operators that make tensors: Shape, Size, Constant, Range, OneHot, ...
#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/element_types.hpp"
#include "graph/ops/elementwise.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {

namespace {

// --- Shape and Size
// -------------------------------------------------------------------------------

/// The extents [start, end) that Shape gives.
Shape selected_extents(const Node& node, const Shape& shape) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto clamp = [&](std::int64_t axis) {
    return std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const std::int64_t start = clamp(node.attributes.integer("start", 0));
  const std::int64_t end = clamp(node.attributes.integer("end", rank));
  if (start >= end) return {};
  return Shape(shape.begin() + start, shape.begin() + end);
}

std::vector<TensorType> infer_shape(const InferContext& context) {
  check_operands(context.node, 1, 1);
  if (!context.inputs[0].shape) return {{ElementType::s64, std::nullopt}};
  const Shape extents = selected_extents(context.node, *context.inputs[0].shape);
  return {{ElementType::s64, Shape{static_cast<std::int64_t>(extents.size())}}};
}

std::vector<Tensor> evaluate_shape(const EvalContext& context) {
  const auto types = output_types(context, infer_shape);
  const Shape extents = selected_extents(context.node, context.inputs[0].shape());
  return {Tensor::from<std::int64_t>(*types[0].shape, extents)};
}

std::vector<TensorType> infer_size(const InferContext& context) {
  check_operands(context.node, 1, 1);
  return {{ElementType::s64, Shape{}}};
}

std::vector<Tensor> evaluate_size(const EvalContext& context) {
  output_types(context, infer_size);
  return {Tensor::scalar(context.inputs[0].size())};
}

// --- Constant and ConstantOfShape
// -----------------------------------------------------------------

Tensor constant_value(const Node& node) {
  const Attributes& attributes = node.attributes;
  if (attributes.has("value")) return attributes.tensor("value");
  if (attributes.has("value_float")) return Tensor::scalar(attributes.number("value_float", 0.0f));
  if (attributes.has("value_int")) return Tensor::scalar(attributes.integer("value_int", 0));
  if (attributes.has("value_floats")) {
    const auto values = attributes.numbers("value_floats");
    return Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
  }
  if (attributes.has("value_ints")) {
    const auto values = attributes.integers("value_ints");
    return Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
  }
  refuse_unsupported(node,
                     "it holds strings, a sparse tensor or nothing; only tensors, numbers and "
                     "lists of numbers are supported");
}

std::vector<TensorType> infer_constant(const InferContext& context) {
  const Tensor value = constant_value(context.node);
  return {{value.type(), value.shape()}};
}

std::vector<Tensor> evaluate_constant(const EvalContext& context) {
  return {constant_value(context.node)};
}

Tensor fill_value(const Node& node) {
  if (!node.attributes.has("value")) return Tensor::scalar(0.0f);
  const Tensor value = node.attributes.tensor("value");
  if (value.size() != 1)
    refuse(node, "the attribute value has shape {}; it must hold one element",
           to_string(value.shape()));
  return value.reshaped({});
}

std::vector<TensorType> infer_constant_of_shape(const InferContext& context) {
  check_operands(context.node, 1, 1);
  const ElementType type = fill_value(context.node).type();
  if (!context.constants[0].defined()) return {{type, std::nullopt}};
  const Shape shape = integers_of(context.node, context.constants[0], "shape");
  for (const std::int64_t extent : shape)
    if (extent < 0) refuse(context.node, "the shape {} has a negative extent", to_string(shape));
  return {{type, shape}};
}

std::vector<Tensor> evaluate_constant_of_shape(const EvalContext& context) {
  const auto types = output_types(context, infer_constant_of_shape);
  return {broadcast_to(context.node, fill_value(context.node), *types[0].shape)};
}

// --- Range
// ----------------------------------------------------------------------------------------

void check_scalar(const InferContext& context, std::size_t i, const char* what) {
  if (context.inputs[i].shape && element_count(*context.inputs[i].shape) != 1)
    refuse(context.node, "{} has shape {}; it must be a scalar", what,
           to_string(*context.inputs[i].shape));
}

/// Number of elements start, start + delta, ... before limit.
template <class T>
std::int64_t range_count(const Node& node, T start, T limit, T delta) {
  if (delta == T{} || delta != delta) refuse(node, "delta is {}; it must not be 0", delta);
  // In long double both 64-bit integers and doubles are exact.
  const long double count =
      std::ceil((static_cast<long double>(limit) - static_cast<long double>(start)) / delta);
  if (!(count > 0)) return 0;
  if (count > static_cast<long double>(std::numeric_limits<std::int64_t>::max() / 16))
    refuse(node, "it would have more elements than memory can hold");
  return static_cast<std::int64_t>(count);
}

std::vector<TensorType> infer_range(const InferContext& context) {
  check_operands(context.node, 3, 3);
  const ElementType type = common_type(context, 0, 3).type;
  for (std::size_t i = 0; i < 3; ++i) check_scalar(context, i, "an operand");
  for (std::size_t i = 0; i < 3; ++i)
    if (!context.constants[i].defined()) return {{type, std::nullopt}};
  const ElementType computing = computing_type(type);
  const std::int64_t count = visit_number(computing, [&]<class T>(T) {
    const auto value = [&](std::size_t i) {
      return convert(context.constants[i], computing).template data<T>()[0];
    };
    return range_count(context.node, value(0), value(1), value(2));
  });
  return {{type, Shape{count}}};
}

std::vector<Tensor> evaluate_range(const EvalContext& context) {
  const auto types = output_types(context, infer_range);
  const ElementType computing = computing_type(types[0].type);
  const Tensor start = convert(context.inputs[0], computing);
  const Tensor delta = convert(context.inputs[2], computing);
  Tensor result = allocate(context.node, {computing, types[0].shape});
  visit_number(computing, [&]<class T>(T) {
    const T first = start.data<T>()[0], step = delta.data<T>()[0];
    const auto out = result.data<T>();
    for (std::size_t i = 0; i < out.size(); ++i) {
      const T offset = wrapping(static_cast<T>(i), step, std::multiplies<>{});
      out[i] = wrapping(first, offset, std::plus<>{});
    }
  });
  return {convert(result, types[0].type)};
}

// --- EyeLike, OneHot, Trilu
// -----------------------------------------------------------------------

std::vector<TensorType> infer_eye_like(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 1);
  TensorType type = context.inputs[0];
  if (node.attributes.has("dtype"))
    type.type = element_type_of_code(node, node.attributes.integer("dtype", 0));
  if (type.shape && type.shape->size() != 2)
    refuse(node, "the input has shape {}; it must have rank 2", to_string(*type.shape));
  return {type};
}

std::vector<Tensor> evaluate_eye_like(const EvalContext& context) {
  const auto types = output_types(context, infer_eye_like);
  const Shape& shape = *types[0].shape;
  const std::int64_t k = std::clamp(context.node.attributes.integer("k", 0), -shape[0], shape[1]);
  Tensor result = allocate(context.node, types[0]);
  const Tensor one = convert(Tensor::scalar(1.0f), types[0].type);
  visit_width(result.type(), [&]<class T>(T) {
    auto* out = static_cast<T*>(result.raw());
    for (std::int64_t row = 0; row < shape[0]; ++row)
      if (row + k >= 0 && row + k < shape[1])
        out[row * shape[1] + row + k] = *static_cast<const T*>(one.raw());
  });
  return {result};
}

std::vector<TensorType> infer_one_hot(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 3, 3);
  check_scalar(context, 1, "depth");
  const TensorType& values = context.inputs[2];
  if (values.shape && *values.shape != Shape{2})
    refuse(node, "values has shape {}; it must be [2]: off and on", to_string(*values.shape));
  const auto& indices = context.inputs[0].shape;
  if (!indices || !context.constants[1].defined()) return {{values.type, std::nullopt}};
  const std::int64_t depth =
      convert(context.constants[1], ElementType::s64).data<std::int64_t>()[0];
  if (depth < 1) refuse(node, "depth is {}; it must be positive", depth);
  const int axis = normalize_axis(node, node.attributes.integer("axis", -1),
                                  static_cast<int>(indices->size()) + 1);
  Shape shape = *indices;
  shape.insert(shape.begin() + axis, depth);
  return {{values.type, shape}};
}

std::vector<Tensor> evaluate_one_hot(const EvalContext& context) {
  const auto types = output_types(context, infer_one_hot);
  const Shape& shape = *types[0].shape;
  const auto axis = static_cast<std::size_t>(normalize_axis(
      context.node, context.node.attributes.integer("axis", -1), static_cast<int>(shape.size())));
  const Tensor indices = convert(context.inputs[0], ElementType::s64);
  const std::int64_t depth = shape[axis];
  Tensor result = allocate(context.node, types[0]);
  const std::int64_t inner = extent_product(shape, axis + 1, shape.size());
  visit_width(result.type(), [&]<class T>(T) {
    const auto* values = static_cast<const T*>(context.inputs[2].raw());
    auto* out = static_cast<T*>(result.raw());
    std::fill(out, out + result.size(), values[0]);
    const auto index = indices.data<std::int64_t>();
    for (std::int64_t i = 0; i < indices.size(); ++i) {
      const std::int64_t wanted = index[static_cast<std::size_t>(i)];
      if (wanted < -depth || wanted >= depth) continue;
      const std::int64_t hot = wanted < 0 ? wanted + depth : wanted;
      out[(i / inner * depth + hot) * inner + i % inner] = values[1];
    }
  });
  return {result};
}

std::vector<TensorType> infer_trilu(const InferContext& context) {
  check_operands(context.node, 1, 2);
  if (context.has(1)) check_scalar(context, 1, "k");
  if (context.inputs[0].shape && context.inputs[0].shape->size() < 2)
    refuse(context.node, "the input has shape {}; it must have rank 2 or more",
           to_string(*context.inputs[0].shape));
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_trilu(const EvalContext& context) {
  output_types(context, infer_trilu);
  Tensor result = context.inputs[0].clone();
  const Shape& shape = result.shape();
  const std::int64_t rows = shape[shape.size() - 2], columns = shape[shape.size() - 1];
  const bool upper = context.node.attributes.integer("upper", 1) != 0;
  std::int64_t k = 0;
  if (context.has(1)) k = convert(context.inputs[1], ElementType::s64).data<std::int64_t>()[0];
  k = std::clamp(k, -rows - 1, columns + 1);
  visit_width(result.type(), [&]<class T>(T) {
    auto* out = static_cast<T*>(result.raw());
    for (std::int64_t i = 0; i < result.size(); ++i) {
      const std::int64_t column = i % columns, row = i / columns % rows;
      const bool kept = upper ? column - row >= k : column - row <= k;
      if (!kept) out[i] = T{};
    }
  });
  return {result};
}

}  // namespace

std::span<const Definition> shape_definitions() {
  static const Definition definitions[] = {
      {.op = "Shape", .infer = infer_shape, .evaluate = evaluate_shape},
      {.op = "Size", .infer = infer_size, .evaluate = evaluate_size},
      {.op = "Constant", .infer = infer_constant, .evaluate = evaluate_constant},
      {.op = "ConstantOfShape",
       .infer = infer_constant_of_shape,
       .evaluate = evaluate_constant_of_shape,
       .shape_operands = {0}},
      {.op = "Range",
       .infer = infer_range,
       .evaluate = evaluate_range,
       .shape_operands = {0, 1, 2}},
      {.op = "EyeLike", .infer = infer_eye_like, .evaluate = evaluate_eye_like},
      {.op = "OneHot", .infer = infer_one_hot, .evaluate = evaluate_one_hot, .shape_operands = {1}},
      {.op = "Trilu", .infer = infer_trilu, .evaluate = evaluate_trilu},
  };
  return definitions;
}

}  // namespace intact
