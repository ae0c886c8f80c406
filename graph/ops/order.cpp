// Operators that depend on the order or the values of elements along an axis: TopK, CumSum,
// NonZero, Compress, ReverseSequence.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/elementwise.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {

namespace {

/// A tensor seen as [outer, extent, inner] around one axis.
struct AxisView {
  std::int64_t outer = 1, extent = 1, inner = 1;
};

AxisView view_axis(const Shape& shape, int axis) {
  const auto a = static_cast<std::size_t>(axis);
  return {extent_product(shape, 0, a), shape[a], extent_product(shape, a + 1, shape.size())};
}

// --- TopK
// -----------------------------------------------------------------------------------------

std::vector<TensorType> infer_top_k(const InferContext& context) {
  const Node& node = context.node;
  const bool attribute = node.version < 10;
  check_operands(node, attribute ? 1 : 2, attribute ? 1 : 2);
  TensorType values = context.inputs[0];
  TensorType indices{ElementType::s64, std::nullopt};
  if (!attribute && !context.constants[1].defined()) return {{values.type, std::nullopt}, indices};
  if (!values.shape) return {values, indices};
  std::int64_t k = node.attributes.integer("k", 0);
  if (!attribute) {
    const auto given = integers_of(node, context.constants[1], "k");
    if (given.size() != 1) refuse(node, "k has {} elements; it must have one", given.size());
    k = given[0];
  }
  const auto axis = static_cast<std::size_t>(normalize_axis(
      node, node.attributes.integer("axis", -1), static_cast<int>(values.shape->size())));
  std::int64_t& extent = (*values.shape)[axis];
  if (k < 0 || k > extent)
    refuse(node, "k is {}; it must be from 0 to the {} elements of axis {}", k, extent, axis);
  extent = k;
  indices.shape = values.shape;
  return {values, indices};
}

/// Equal elements keep their order; NaN counts as the greatest.
template <class T>
bool goes_before(T a, T b, bool largest) {
  if (b != b) return !largest && a == a;
  if (a != a) return largest;
  return largest ? a > b : a < b;
}

std::vector<Tensor> evaluate_top_k(const EvalContext& context) {
  const auto types = output_types(context, infer_top_k);
  const Node& node = context.node;
  const bool largest = node.attributes.integer("largest", 1) != 0;
  const int axis =
      normalize_axis(node, node.attributes.integer("axis", -1), context.inputs[0].rank());
  const Tensor data = convert(context.inputs[0], computing_type(context.inputs[0].type()));
  const AxisView view = view_axis(data.shape(), axis);
  const std::int64_t k = (*types[0].shape)[static_cast<std::size_t>(axis)];
  Tensor values = allocate(node, {data.type(), types[0].shape});
  Tensor indices = allocate(node, types[1]);
  if (values.size() == 0) return {convert(values, types[0].type), indices};
  std::vector<std::int64_t> order(static_cast<std::size_t>(view.extent));
  visit_number(data.type(), [&]<class T>(T) {
    for (std::int64_t row = 0; row < view.outer * view.inner; ++row) {
      const std::int64_t outer = row / view.inner, inner = row % view.inner;
      const T* in = data.data<T>().data() + outer * view.extent * view.inner + inner;
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        return goes_before(in[a * view.inner], in[b * view.inner], largest);
      });
      for (std::int64_t i = 0; i < k; ++i) {
        const auto to = static_cast<std::size_t>((outer * k + i) * view.inner + inner);
        const std::int64_t from = order[static_cast<std::size_t>(i)];
        values.data<T>()[to] = in[from * view.inner];
        indices.data<std::int64_t>()[to] = from;
      }
    }
  });
  return {convert(values, types[0].type), indices};
}

// --- CumSum
// ---------------------------------------------------------------------------------------

std::vector<TensorType> infer_cum_sum(const InferContext& context) {
  check_operands(context.node, 2, 2);
  if (context.inputs[1].shape && element_count(*context.inputs[1].shape) != 1)
    refuse(context.node, "axis has shape {}; it must be a scalar",
           to_string(*context.inputs[1].shape));
  return {context.inputs[0]};
}

