// Picking and placing elements by index: Gather*, Scatter*, Compress. Indices are run-time data:
// each is checked.
#include <cstring>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/elementwise.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"
#include "graph/ops/strided.hpp"

namespace intact {

namespace {

void check_index_type(const InferContext& context) {
  const ElementType type = context.inputs[1].type;
  if (type != ElementType::s64 && type != ElementType::s32)
    refuse(context.node, "the indices have elements of type {}; they must be s32 or s64",
           element_name(type));
}

/// The axis attribute, normalized for the data's rank, which must be at least 1.
std::size_t axis_of(const Node& node, const Shape& data) {
  return static_cast<std::size_t>(
      normalize_axis(node, node.attributes.integer("axis", 0), static_cast<int>(data.size())));
}

std::int64_t checked_index(const Node& node, std::int64_t index, std::int64_t extent) {
  if (index < -extent || index >= extent)
    refuse(node, "index {} is out of range for an axis of {} elements", index, extent);
  return index < 0 ? index + extent : index;
}

// --- Gather
// ---------------------------------------------------------------------------------------

std::vector<TensorType> infer_gather(const InferContext& context) {
  check_operands(context.node, 2, 2);
  check_index_type(context);
  const auto &data = context.inputs[0].shape, &indices = context.inputs[1].shape;
  if (!data || !indices) return {{context.inputs[0].type, std::nullopt}};
  const std::size_t axis = axis_of(context.node, *data);
  Shape shape(data->begin(), data->begin() + static_cast<std::ptrdiff_t>(axis));
  shape.insert(shape.end(), indices->begin(), indices->end());
  shape.insert(shape.end(), data->begin() + static_cast<std::ptrdiff_t>(axis) + 1, data->end());
  return {{context.inputs[0].type, shape}};
}

std::vector<Tensor> evaluate_gather(const EvalContext& context) {
  const auto types = output_types(context, infer_gather);
  const Tensor& data = context.inputs[0];
  const Tensor indices = convert(context.inputs[1], ElementType::s64);
  const std::size_t axis = axis_of(context.node, data.shape());
  const std::int64_t extent = data.shape()[axis];
  Tensor result = allocate(context.node, types[0]);
  if (result.size() == 0) return {result};
  const std::int64_t outer = extent_product(data.shape(), 0, axis);
  const auto row =
      static_cast<std::size_t>(extent_product(data.shape(), axis + 1, data.shape().size())) *
      element_size(data.type());
  auto* out = static_cast<std::byte*>(result.raw());
  for (std::int64_t i = 0; i < outer; ++i) {
    const auto* block =
        static_cast<const std::byte*>(data.raw()) + static_cast<std::size_t>(i * extent) * row;
    for (const std::int64_t index : indices.data<std::int64_t>()) {
      const auto source = static_cast<std::size_t>(checked_index(context.node, index, extent));
      std::memcpy(out, block + source * row, row);
      out += row;
    }
  }
  return {result};
}

// --- along one axis: GatherElements and ScatterElements
// -------------------------------------------

/// Calls body(i, offset) for each element i of `indices`: offset in a tensor of shape `data` of the
/// element with the same position, but the given index along `axis`.
template <class Body>
void for_each_along_axis(const Node& node, const Tensor& indices, const Shape& data,
                         std::size_t axis, Body body) {
  const auto values = indices.data<std::int64_t>();
  const Shape& shape = indices.shape();
  const auto strides = dense_strides(data);
  std::vector<std::int64_t> position(shape.size(), 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int64_t offset = checked_index(node, values[i], data[axis]) * strides[axis];
    for (std::size_t d = 0; d < shape.size(); ++d)
      if (d != axis) offset += position[d] * strides[d];
    body(i, static_cast<std::size_t>(offset));
    for (std::size_t d = shape.size(); d-- > 0;) {
      if (++position[d] < shape[d]) break;
      position[d] = 0;
    }
  }
}

void check_along_axis(const Node& node, const Shape& data, const Shape& indices) {
  const std::size_t axis = axis_of(node, data);
  bool fits = data.size() == indices.size();
  for (std::size_t d = 0; fits && d < data.size(); ++d) fits = d == axis || indices[d] <= data[d];
  if (!fits)
    refuse(node, "indices of shape {} do not fit data of shape {}", to_string(indices),
           to_string(data));
}

std::vector<TensorType> infer_gather_elements(const InferContext& context) {
  check_operands(context.node, 2, 2);
  check_index_type(context);
  const auto &data = context.inputs[0].shape, &indices = context.inputs[1].shape;
  if (data && indices) check_along_axis(context.node, *data, *indices);
  return {{context.inputs[0].type, indices}};
}

std::vector<Tensor> evaluate_gather_elements(const EvalContext& context) {
  const auto types = output_types(context, infer_gather_elements);
  const Tensor& data = context.inputs[0];
  const Tensor indices = convert(context.inputs[1], ElementType::s64);
  Tensor result = allocate(context.node, types[0]);
  visit_width(data.type(), [&]<class T>(T) {
    const auto* in = static_cast<const T*>(data.raw());
    auto* out = static_cast<T*>(result.raw());
    for_each_along_axis(context.node, indices, data.shape(), axis_of(context.node, data.shape()),
                        [&](std::size_t i, std::size_t offset) { out[i] = in[offset]; });
  });
  return {result};
}

// --- reductions of Scatter
// ------------------------------------------------------------------------

enum class Reduction { none, add, multiply, maximum, minimum };

Reduction reduction_of(const Node& node) {
  const std::string text = node.attributes.text("reduction", "none");
  if (text == "none") return Reduction::none;
  if (text == "add") return Reduction::add;
  if (text == "mul") return Reduction::multiply;
  if (text == "max") return Reduction::maximum;
  if (text == "min") return Reduction::minimum;
  refuse(node, "the attribute reduction is '{}'; it must be none, add, mul, max or min", text);
}

template <class T>
T reduce(Reduction reduction, T old, T update) {
  switch (reduction) {
    case Reduction::add:
      return wrapping(old, update, std::plus<>{});
    case Reduction::multiply:
      return wrapping(old, update, std::multiplies<>{});
    case Reduction::maximum:
      return greater_of(old, update);
    case Reduction::minimum:
      return lesser_of(old, update);
    case Reduction::none:
      break;
  }
  return update;
}

/// Runs place(body) where body(target offset, update index) puts one element. Plain placement works
/// for elements of any type.
template <class Place>
Tensor scatter(const Node& node, const Tensor& data, const Tensor& updates, Place place) {
  const Reduction reduction = reduction_of(node);
  if (reduction == Reduction::none) {
    Tensor result = data.clone();
    visit_width(data.type(), [&]<class T>(T) {
      auto* out = static_cast<T*>(result.raw());
      const auto* from = static_cast<const T*>(updates.raw());
      place([&](std::size_t target, std::size_t i) { out[target] = from[i]; });
    });
    return result;
  }
  const ElementType computing = computing_type(data.type());
  Tensor result = convert(data, computing).clone();
  const Tensor wide = convert(updates, computing);
  visit_number(computing, [&]<class T>(T) {
    const auto out = result.data<T>();
    const auto from = wide.data<T>();
    place([&](std::size_t target, std::size_t i) {
      out[target] = reduce(reduction, out[target], from[i]);
    });
  });
  return convert(result, data.type());
}

void check_updates(const InferContext& context, const Shape& wanted) {
  if (context.inputs[2].type != context.inputs[0].type)
    refuse(context.node, "the updates have elements of type {}, the data of {}; they must agree",
           element_name(context.inputs[2].type), element_name(context.inputs[0].type));
  if (context.inputs[2].shape && *context.inputs[2].shape != wanted)
    refuse(context.node, "the updates have shape {}; {} is needed",
           to_string(*context.inputs[2].shape), to_string(wanted));
}

std::vector<TensorType> infer_scatter_elements(const InferContext& context) {
  check_operands(context.node, 3, 3);
  check_index_type(context);
  const auto &data = context.inputs[0].shape, &indices = context.inputs[1].shape;
  if (data && indices) {
    check_along_axis(context.node, *data, *indices);
    check_updates(context, *indices);
  }
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_scatter_elements(const EvalContext& context) {
  output_types(context, infer_scatter_elements);
  const Tensor& data = context.inputs[0];
  const Tensor indices = convert(context.inputs[1], ElementType::s64);
  return {scatter(context.node, data, context.inputs[2], [&](auto put) {
    for_each_along_axis(context.node, indices, data.shape(), axis_of(context.node, data.shape()),
                        [&](std::size_t i, std::size_t target) { put(target, i); });
  })};
}

// --- by index tuples: GatherND and ScatterND
// ------------------------------------------------------

/// Number of leading axes of the data that an index tuple names.
std::size_t tuple_length(const Node& node, const Shape& data, const Shape& indices,
                         std::size_t batch) {
  if (indices.size() <= batch || data.size() <= batch || indices.back() < 1 ||
      indices.back() > static_cast<std::int64_t>(data.size() - batch))
    refuse(node, "indices of shape {} do not fit data of shape {}", to_string(indices),
           to_string(data));
  return static_cast<std::size_t>(indices.back());
}

/// Offset of the slice that a tuple names.
std::int64_t tuple_offset(const Node& node, const std::int64_t* tuple, std::size_t length,
                          const Shape& data, std::size_t batch,
                          const std::vector<std::int64_t>& strides) {
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < length; ++d)
    offset += checked_index(node, tuple[d], data[batch + d]) * strides[batch + d];
  return offset;
}

std::size_t batch_dims(const Node& node) {
  const std::int64_t batch = node.attributes.integer("batch_dims", 0);
  if (batch < 0 || batch > 64)
    refuse(node, "the attribute batch_dims is {}; it must be from 0 to the rank of the data",
           batch);
  return static_cast<std::size_t>(batch);
}

std::vector<TensorType> infer_gather_nd(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 2);
  check_index_type(context);
  const auto &data = context.inputs[0].shape, &indices = context.inputs[1].shape;
  if (!data || !indices) return {{context.inputs[0].type, std::nullopt}};
  const std::size_t batch = batch_dims(node);
  const std::size_t length = tuple_length(node, *data, *indices, batch);
  for (std::size_t d = 0; d < batch; ++d)
    if ((*data)[d] != (*indices)[d])
      refuse(node, "data of shape {} and indices of shape {} differ in their {} batch axes",
             to_string(*data), to_string(*indices), batch);
  Shape shape(indices->begin(), indices->end() - 1);
  shape.insert(shape.end(), data->begin() + static_cast<std::ptrdiff_t>(batch + length),
               data->end());
  return {{context.inputs[0].type, shape}};
}

std::vector<Tensor> evaluate_gather_nd(const EvalContext& context) {
  const auto types = output_types(context, infer_gather_nd);
  const Tensor& data = context.inputs[0];
  const Tensor indices = convert(context.inputs[1], ElementType::s64);
  const std::size_t batch = batch_dims(context.node);
  const std::size_t length = tuple_length(context.node, data.shape(), indices.shape(), batch);
  Tensor result = allocate(context.node, types[0]);
  if (result.size() == 0) return {result};
  const auto strides = dense_strides(data.shape());
  const std::size_t width = element_size(data.type());
  const std::int64_t tuples = indices.size() / static_cast<std::int64_t>(length);
  const std::int64_t per_batch = tuples / extent_product(data.shape(), 0, batch);
  const std::int64_t batch_pitch = batch == 0 ? 0 : strides[batch - 1];
  const auto slice = result.bytes() / static_cast<std::size_t>(tuples);
  auto* out = static_cast<std::byte*>(result.raw());
  for (std::int64_t i = 0; i < tuples; ++i) {
    const auto* tuple = indices.data<std::int64_t>().data() + i * static_cast<std::int64_t>(length);
    const std::int64_t offset =
        i / per_batch * batch_pitch +
        tuple_offset(context.node, tuple, length, data.shape(), batch, strides);
    std::memcpy(
        out + static_cast<std::size_t>(i) * slice,
        static_cast<const std::byte*>(data.raw()) + static_cast<std::size_t>(offset) * width,
        slice);
  }
  return {result};
}

std::vector<TensorType> infer_scatter_nd(const InferContext& context) {
  check_operands(context.node, 3, 3);
  check_index_type(context);
  const auto &data = context.inputs[0].shape, &indices = context.inputs[1].shape;
  if (data && indices) {
    const std::size_t length = tuple_length(context.node, *data, *indices, 0);
    Shape wanted(indices->begin(), indices->end() - 1);
    wanted.insert(wanted.end(), data->begin() + static_cast<std::ptrdiff_t>(length), data->end());
    check_updates(context, wanted);
  }
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_scatter_nd(const EvalContext& context) {
  output_types(context, infer_scatter_nd);
  const Tensor& data = context.inputs[0];
  const Tensor indices = convert(context.inputs[1], ElementType::s64);
  const std::size_t length = tuple_length(context.node, data.shape(), indices.shape(), 0);
  const auto strides = dense_strides(data.shape());
  const std::int64_t tuples = indices.size() / static_cast<std::int64_t>(length);
  const std::int64_t slice = tuples == 0 ? 0 : context.inputs[2].size() / tuples;
  return {scatter(context.node, data, context.inputs[2], [&](auto put) {
    for (std::int64_t i = 0; i < tuples; ++i) {
      const auto* tuple =
          indices.data<std::int64_t>().data() + i * static_cast<std::int64_t>(length);
      const std::int64_t target =
          tuple_offset(context.node, tuple, length, data.shape(), 0, strides);
      for (std::int64_t k = 0; k < slice; ++k)
        put(static_cast<std::size_t>(target + k), static_cast<std::size_t>(i * slice + k));
    }
  })};
}

Definition gather(std::string_view op, decltype(Definition::infer) infer,
                  decltype(Definition::evaluate) evaluate) {
  return {.op = op, .infer = infer, .evaluate = evaluate, .moves_data = true};
}

}  // namespace

std::span<const Definition> gather_definitions() {
  static const Definition definitions[] = {
      gather("Gather", infer_gather, evaluate_gather),
      gather("GatherElements", infer_gather_elements, evaluate_gather_elements),
      gather("GatherND", infer_gather_nd, evaluate_gather_nd),
      {.op = "Scatter", .infer = infer_scatter_elements, .evaluate = evaluate_scatter_elements},
      {.op = "ScatterElements",
       .infer = infer_scatter_elements,
       .evaluate = evaluate_scatter_elements},
      {.op = "ScatterND", .infer = infer_scatter_nd, .evaluate = evaluate_scatter_nd},
  };
  return definitions;
}

}  // namespace intact
