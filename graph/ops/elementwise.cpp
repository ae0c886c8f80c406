// Arithmetic on two or more tensors with numpy broadcasting.
#include "graph/ops/elementwise.hpp"

#include <cmath>
#include <functional>

#include "graph/ops/registry.hpp"

namespace intact {

TensorType common_type(const InferContext& context, std::size_t first, std::size_t last) {
  const Node& node = context.node;
  TensorType common = context.inputs[first];
  for (std::size_t i = first + 1; i < last; ++i) {
    if (!context.has(i)) refuse(node, "operand {} is absent; all operands are needed", i);
    const TensorType& next = context.inputs[i];
    const bool floats = (common.type == ElementType::f32 && next.type == ElementType::f64) ||
                        (common.type == ElementType::f64 && next.type == ElementType::f32);
    if (floats)
      common.type = ElementType::f64;
    else if (common.type != next.type)
      refuse(node, "operand {} has elements of type {}, but the one before has {}; they must agree",
             i, element_name(next.type), element_name(common.type));
    if (common.shape && next.shape)
      common.shape = broadcast(node, *common.shape, *next.shape);
    else
      common.shape.reset();
  }
  return common;
}

namespace {

std::vector<TensorType> infer_pair(const InferContext& context) {
  check_operands(context.node, 2, 2);
  const TensorType type = common_type(context, 0, 2);
  if (type.type == ElementType::boolean)
    refuse(context.node, "operands are booleans; they must be numbers");
  return {type};
}

template <auto F>
std::vector<Tensor> evaluate_pair(const EvalContext& context) {
  const auto types = output_types(context, infer_pair);
  return {map_pairs(context.node, context.inputs[0], context.inputs[1], types[0], F)};
}

constexpr auto add = [](auto a, auto b) { return wrapping(a, b, std::plus<>{}); };
constexpr auto subtract = [](auto a, auto b) { return wrapping(a, b, std::minus<>{}); };
constexpr auto multiply = [](auto a, auto b) { return wrapping(a, b, std::multiplies<>{}); };

/// Integers truncate towards zero.
constexpr auto divide = []<class T>(T a, T b) -> T {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) throw Error("an integer is divided by zero");
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return subtract(T{}, a);
  }
  return static_cast<T>(a / b);
};

/// Python's %: the sign of the divisor.
constexpr auto floor_modulo = []<class T>(T a, T b) -> T {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) throw Error("an integer is divided by zero");
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return T{};
    const T rest = static_cast<T>(a % b);
    return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
  } else {
    return a;
  }
};

/// C's fmod: the sign of the dividend.
constexpr auto truncated_modulo = []<class T>(T a, T b) -> T {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) throw Error("an integer is divided by zero");
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return T{};
    return static_cast<T>(a % b);
  } else {
    return std::fmod(a, b);
  }
};

std::vector<Tensor> evaluate_mod(const EvalContext& context) {
  const auto types = output_types(context, infer_pair);
  const bool truncated = context.node.attributes.integer("fmod", 0) != 0;
  if (!truncated && is_float(types[0].type))
    refuse(context.node, "floating-point operands need the attribute fmod = 1");
  return {truncated ? map_pairs(context.node, context.inputs[0], context.inputs[1], types[0],
                                truncated_modulo)
                    : map_pairs(context.node, context.inputs[0], context.inputs[1], types[0],
                                floor_modulo)};
}

// --- Pow: the result has the type of the base, the exponent may have another ---------------------

std::vector<TensorType> infer_pow(const InferContext& context) {
  check_operands(context.node, 2, 2);
  TensorType type = context.inputs[0];
  if (type.shape && context.inputs[1].shape)
    type.shape = broadcast(context.node, *type.shape, *context.inputs[1].shape);
  else
    type.shape.reset();
  return {type};
}

/// Exact for integers as long as the result fits, wrapping beyond.
std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) throw Error("zero is raised to a negative power of integers");
    return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  }
  std::int64_t result = 1;
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = multiply(result, base);
    base = multiply(base, base);
  }
  return result;
}

std::vector<Tensor> evaluate_pow(const EvalContext& context) {
  const auto types = output_types(context, infer_pow);
  const Tensor &base = context.inputs[0], &exponent = context.inputs[1];
  const bool integers = is_integer(base.type()) && is_integer(exponent.type());
  const TensorType computing{integers ? ElementType::s64 : ElementType::f64, types[0].shape};
  const Tensor powers = map_pairs(context.node, base, exponent, computing, []<class T>(T a, T b) {
    if constexpr (std::is_same_v<T, std::int64_t>)
      return integer_power(a, b);
    else
      return std::pow(static_cast<double>(a), static_cast<double>(b));
  });
  return {convert(powers, types[0].type)};
}

// --- any number of operands
// -----------------------------------------------------------------------

std::vector<TensorType> infer_variadic(const InferContext& context) {
  check_operands(context.node, 1, static_cast<std::size_t>(-1));
  return {common_type(context, 0, context.inputs.size())};
}