/// Running sums along the middle axis, each with type Sum.
template <class Sum, class T>
void cumulate(const AxisView& view, bool exclusive, bool reverse, const T* src, T* dst) {
  std::vector<Sum> sums(static_cast<std::size_t>(view.inner));
  for (std::int64_t outer = 0; outer < view.outer; ++outer) {
    std::ranges::fill(sums, Sum{});
    for (std::int64_t step = 0; step < view.extent; ++step) {
      const std::int64_t i = reverse ? view.extent - 1 - step : step;
      const T* from = src + (outer * view.extent + i) * view.inner;
      T* to = dst + (outer * view.extent + i) * view.inner;
      for (Sum& sum : sums) {
        const Sum next = wrapping(sum, static_cast<Sum>(*from++), std::plus<>{});
        *to++ = static_cast<T>(exclusive ? sum : next);
        sum = next;
      }
    }
  }
}

std::vector<Tensor> evaluate_cum_sum(const EvalContext& context) {
  const auto types = output_types(context, infer_cum_sum);
  const Node& node = context.node;
  const bool exclusive = node.attributes.integer("exclusive", 0) != 0;
  const bool reverse = node.attributes.integer("reverse", 0) != 0;
  const std::int64_t given = convert(context.inputs[1], ElementType::s64).data<std::int64_t>()[0];
  const int axis = normalize_axis(node, given, context.inputs[0].rank());
  const bool real = is_float(types[0].type);
  // Reals are summed in double, integers wrap.
  const Tensor data = context.inputs[0].type() == ElementType::f32
                          ? context.inputs[0]
                          : convert(context.inputs[0], real ? ElementType::f64 : ElementType::s64);
  const AxisView view = view_axis(data.shape(), axis);
  Tensor result = allocate(node, {data.type(), data.shape()});
  if (result.size() == 0) return {convert(result, types[0].type)};
  visit_number(data.type(), [&]<class T>(T) {
    using Sum = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
    cumulate<Sum>(view, exclusive, reverse, data.data<T>().data(), result.data<T>().data());
  });
  return {convert(result, types[0].type)};
}

// --- NonZero and Compress: the shape of the output depends on the values
// --------------------------

std::vector<TensorType> infer_non_zero(const InferContext& context) {
  check_operands(context.node, 1, 1);
  return {{ElementType::s64, std::nullopt}};
}

std::vector<Tensor> evaluate_non_zero(const EvalContext& context) {
  check_operands(context.node, 1, 1);
  const Tensor truth = convert(context.inputs[0], ElementType::boolean);
  const auto hits = truth.data<bool>();
  const auto count = std::count(hits.begin(), hits.end(), true);
  const Shape& shape = truth.shape();
  const std::size_t rank = std::max<std::size_t>(shape.size(), 1);
  Tensor result =
      allocate(context.node, {ElementType::s64, Shape{static_cast<std::int64_t>(rank), count}});
  const auto out = result.data<std::int64_t>();
  std::size_t found = 0;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    if (!hits[i]) continue;
    auto rest = static_cast<std::int64_t>(i);
    for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis])
      out[axis * static_cast<std::size_t>(count) + found] = rest % shape[axis];
    ++found;
  }
  return {result};
}

std::vector<TensorType> infer_compress(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 2);
  if (context.inputs[1].type != ElementType::boolean)
    refuse(node, "the condition has elements of type {}; it must be boolean",
           element_name(context.inputs[1].type));
  const TensorType& data = context.inputs[0];
  if (!data.shape || !context.constants[1].defined()) return {{data.type, std::nullopt}};
  const auto condition = context.constants[1].data<bool>();
  const std::int64_t kept = std::count(condition.begin(), condition.end(), true);
  Shape shape{kept};
  std::int64_t extent = element_count(*data.shape);
  if (node.attributes.has("axis")) {
    const auto axis = static_cast<std::size_t>(normalize_axis(
        node, node.attributes.integer("axis", 0), static_cast<int>(data.shape->size())));
    shape = *data.shape;
    extent = shape[axis];
    shape[axis] = kept;
  }
  if (static_cast<std::int64_t>(condition.size()) > extent)
    refuse(node, "the condition has {} elements, the axis {}", condition.size(), extent);
  return {{data.type, shape}};
}

