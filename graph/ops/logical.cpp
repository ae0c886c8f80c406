// Comparisons, logic on booleans, and operators on the bits of integers.
#include <functional>
#include <limits>

#include "graph/ops/elementwise.hpp"
#include "graph/ops/registry.hpp"

namespace intact {

namespace {

std::vector<TensorType> infer_comparison(const InferContext& context) {
  check_operands(context.node, 2, 2);
  return {{ElementType::boolean, common_type(context, 0, 2).shape}};
}

template <class F>
std::vector<Tensor> evaluate_comparison(const EvalContext& context) {
  const auto types = output_types(context, infer_comparison);
  const Tensor &a = context.inputs[0], &b = context.inputs[1];
  const bool mixed = a.type() != b.type();
  const ElementType type = mixed ? ElementType::f64 : computing_type(a.type());
  const Tensor left = operand(context.node, a, type, *types[0].shape);
  const Tensor right = operand(context.node, b, type, *types[0].shape);
  Tensor result = allocate(context.node, types[0]);
  visit_element(type, [&]<class T>(T) {
    const auto x = left.data<T>(), y = right.data<T>();
    const auto out = result.data<bool>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = F{}(x[i], y[i]);
  });
  return {result};
}

std::vector<TensorType> infer_logical(const InferContext& context) {
  std::vector<TensorType> types = infer_comparison(context);
  if (context.inputs[0].type != ElementType::boolean)
    refuse(context.node, "operands have elements of type {}; they must be boolean",
           element_name(context.inputs[0].type));
  return types;
}

template <class F>
std::vector<Tensor> evaluate_logical(const EvalContext& context) {
  output_types(context, infer_logical);
  return evaluate_comparison<F>(context);
}

std::vector<TensorType> infer_not(const InferContext& context) {
  check_operands(context.node, 1, 1);
  if (context.inputs[0].type != ElementType::boolean)
    refuse(context.node, "the operand has elements of type {}; it must be boolean",
           element_name(context.inputs[0].type));
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_not(const EvalContext& context) {
  const auto types = output_types(context, infer_not);
  Tensor result = allocate(context.node, types[0]);
  const auto in = context.inputs[0].data<bool>();
  const auto out = result.data<bool>();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = !in[i];
  return {result};
}

std::vector<TensorType> infer_bits(const InferContext& context) {
  check_operands(context.node, 2, 2);
  const TensorType type = common_type(context, 0, 2);
  if (!is_integer(type.type))
    refuse(context.node, "operands have elements of type {}; they must be integers",
           element_name(type.type));
  return {type};
}

/// Floating-point instances are never reached (infer_bits refuses) but must compile.
template <class F>
constexpr auto on_bits = []<class T>(T a, T b) -> T {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(F{}(a, b));
  else
    return a;
};

template <class F>
std::vector<Tensor> evaluate_bits(const EvalContext& context) {
  const auto types = output_types(context, infer_bits);
  return {map_pairs(context.node, context.inputs[0], context.inputs[1], types[0], on_bits<F>)};
}

std::vector<TensorType> infer_bitwise_not(const InferContext& context) {
  check_operands(context.node, 1, 1);
  if (!is_integer(context.inputs[0].type))
    refuse(context.node, "the operand has elements of type {}; they must be integers",
           element_name(context.inputs[0].type));
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_bitwise_not(const EvalContext& context) {
  output_types(context, infer_bitwise_not);
  return {map_elements(context.node, context.inputs[0], []<class T>(T x) -> T {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(~x);
    else
      return x;
  })};
}

/// Shifts by the width or more give zero.
struct ShiftLeft {
  std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const { return b < 64 ? a << b : 0; }
};
struct ShiftRight {
  std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const { return b < 64 ? a >> b : 0; }
};

std::vector<Tensor> evaluate_shift(const EvalContext& context) {
  const std::string direction = context.node.attributes.text("direction", "");
  if (direction == "LEFT") return evaluate_bits<ShiftLeft>(context);
  if (direction == "RIGHT") return evaluate_bits<ShiftRight>(context);
  refuse(context.node, "the attribute direction is '{}'; it must be LEFT or RIGHT", direction);
}

}  // namespace

std::span<const Definition> logical_definitions() {
  static const Definition definitions[] = {
      elementwise_definition("Equal", infer_comparison, evaluate_comparison<std::equal_to<>>),
      elementwise_definition("Greater", infer_comparison, evaluate_comparison<std::greater<>>),
      elementwise_definition("GreaterOrEqual", infer_comparison,
                             evaluate_comparison<std::greater_equal<>>),
      elementwise_definition("Less", infer_comparison, evaluate_comparison<std::less<>>),
      elementwise_definition("LessOrEqual", infer_comparison,
                             evaluate_comparison<std::less_equal<>>),
      elementwise_definition("And", infer_logical, evaluate_logical<std::logical_and<>>),
      elementwise_definition("Or", infer_logical, evaluate_logical<std::logical_or<>>),
      elementwise_definition("Xor", infer_logical, evaluate_logical<std::not_equal_to<>>),
      elementwise_definition("Not", infer_not, evaluate_not),
      elementwise_definition("BitShift", infer_bits, evaluate_shift),
      elementwise_definition("BitwiseAnd", infer_bits, evaluate_bits<std::bit_and<>>),
      elementwise_definition("BitwiseOr", infer_bits, evaluate_bits<std::bit_or<>>),
      elementwise_definition("BitwiseXor", infer_bits, evaluate_bits<std::bit_xor<>>),
      elementwise_definition("BitwiseNot", infer_bitwise_not, evaluate_bitwise_not),
  };
  return definitions;
}

}  // namespace intact
