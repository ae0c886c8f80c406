// Activation functions. All compute in double and round once, whatever the type; Relu and Clip take
// integers too.
#include <cmath>
#include <limits>
#include <numbers>

#include "graph/ops/elementwise.hpp"
#include "graph/ops/registry.hpp"

namespace intact {

namespace {

std::vector<TensorType> infer_activation(const InferContext& context) {
  check_operands(context.node, 1, 1);
  if (context.inputs[0].type == ElementType::boolean)
    refuse(context.node, "the operand is boolean; it must be a tensor of numbers");
  return {context.inputs[0]};
}

double number(const EvalContext& context, const char* name, float fallback) {
  return context.node.attributes.number(name, fallback);
}

/// F is called with the context once and gives the function of a real.
template <auto F>
std::vector<Tensor> evaluate_activation(const EvalContext& context) {
  output_types(context, infer_activation);
  return {map_reals(context.node, context.inputs[0], F(context))};
}

template <auto F>
Definition activation(std::string_view op, std::string_view domain = "") {
  return {.op = op,
          .domain = domain,
          .infer = infer_activation,
          .evaluate = evaluate_activation<F>,
          .elementwise = true};
}

std::vector<Tensor> evaluate_relu(const EvalContext& context) {
  output_types(context, infer_activation);
  return {map_elements(context.node, context.inputs[0],
                       []<class T>(T x) { return x < T{} ? T{} : x; })};
}

double logistic(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}
double soft_plus(double x) {
  return std::log1p(std::exp(-std::fabs(x))) + std::fmax(x, 0.0);
}
double clamp01(double x) {
  return x < 0.0 ? 0.0 : x > 1.0 ? 1.0 : x;
}
double exact_gelu(double x) {
  return 0.5 * x * (1.0 + std::erf(x / std::numbers::sqrt2));
}
double tanh_gelu(double x) {
  const double slope = std::sqrt(2.0 / std::numbers::pi);
  return 0.5 * x * (1.0 + std::tanh(slope * (x + 0.044715 * x * x * x)));
}

constexpr auto sigmoid = [](const EvalContext&) { return logistic; };
constexpr auto softplus = [](const EvalContext&) { return soft_plus; };
constexpr auto softsign = [](const EvalContext&) {
  return [](double x) { return x / (1.0 + std::fabs(x)); };
};
constexpr auto hard_sigmoid = [](const EvalContext& context) {
  return [alpha = number(context, "alpha", 0.2f), beta = number(context, "beta", 0.5f)](double x) {
    return clamp01(alpha * x + beta);
  };
};
constexpr auto hard_swish = [](const EvalContext&) {
  return [](double x) { return x * clamp01(x / 6.0 + 0.5); };
};
constexpr auto leaky_relu = [](const EvalContext& context) {
  return [alpha = number(context, "alpha", 0.01f)](double x) { return x < 0 ? alpha * x : x; };
};
constexpr auto elu = [](const EvalContext& context) {
  return [alpha = number(context, "alpha", 1.0f)](double x) {
    return x < 0 ? alpha * std::expm1(x) : x;
  };
};
constexpr auto selu = [](const EvalContext& context) {
  return [alpha = number(context, "alpha", 1.67326319217681884765625f),
          gamma = number(context, "gamma", 1.05070102214813232421875f)](double x) {
    return gamma * (x > 0 ? x : alpha * std::expm1(x));
  };
};
constexpr auto celu = [](const EvalContext& context) {
  return [alpha = number(context, "alpha", 1.0f)](double x) {
    return x < 0 ? alpha * std::expm1(x / alpha) : x;
  };
};
constexpr auto thresholded_relu = [](const EvalContext& context) {
  return [alpha = number(context, "alpha", 1.0f)](double x) { return x > alpha ? x : 0.0; };
};
constexpr auto mish = [](const EvalContext&) {
  return [](double x) { return x * std::tanh(soft_plus(x)); };
};
constexpr auto swish = [](const EvalContext& context) {
  return [alpha = number(context, "alpha", 1.0f)](double x) { return x * logistic(alpha * x); };
};
constexpr auto gelu = [](const EvalContext& context) {
  const std::string form = context.node.attributes.text("approximate", "none");
  if (form != "none" && form != "tanh")
    refuse(context.node, "the attribute approximate is '{}'; it must be none or tanh", form);
  return form == "tanh" ? tanh_gelu : exact_gelu;
};

// --- Clip: bounds are attributes before operator set 11, operands since
// ---------------------------

std::vector<TensorType> infer_clip(const InferContext& context) {
  check_operands(context.node, 1, context.node.version < 11 ? 1 : 3);
  for (std::size_t i = 1; i < context.inputs.size(); ++i) {
    if (!context.has(i)) continue;
    if (context.inputs[i].shape && element_count(*context.inputs[i].shape) != 1)
      refuse(context.node, "the {} has shape {}; it must be a scalar",
             i == 1 ? "minimum" : "maximum", to_string(*context.inputs[i].shape));
    if (context.inputs[i].type != context.inputs[0].type && !is_float(context.inputs[i].type))
      refuse(context.node, "the {} has elements of type {}, the input of {}; they must agree",
             i == 1 ? "minimum" : "maximum", element_name(context.inputs[i].type),
             element_name(context.inputs[0].type));
  }
  return {context.inputs[0]};
}

/// A bound in the type of the elements; `fallback` when absent.
template <class T>
T clip_bound(const EvalContext& context, std::size_t operand, const char* attribute, T fallback) {
  if (context.node.version < 11) {
    if (!context.node.attributes.has(attribute)) return fallback;
    return static_cast<T>(context.node.attributes.number(attribute, 0.0f));
  }
  if (!context.has(operand)) return fallback;
  return convert(context.inputs[operand], element_type_of<T>()).template data<T>()[0];
}

std::vector<Tensor> evaluate_clip(const EvalContext& context) {
  output_types(context, infer_clip);
  const Tensor in = convert(context.inputs[0], computing_type(context.inputs[0].type()));
  Tensor result = allocate(context.node, {in.type(), in.shape()});
  visit_number(in.type(), [&]<class T>(T) {
    using Limits = std::numeric_limits<T>;
    const T low = clip_bound<T>(context, 1, "min", Limits::lowest());
    const T high = clip_bound<T>(context, 2, "max", Limits::max());
    const bool has_low = context.has(1) || context.node.attributes.has("min");
    const bool has_high = context.has(2) || context.node.attributes.has("max");
    const auto x = in.data<T>();
    const auto out = result.data<T>();
    for (std::size_t i = 0; i < out.size(); ++i) {
      const T raised = has_low && x[i] < low ? low : x[i];
      out[i] = has_high && raised > high ? high : raised;
    }
  });
  return {convert(result, context.inputs[0].type())};
}

}  // namespace

std::span<const Definition> activation_definitions() {
  static const Definition definitions[] = {
      elementwise_definition("Relu", infer_activation, evaluate_relu),
      elementwise_definition("Clip", infer_clip, evaluate_clip),
      activation<sigmoid>("Sigmoid"),
      activation<hard_sigmoid>("HardSigmoid"),
      activation<hard_swish>("HardSwish"),
      activation<leaky_relu>("LeakyRelu"),
      activation<elu>("Elu"),
      activation<selu>("Selu"),
      activation<celu>("Celu"),
      activation<softplus>("Softplus"),
      activation<softsign>("Softsign"),
      activation<thresholded_relu>("ThresholdedRelu"),
      activation<gelu>("Gelu"),
      activation<mish>("Mish"),
      activation<swish>("Swish"),
  };
  return definitions;
}

}  // namespace intact