std::vector<Tensor> evaluate_compress(const EvalContext& context) {
  const auto types = output_types(context, infer_compress);
  const Tensor& data = context.inputs[0];
  const auto condition = context.inputs[1].data<bool>();
  AxisView view{1, data.size(), 1};
  if (context.node.attributes.has("axis"))
    view = view_axis(
        data.shape(),
        normalize_axis(context.node, context.node.attributes.integer("axis", 0), data.rank()));
  Tensor result = allocate(context.node, types[0]);
  const std::size_t row = static_cast<std::size_t>(view.inner) * element_size(data.type());
  auto* out = static_cast<std::byte*>(result.raw());
  for (std::int64_t outer = 0; outer < view.outer && result.size() > 0; ++outer)
    for (std::size_t i = 0; i < condition.size(); ++i) {
      if (!condition[i]) continue;
      const auto source = static_cast<std::size_t>(outer * view.extent) + i;
      std::memcpy(out, static_cast<const std::byte*>(data.raw()) + source * row, row);
      out += row;
    }
  return {result};
}

// --- ReverseSequence
// ------------------------------------------------------------------------------

std::vector<TensorType> infer_reverse_sequence(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 2);
  const std::int64_t batch = node.attributes.integer("batch_axis", 1);
  const std::int64_t time = node.attributes.integer("time_axis", 0);
  if (batch + time != 1 || batch * time != 0)
    refuse(node, "batch_axis is {} and time_axis {}; they must be 0 and 1", batch, time);
  const auto& data = context.inputs[0].shape;
  if (data && data->size() < 2)
    refuse(node, "the input has shape {}; it must have rank 2 or more", to_string(*data));
  if (data && context.inputs[1].shape &&
      *context.inputs[1].shape != Shape{(*data)[static_cast<std::size_t>(batch)]})
    refuse(node, "the lengths have shape {}; one per batch entry of {} is needed",
           to_string(*context.inputs[1].shape), to_string(*data));
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_reverse_sequence(const EvalContext& context) {
  output_types(context, infer_reverse_sequence);
  const Tensor& data = context.inputs[0];
  const auto lengths = integers_of(context.node, context.inputs[1], "the lengths");
  const bool batch_first = context.node.attributes.integer("batch_axis", 1) == 0;
  const std::int64_t batches = data.shape()[batch_first ? 0 : 1];
  const std::int64_t times = data.shape()[batch_first ? 1 : 0];
  Tensor result = allocate(context.node, {data.type(), data.shape()});
  if (result.size() == 0) return {result};
  const std::size_t row = data.bytes() / static_cast<std::size_t>(batches * times);
  for (std::int64_t b = 0; b < batches; ++b) {
    const std::int64_t length = lengths[static_cast<std::size_t>(b)];
    if (length < 0 || length > times)
      refuse(context.node, "the length {} is out of range for {} time steps", length, times);
    for (std::int64_t t = 0; t < times; ++t) {
      const std::int64_t from = t < length ? length - 1 - t : t;
      const auto at = [&](std::int64_t time) {
        return static_cast<std::size_t>(batch_first ? b * times + time : time * batches + b) * row;
      };
      std::memcpy(static_cast<std::byte*>(result.raw()) + at(t),
                  static_cast<const std::byte*>(data.raw()) + at(from), row);
    }
  }
  return {result};
}

}  // namespace

std::span<const Definition> order_definitions() {
  static const Definition definitions[] = {
      {.op = "TopK", .infer = infer_top_k, .evaluate = evaluate_top_k, .shape_operands = {1}},
      {.op = "CumSum", .infer = infer_cum_sum, .evaluate = evaluate_cum_sum},
      {.op = "NonZero",
       .infer = infer_non_zero,
       .evaluate = evaluate_non_zero,
       .selects_by_value = true},
      {.op = "Compress",
       .infer = infer_compress,
       .evaluate = evaluate_compress,
       .moves_data = true,
       .selects_by_value = true,
       .shape_operands = {1}},
      {.op = "ReverseSequence",
       .infer = infer_reverse_sequence,
       .evaluate = evaluate_reverse_sequence,
       .moves_data = true},
  };
  return definitions;
}

}  // namespace intact
