// Optimizers of ai.onnx.preview.training: Adagrad and Momentum. Operands: learning rate and
// step count, then for each of n tensors its value, its gradient and the state that the optimizer
// keeps of it, grouped by kind: x1, x2, ..., g1, g2, ..., v1, v2, ...
#include <array>
#include <cmath>
#include <utility>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {
namespace {

/// What an optimizer knows about one element; new values in place.
struct Element {
  double x = 0, gradient = 0, state = 0;
};

/// The step of an optimizer for one element.
using Step = void (*)(const Node& node, double rate, double count, Element& element);

double attribute(const Node& node, const char* name, double fallback) {
  return node.attributes.number(name, static_cast<float>(fallback));
}

void adagrad(const Node& node, double rate, double count, Element& e) {
  const double r = rate / (1 + count * attribute(node, "decay_factor", 0));
  e.state += e.gradient * e.gradient;
  e.x -= r * e.gradient / (std::sqrt(e.state) + attribute(node, "epsilon", 1e-6));
}

void momentum(const Node& node, double rate, double count, Element& e) {
  const double alpha = attribute(node, "alpha", 0);
  const double beta = count > 0 ? attribute(node, "beta", 0) : 1;
  e.state = alpha * e.state + beta * e.gradient;
  const bool nesterov = node.attributes.text("mode", "standard") == "nesterov";
  e.x -= rate * (nesterov ? e.gradient + alpha * e.state : e.state);
}

/// x, gradient, state.
constexpr std::size_t kinds = 3;

/// n, from the number of operands.
std::size_t tensors_of(const Node& node) {
  if (node.inputs.size() < 2 + kinds || (node.inputs.size() - 2) % kinds != 0)
    refuse(
        node,
        "has {} operands; it must have the learning rate, the step count, and {} for each tensor",
        node.inputs.size(), kinds);
  return (node.inputs.size() - 2) / kinds;
}

std::vector<TensorType> infer(const InferContext& context) {
  const std::size_t count = tensors_of(context.node);
  check_operands(context.node, context.node.inputs.size(), context.node.inputs.size());
  check_type(context, 0, {ElementType::f32, ElementType::f64});
  check_type(context, 1, {ElementType::s64});
  std::vector<TensorType> types;
  for (std::size_t kind = 0; kind < kinds; ++kind)
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

template <Step step_of>
std::vector<Tensor> evaluate(const EvalContext& context) {
  const Node& node = context.node;
  const auto types = output_types(context, infer);
  const std::size_t count = tensors_of(node);
  const double rate = scalar_of(node, context.inputs[0]), step = scalar_of(node, context.inputs[1]);
  const double decay = attribute(node, "norm_coefficient", 0);
  std::vector<Tensor> results(types.size());
  for (std::size_t i = 0; i < count; ++i) {
    std::array<Tensor, kinds> tensors;  // new values in place
    for (std::size_t kind = 0; kind < kinds; ++kind)
      tensors[kind] = convert(context.inputs[2 + kind * count + i], ElementType::f64).clone();
    const auto x = tensors[0].data<double>(), state = tensors[2].data<double>();
    const auto gradient = std::as_const(tensors[1]).data<double>();
    for (std::size_t k = 0; k < x.size(); ++k) {
      Element e{x[k], decay * x[k] + gradient[k], state[k]};
      step_of(node, rate, step, e);
      x[k] = e.x;
      state[k] = e.state;
    }
    results[i] = convert(tensors[0], types[i].type);
    results[count + i] = convert(tensors[2], types[i].type);
  }
  return results;
}

template <Step step>
Definition definition(std::string_view op) {
  return {.op = op,
          .domain = "ai.onnx.preview.training",
          .last = 1,
          .infer = infer,
          .evaluate = evaluate<step>};
}

}  // namespace

std::span<const Definition> optimizer_definitions() {
  static const std::vector<Definition> definitions = {
      definition<adagrad>("Adagrad"),
      definition<momentum>("Momentum"),
  };
  return definitions;
}

}  // namespace intact
