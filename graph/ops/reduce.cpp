// ReduceMean, ReduceSum, ... and ArgMax, ArgMin. Axes come as an attribute in older operator sets
// and as an operand in newer ones.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/half.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/groups.hpp"
#include "graph/ops/registry.hpp"

namespace intact {
namespace {

/// Absent when the axes are an operand whose value is unknown.
std::optional<std::vector<int>> axes_of(const Node& node, const Tensor& given, bool is_given,
                                        int rank) {
  std::vector<std::int64_t> axes = node.attributes.integers("axes");
  if (is_given) {
    if (!given.defined()) return std::nullopt;
    axes = integers_of(node, given, "the operand axes");
  }
  if (axes.empty() && node.attributes.integer("noop_with_empty_axes", 0) == 0) {
    std::vector<int> all(static_cast<std::size_t>(rank));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }
  return normalize_axes(node, axes, rank);
}

bool keeps_axes(const Node& node) {
  return node.attributes.integer("keepdims", 1) != 0;
}

Shape reduce_shape(const Node& node, const Shape& shape, const std::vector<int>& axes) {
  if (keeps_axes(node)) return reduced_shape(shape, axes);
  Shape result;
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (std::find(axes.begin(), axes.end(), static_cast<int>(i)) == axes.end())
      result.push_back(shape[i]);
  return result;
}

std::vector<TensorType> infer_reduction(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 2);
  const TensorType& x = context.inputs[0];
  if (!x.shape) return {{x.type, std::nullopt}};
  const Tensor given = context.has(1) ? context.constants[1] : Tensor();
  const auto axes = axes_of(node, given, context.has(1), static_cast<int>(x.shape->size()));
  if (!axes) return {{x.type, std::nullopt}};
  return {sized(node, x.type, reduce_shape(node, *x.shape, *axes))};
}

/// The output element that each input element goes to.
struct Reduction {
  TensorType type;
  std::vector<std::size_t> groups;
  std::size_t count = 0;
};

Reduction reduction_of(const EvalContext& context) {
  Reduction reduction;
  reduction.type = output_types(context, infer_reduction)[0];
  const Shape& shape = context.inputs[0].shape();
  const auto axes =
      axes_of(context.node, operand(context, 1), context.has(1), static_cast<int>(shape.size()));
  const Shape reduced = reduced_shape(shape, *axes);
  reduction.groups = broadcast_indices(reduced, shape);
  reduction.count = static_cast<std::size_t>(element_count(reduced));
  return reduction;
}

// Sum and product: integers wrap around in 64 bits, as unsigned numbers may.

struct Sum {
  template <class T>
  static T initial() {
    return T{0};
  }
  template <class T>
  static T join(T a, T b) {
    return a + b;
  }
};
struct Product {
  template <class T>
  static T initial() {
    return T{1};
  }
  template <class T>
  static T join(T a, T b) {
    return a * b;
  }
};

template <class Operation, class T>
Tensor accumulate(const Node& node, const Reduction& reduction, const Tensor& wide) {
  Tensor y = allocate(node, {wide.type(), reduction.type.shape});
  const auto in = wide.data<T>();
  const auto out = y.data<T>();
  std::fill(out.begin(), out.end(), Operation::template initial<T>());
  for (std::size_t i = 0; i < in.size(); ++i) {
    T& result = out[reduction.groups[i]];
    result = Operation::join(result, in[i]);
  }
  return y;
}

template <class Operation>
std::vector<Tensor> evaluate_joined(const EvalContext& context) {
  const Reduction reduction = reduction_of(context);
  const Tensor& x = context.inputs[0];
  const Tensor y = is_float(x.type()) ? accumulate<Operation, double>(context.node, reduction,
                                                                      convert(x, ElementType::f64))
                                      : accumulate<Operation, std::uint64_t>(
                                            context.node, reduction, convert(x, ElementType::u64));
  return {convert(y, reduction.type.type)};
}

// The others sum a function of each element, in double, and finish with a function of the sum.

double identity(double x) {
  return x;
}
double magnitude(double x) {
  return std::fabs(x);
}
double square(double x) {
  return x * x;
}
double root(double x) {
  return std::sqrt(x);
}
double logarithm(double x) {
  return std::log(x);
}

template <double (*each)(double), double (*finish)(double)>
std::vector<Tensor> evaluate_summed(const EvalContext& context) {
  const Reduction reduction = reduction_of(context);
  Tensor terms = convert(context.inputs[0], ElementType::f64).clone();
  for (double& x : terms.data<double>()) x = each(x);
  Tensor y = accumulate<Sum, double>(context.node, reduction, terms);
  for (double& x : y.data<double>()) x = finish(x);
  return {convert(y, reduction.type.type)};
}

std::vector<Tensor> evaluate_mean(const EvalContext& context) {
  const Reduction reduction = reduction_of(context);
  const Tensor wide = convert(context.inputs[0], ElementType::f64);
  Tensor y = accumulate<Sum, double>(context.node, reduction, wide);
  const double members = static_cast<double>(wide.size()) / static_cast<double>(y.size());
  for (double& x : y.data<double>()) x /= members;
  return {convert(y, reduction.type.type)};
}

/// The largest term is factored out: exp of large numbers would overflow.
std::vector<Tensor> evaluate_log_sum_exp(const EvalContext& context) {
  const Reduction reduction = reduction_of(context);
  Tensor terms = convert(context.inputs[0], ElementType::f64).clone();
  const auto values = terms.data<double>();
  std::vector<double> highest(reduction.count, -std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < values.size(); ++i)
    highest[reduction.groups[i]] = std::max(highest[reduction.groups[i]], values[i]);
  for (double& offset : highest)
    if (!std::isfinite(offset)) offset = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = std::exp(values[i] - highest[reduction.groups[i]]);
  Tensor y = accumulate<Sum, double>(context.node, reduction, terms);
  for (std::size_t g = 0; g < reduction.count; ++g)
    y.data<double>()[g] = highest[g] + std::log(y.data<double>()[g]);
  return {convert(y, reduction.type.type)};
}

template <bool largest, class T>
bool better(T candidate, T best) {
  return largest ? candidate > best : candidate < best;
}

template <bool largest, class T>
T worst() {
  using Limits = std::numeric_limits<T>;
  if (Limits::has_infinity) return largest ? -Limits::infinity() : Limits::infinity();
  return largest ? Limits::lowest() : Limits::max();
}

template <bool largest>
std::vector<Tensor> evaluate_extreme(const EvalContext& context) {
  const Reduction reduction = reduction_of(context);
  const Tensor& x = context.inputs[0];
  if (is_half(x.type())) {
    const Tensor wide[] = {convert(x, ElementType::f32), operand(context, 1)};
    return {convert(evaluate_extreme<largest>({context.node, wide})[0], x.type())};
  }
  Tensor y = allocate(context.node, reduction.type);
  visit_element(x.type(), [&]<class T>(T) {
    const auto in = x.data<T>();
    const auto out = y.data<T>();
    std::fill(out.begin(), out.end(), worst<largest, T>());
    for (std::size_t i = 0; i < in.size(); ++i) {
      T& best = out[reduction.groups[i]];
      if (better<largest>(in[i], best) || in[i] != in[i]) best = in[i];  // NaN stays
    }
  });
  return {y};
}

std::vector<TensorType> infer_arg(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 1);
  const auto& x = context.inputs[0].shape;
  if (!x) return {{ElementType::s64, std::nullopt}};
  const int axis =
      normalize_axis(node, node.attributes.integer("axis", 0), static_cast<int>(x->size()));
  if ((*x)[static_cast<std::size_t>(axis)] == 0)
    refuse(node, "the input {} has no elements along axis {}; it must have one at least",
           to_string(*x), axis);
  return {sized(node, ElementType::s64, reduce_shape(node, *x, {axis}))};
}