template <class F>
Tensor fold_operands(const EvalContext& context, const TensorType& type, F f) {
  Tensor result = operand(context.node, context.inputs[0], type.type, *type.shape);
  for (std::size_t i = 1; i < context.inputs.size(); ++i)
    result = map_pairs(context.node, result, context.inputs[i], type, f);
  return result;
}

template <auto F>
std::vector<Tensor> evaluate_variadic(const EvalContext& context) {
  const auto types = output_types(context, infer_variadic);
  return {fold_operands(context, types[0], F)};
}

constexpr auto maximum = [](auto a, auto b) { return greater_of(a, b); };
constexpr auto minimum = [](auto a, auto b) { return lesser_of(a, b); };

std::vector<Tensor> evaluate_mean(const EvalContext& context) {
  const auto types = output_types(context, infer_variadic);
  const auto count = static_cast<double>(context.inputs.size());
  return {map_reals(context.node, fold_operands(context, types[0], add),
                    [&](double sum) { return sum / count; })};
}

// --- PRelu and Where
// --------------------------------------------------------------------------------

std::vector<TensorType> infer_prelu(const InferContext& context) {
  check_operands(context.node, 2, 2);
  const TensorType type = common_type(context, 0, 2);
  const auto &x = context.inputs[0].shape, &slope = context.inputs[1].shape;
  // Before operator set 7 a slope has one entry per channel (axis 1).
  if (context.node.version < 7 && x && slope && slope->size() == 1 && x->size() > 1)
    return {context.inputs[0]};
  if (type.shape && *type.shape != *x)
    refuse(context.node, "slope of shape {} cannot be broadcast to the input's shape {}",
           to_string(*slope), to_string(*x));
  return {{type.type, x}};
}

std::vector<Tensor> evaluate_prelu(const EvalContext& context) {
  const auto types = output_types(context, infer_prelu);
  Tensor slope = context.inputs[1];
  if (context.node.version < 7 && slope.rank() == 1 && context.inputs[0].rank() > 1) {
    Shape per_channel(static_cast<std::size_t>(context.inputs[0].rank()) - 1, 1);
    per_channel[0] = slope.size();
    slope = slope.reshaped(per_channel);
  }
  return {map_pairs(context.node, context.inputs[0], slope, types[0],
                    [](auto x, auto s) { return x < 0 ? multiply(x, s) : x; })};
}

std::vector<TensorType> infer_where(const InferContext& context) {
  check_operands(context.node, 3, 3);
  if (context.inputs[0].type != ElementType::boolean)
    refuse(context.node, "the condition has elements of type {}; it must be boolean",
           element_name(context.inputs[0].type));
  TensorType type = common_type(context, 1, 3);
  if (type.shape && context.inputs[0].shape)
    type.shape = broadcast(context.node, *type.shape, *context.inputs[0].shape);
  else
    type.shape.reset();
  return {type};
}

std::vector<Tensor> evaluate_where(const EvalContext& context) {
  const auto types = output_types(context, infer_where);
  const Shape& shape = *types[0].shape;
  const Tensor condition = broadcast_to(context.node, context.inputs[0], shape);
  const Tensor yes = operand(context.node, context.inputs[1], types[0].type, shape);
  const Tensor no = operand(context.node, context.inputs[2], types[0].type, shape);
  Tensor result = allocate(context.node, types[0]);
  visit_width(result.type(), [&]<class T>(T) {
    const auto *y = static_cast<const T*>(yes.raw()), *n = static_cast<const T*>(no.raw());
    auto* out = static_cast<T*>(result.raw());
    const auto chosen = condition.data<bool>();
    for (std::size_t i = 0; i < chosen.size(); ++i) out[i] = chosen[i] ? y[i] : n[i];
  });
  return {result};
}

}  // namespace

std::span<const Definition> elementwise_definitions() {
  static const Definition definitions[] = {
      elementwise_definition("Add", infer_pair, evaluate_pair<add>),
      elementwise_definition("Sub", infer_pair, evaluate_pair<subtract>),
      elementwise_definition("Mul", infer_pair, evaluate_pair<multiply>),
      elementwise_definition("Div", infer_pair, evaluate_pair<divide>),
      elementwise_definition("Mod", infer_pair, evaluate_mod),
      elementwise_definition("Pow", infer_pow, evaluate_pow),
      elementwise_definition("Max", infer_variadic, evaluate_variadic<maximum>),
      elementwise_definition("Min", infer_variadic, evaluate_variadic<minimum>),
      elementwise_definition("Sum", infer_variadic, evaluate_variadic<add>),
      elementwise_definition("Mean", infer_variadic, evaluate_mean),
      elementwise_definition("PRelu", infer_prelu, evaluate_prelu),
      elementwise_definition("Where", infer_where, evaluate_where),
  };
  return definitions;
}

}  // namespace intact
