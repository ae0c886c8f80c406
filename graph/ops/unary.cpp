// Functions of one tensor, element by element: mathematics, Identity, Dropout, casts.
#include <cmath>
#include <numbers>

#include "graph/ops/element_types.hpp"
#include "graph/ops/elementwise.hpp"
#include "graph/ops/registry.hpp"

namespace intact {

namespace {

// --- functions of reals: computed in double, rounded once ----------------------------------------

std::vector<TensorType> infer_real(const InferContext& context) {
  check_operands(context.node, 1, 1);
  if (!is_float(context.inputs[0].type))
    refuse(context.node, "the operand has elements of type {}; they must be floating-point",
           element_name(context.inputs[0].type));
  return {context.inputs[0]};
}

template <auto F>
std::vector<Tensor> evaluate_real(const EvalContext& context) {
  output_types(context, infer_real);
  return {map_reals(context.node, context.inputs[0], F)};
}

/// Half to even in the default rounding mode.
double round_half_to_even(double x) {
  return std::nearbyint(x);
}
double reciprocal(double x) {
  return 1.0 / x;
}

template <double (*F)(double)>
Definition real_function(std::string_view op) {
  return elementwise_definition(op, infer_real, evaluate_real<F>);
}

// --- functions of numbers of any type
// -------------------------------------------------------------

std::vector<TensorType> infer_number(const InferContext& context) {
  check_operands(context.node, 1, 1);
  if (context.inputs[0].type == ElementType::boolean)
    refuse(context.node, "the operand is boolean; it must be a tensor of numbers");
  return {context.inputs[0]};
}

template <auto F>
std::vector<Tensor> evaluate_number(const EvalContext& context) {
  output_types(context, infer_number);
  return {map_elements(context.node, context.inputs[0], F)};
}

constexpr auto negate = []<class T>(T x) -> T {
  if constexpr (std::is_integral_v<T>)
    return wrapping(T{}, x, std::minus<>{});
  else
    return -x;
};
constexpr auto absolute = []<class T>(T x) -> T {
  if constexpr (std::is_integral_v<T>)
    return std::is_signed_v<T> && x < T{} ? negate(x) : x;
  else
    return std::fabs(x);
};
constexpr auto sign = []<class T>(T x) -> T {
  return x > T{} ? T{1} : x < T{} ? static_cast<T>(-1) : x;
};

std::vector<Tensor> evaluate_shrink(const EvalContext& context) {
  output_types(context, infer_number);
  const double lambda = context.node.attributes.number("lambd", 0.5f);
  const double bias = context.node.attributes.number("bias", 0.0f);
  return {map_elements(context.node, context.inputs[0], [&](auto x) {
    const auto value = static_cast<double>(x);
    return value < -lambda ? value + bias : value > lambda ? value - bias : 0.0;
  })};
}

// --- tests
// ----------------------------------------------------------------------------------------

std::vector<TensorType> infer_test(const InferContext& context) {
  return {{ElementType::boolean, infer_real(context)[0].shape}};
}

template <class F>
std::vector<Tensor> test_elements(const EvalContext& context, F f) {
  const auto types = output_types(context, infer_test);
  const Tensor in = convert(context.inputs[0], ElementType::f64);
  Tensor result = allocate(context.node, types[0]);
  const auto x = in.data<double>();
  const auto out = result.data<bool>();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = f(x[i]);
  return {result};
}

std::vector<Tensor> evaluate_is_nan(const EvalContext& context) {
  return test_elements(context, [](double x) { return std::isnan(x); });
}

std::vector<Tensor> evaluate_is_inf(const EvalContext& context) {
  const bool negative = context.node.attributes.integer("detect_negative", 1) != 0;
  const bool positive = context.node.attributes.integer("detect_positive", 1) != 0;
  return test_elements(context,
                       [&](double x) { return std::isinf(x) && (x < 0 ? negative : positive); });
}

// --- Identity and Dropout
// -------------------------------------------------------------------------

std::vector<TensorType> infer_identity(const InferContext& context) {
  check_operands(context.node, 1, 1);
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_identity(const EvalContext& context) {
  output_types(context, infer_identity);
  return {context.inputs[0]};
}

/// The mask has the type of the data before operator set 10, and is boolean since.
std::vector<TensorType> infer_dropout(const InferContext& context) {
  check_operands(context.node, 1, 3);
  const TensorType& data = context.inputs[0];
  for (std::size_t i = 1; i < context.inputs.size(); ++i)
    if (context.has(i) && context.inputs[i].shape && element_count(*context.inputs[i].shape) != 1)
      refuse(context.node, "operand {} has shape {}; it must be a scalar", i,
             to_string(*context.inputs[i].shape));
  return {data, {context.node.version < 10 ? data.type : ElementType::boolean, data.shape}};
}

/// Inference only: keeps everything.
std::vector<Tensor> evaluate_dropout(const EvalContext& context) {
  const auto types = output_types(context, infer_dropout);
  const bool training =
      context.has(2) && convert(context.inputs[2], ElementType::boolean).data<bool>()[0];
  const double ratio =
      context.has(1) ? convert(context.inputs[1], ElementType::f64).data<double>()[0] : 0.5;
  if (training && ratio != 0)
    refuse_unsupported(context.node, "training mode drops at random; only inference is supported");
  const std::int64_t kept = 1;
  const Tensor one = convert(Tensor::scalar(kept), types[1].type);
  return {context.inputs[0], broadcast_to(context.node, one, *types[1].shape)};
}

// --- casts
// ----------------------------------------------------------------------------------------

std::vector<TensorType> infer_cast(const InferContext& context) {
  check_operands(context.node, 1, 1);
  if (!context.node.attributes.has("to"))
    refuse(context.node, "the attribute to is absent; it names the wanted type");
  const std::int64_t code = context.node.attributes.integer("to", 0);
  return {{element_type_of_code(context.node, code), context.inputs[0].shape}};
}

std::vector<Tensor> evaluate_cast(const EvalContext& context) {
  const bool saturate = context.node.attributes.integer("saturate", 1) != 0;
  return {convert(context.inputs[0], output_types(context, infer_cast)[0].type, saturate)};
}

std::vector<TensorType> infer_cast_like(const InferContext& context) {
  check_operands(context.node, 2, 2);
  return {{context.inputs[1].type, context.inputs[0].shape}};
}

std::vector<Tensor> evaluate_cast_like(const EvalContext& context) {
  const bool saturate = context.node.attributes.integer("saturate", 1) != 0;
  return {convert(context.inputs[0], output_types(context, infer_cast_like)[0].type, saturate)};
}

}  // namespace

std::span<const Definition> unary_definitions() {
  static const Definition definitions[] = {
      real_function<std::ceil>("Ceil"),
      real_function<std::floor>("Floor"),
      real_function<round_half_to_even>("Round"),
      real_function<std::sqrt>("Sqrt"),
      real_function<std::exp>("Exp"),
      real_function<std::log>("Log"),
      real_function<reciprocal>("Reciprocal"),
      real_function<std::sin>("Sin"),
      real_function<std::cos>("Cos"),
      real_function<std::tan>("Tan"),
      real_function<std::asin>("Asin"),
      real_function<std::acos>("Acos"),
      real_function<std::atan>("Atan"),
      real_function<std::sinh>("Sinh"),
      real_function<std::cosh>("Cosh"),
      real_function<std::tanh>("Tanh"),
      real_function<std::asinh>("Asinh"),
      real_function<std::acosh>("Acosh"),
      real_function<std::atanh>("Atanh"),
      real_function<std::erf>("Erf"),
      elementwise_definition("Abs", infer_number, evaluate_number<absolute>),
      elementwise_definition("Neg", infer_number, evaluate_number<negate>),
      elementwise_definition("Sign", infer_number, evaluate_number<sign>),
      elementwise_definition("Shrink", infer_number, evaluate_shrink),
      elementwise_definition("IsNaN", infer_test, evaluate_is_nan),
      elementwise_definition("IsInf", infer_test, evaluate_is_inf),
      {.op = "Identity",
       .infer = infer_identity,
       .evaluate = evaluate_identity,
       .evaluate_data = [](const DataContext& context) -> std::vector<Datum> {
         return {context.inputs.begin(), context.inputs.end()};
       },
       .moves_data = true,
       .elementwise = true},
      {.op = "Dropout",
       .infer = infer_dropout,
       .evaluate = evaluate_dropout,
       .moves_data = true,
       .elementwise = true},
      {.op = "Cast",
       .first = 6,
       .infer = infer_cast,
       .evaluate = evaluate_cast,
       .elementwise = true},
      elementwise_definition("CastLike", infer_cast_like, evaluate_cast_like),
  };
  return definitions;
}

}  // namespace intact