template <bool largest>
std::vector<Tensor> evaluate_arg(const EvalContext& context) {
  const TensorType type = output_types(context, infer_arg)[0];
  const Attributes& attributes = context.node.attributes;
  const Tensor x = is_half(context.inputs[0].type()) ? convert(context.inputs[0], ElementType::f32)
                                                     : context.inputs[0];
  const auto axis = static_cast<std::size_t>(
      normalize_axis(context.node, attributes.integer("axis", 0), x.rank()));
  const bool last = attributes.integer("select_last_index", 0) != 0;
  const auto extent = static_cast<std::size_t>(x.shape()[axis]);
  const auto inner =
      static_cast<std::size_t>(extent_product(x.shape(), axis + 1, x.shape().size()));
  Tensor y = allocate(context.node, type);
  const auto out = y.data<std::int64_t>();
  visit_element(x.type(), [&]<class T>(T) {
    const auto in = x.data<T>();
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::size_t first = i / inner * extent * inner + i % inner;
      std::size_t best = 0;
      for (std::size_t k = 1; k < extent; ++k) {
        const T candidate = in[first + k * inner], found = in[first + best * inner];
        if (better<largest>(candidate, found) || (last && candidate == found)) best = k;
      }
      out[i] = static_cast<std::int64_t>(best);
    }
  });
  return {y};
}

Definition reduction(std::string_view op, std::vector<Tensor> (*evaluate)(const EvalContext&),
                     bool moves_data = false) {
  return {.op = op,
          .infer = infer_reduction,
          .evaluate = evaluate,
          .moves_data = moves_data,
          .shape_operands = {1}};
}

const Definition definitions[] = {
    reduction("ReduceSum", evaluate_joined<Sum>),
    reduction("ReduceProd", evaluate_joined<Product>),
    reduction("ReduceMean", evaluate_mean),
    reduction("ReduceL1", evaluate_summed<magnitude, identity>),
    reduction("ReduceL2", evaluate_summed<square, root>),
    reduction("ReduceSumSquare", evaluate_summed<square, identity>),
    reduction("ReduceLogSum", evaluate_summed<identity, logarithm>),
    reduction("ReduceLogSumExp", evaluate_log_sum_exp),
    // The extreme of grid points is one of them, and scales are positive.
    reduction("ReduceMax", evaluate_extreme<true>, true),
    reduction("ReduceMin", evaluate_extreme<false>, true),
    {.op = "ArgMax", .infer = infer_arg, .evaluate = evaluate_arg<true>},
    {.op = "ArgMin", .infer = infer_arg, .evaluate = evaluate_arg<false>},
};

}  // namespace

std::span<const Definition> reduce_definitions() {
  return definitions;
}

}  // namespace intact
