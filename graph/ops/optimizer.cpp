// The optimizers of ai.onnx.preview.training: Adagrad, Adam, Momentum. Operands: learning rate and
// step count, then for each of n tensors its value, its gradient and the state that the optimizer
// keeps of it, grouped by kind: x1, x2, ..., g1, g2, ..., v1, v2, ...
#include <array>
#include <cmath>

#include "graph/ops/checks.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

/// What an optimizer knows about one element; new values in place.
struct Element {
  double x = 0, gradient = 0;
  std::array<double, 2> state = {};
};

/// An optimizer: the number of tensors of state per value, and the step for one element.
struct Optimizer {
  std::size_t states;
  void (*step)(const Node& node, double rate, double count, Element& element);
};

double attribute(const Node& node, const char* name, double fallback) {
  return node.attributes.number(name, static_cast<float>(fallback));
}

void adagrad(const Node& node, double rate, double count, Element& e) {
  const double r = rate / (1 + count * attribute(node, "decay_factor", 0));
  e.state[0] += e.gradient * e.gradient;
  e.x -= r * e.gradient / (std::sqrt(e.state[0]) + attribute(node, "epsilon", 1e-6));
}

void adam(const Node& node, double rate, double count, Element& e) {
  const double alpha = attribute(node, "alpha", 0.9), beta = attribute(node, "beta", 0.999);
  const double r =
      count > 0 ? rate * std::sqrt(1 - std::pow(beta, count)) / (1 - std::pow(alpha, count)) : rate;
  e.state[0] = alpha * e.state[0] + (1 - alpha) * e.gradient;
  e.state[1] = beta * e.state[1] + (1 - beta) * e.gradient * e.gradient;
  e.x -= r * e.state[0] / (std::sqrt(e.state[1]) + attribute(node, "epsilon", 1e-6));
  e.x *= 1 - attribute(node, "norm_coefficient_post", 0);
}

void momentum(const Node& node, double rate, double count, Element& e) {
  const double alpha = attribute(node, "alpha", 0);
  const double beta = count > 0 ? attribute(node, "beta", 0) : 1;
  e.state[0] = alpha * e.state[0] + beta * e.gradient;
  const bool nesterov = node.attributes.text("mode", "standard") == "nesterov";
  e.x -= rate * (nesterov ? e.gradient + alpha * e.state[0] : e.state[0]);
}

/// n, from the number of operands.
template <const Optimizer& optimizer>
std::size_t tensors_of(const Node& node) {
  const std::size_t kinds = 2 + optimizer.states;
  if (node.inputs.size() < 2 + kinds || (node.inputs.size() - 2) % kinds != 0)
    refuse(
        node,
        "has {} operands; it must have the learning rate, the step count, and {} for each tensor",
        node.inputs.size(), kinds);
  return (node.inputs.size() - 2) / kinds;
}

template <const Optimizer& optimizer>
std::vector<TensorType> infer(const InferContext& context) {
  const std::size_t count = tensors_of<optimizer>(context.node);
  check_operands(context.node, context.node.inputs.size(), context.node.inputs.size());
  check_type(context, 0, {ElementType::f32, ElementType::f64});
  check_type(context, 1, {ElementType::s64});
  std::vector<TensorType> types;
  for (std::size_t kind = 0; kind < 2 + optimizer.states; ++kind)
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t operand = 2 + kind * count + i;
      check_type(context, operand, {ElementType::f32, ElementType::f64});
      if (const auto& shape = context.inputs[2 + i].shape)
        check_shape(context, operand, *shape, "an operand of this tensor");
      if (kind != 1) types.push_back(context.inputs[2 + i]);
    }
  return types;
}

double scalar_of(const Node& node, const Tensor& tensor) {
  if (tensor.size() != 1) refuse(node, "learning rate and step count must be one number each");
  return convert(tensor, ElementType::f64).data<double>()[0];
}

template <const Optimizer& optimizer>
std::vector<Tensor> evaluate(const EvalContext& context) {
  const Node& node = context.node;
  const auto types = output_types(context, infer<optimizer>);
  const std::size_t count = tensors_of<optimizer>(node);
  const double rate = scalar_of(node, context.inputs[0]), step = scalar_of(node, context.inputs[1]);
  const double decay = attribute(node, "norm_coefficient", 0);
  std::vector<Tensor> results(types.size());
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<Tensor> kinds;  // x, gradient, state; new values in place
    for (std::size_t kind = 0; kind < 2 + optimizer.states; ++kind)
      kinds.push_back(convert(context.inputs[2 + kind * count + i], ElementType::f64).clone());
    for (std::size_t k = 0; k < static_cast<std::size_t>(kinds[0].size()); ++k) {
      Element e;
      e.x = kinds[0].data<double>()[k];
      e.gradient = decay * e.x + kinds[1].data<double>()[k];
      for (std::size_t s = 0; s < optimizer.states; ++s)
        e.state[s] = kinds[2 + s].data<double>()[k];
      optimizer.step(node, rate, step, e);
      kinds[0].data<double>()[k] = e.x;
      for (std::size_t s = 0; s < optimizer.states; ++s)
        kinds[2 + s].data<double>()[k] = e.state[s];
    }
    results[i] = convert(kinds[0], types[i].type);
    for (std::size_t s = 0; s < optimizer.states; ++s)
      results[(1 + s) * count + i] = convert(kinds[2 + s], types[i].type);
  }
  return results;
}

constexpr Optimizer adagrad_optimizer = {1, adagrad};
constexpr Optimizer adam_optimizer = {2, adam};
constexpr Optimizer momentum_optimizer = {1, momentum};

template <const Optimizer& optimizer>
Definition definition(std::string_view op) {
  return {.op = op,
          .domain = "ai.onnx.preview.training",
          .last = 1,
          .infer = infer<optimizer>,
          .evaluate = evaluate<optimizer>};
}

}  // namespace

std::span<const Definition> optimizer_definitions() {
  static const std::vector<Definition> definitions = {
      definition<adagrad_optimizer>("Adagrad"),
      definition<adam_optimizer>("Adam"),
      definition<momentum_optimizer>("Momentum"),
  };
  return definitions;
}

}  // namespace intact
