// Activations that a file spells out: x times a function of x.
#include <cmath>
#include <numbers>

#include "graph/definition.hpp"
#include "graph/passes/recognize.hpp"

namespace intact {
namespace {

using Product = Pattern::Product;

/// `id` is c * x.
bool is_multiple(Pattern& pattern, ValueId id, ValueId x, double& c) {
  if (id == x) {
    c = 1;
    return true;
  }
  Product product;
  if (!pattern.take_product(id, product) || product.factors != std::vector<ValueId>{x})
    return false;
  c = product.number;
  return true;
}

/// `id` is 0.044715 * x ^ power.
bool is_cubic_term(Pattern& pattern, ValueId id, ValueId x, std::size_t power) {
  Product product;
  return pattern.take_product(id, product) && nearly(product.number, 0.044715) &&
         product.factors == std::vector<ValueId>(power, x);
}

/// sqrt(2 / pi) * (x + 0.044715 x^3), or sqrt(2 / pi) * x * (1 + 0.044715 x^2).
bool is_tanh_argument(Pattern& pattern, ValueId id, ValueId x) {
  Product product;
  if (!pattern.take_product(id, product) ||
      !nearly(product.number, std::sqrt(2 / std::numbers::pi)))
    return false;
  if (product.factors.size() == 1) {
    const Node* sum = pattern.take(product.factors[0], "Add");
    return sum != nullptr && pattern.either_order(*sum, [&](ValueId a, ValueId b) {
      return a == x && is_cubic_term(pattern, b, x, 3);
    });
  }
  if (product.factors.size() != 2) return false;
  for (const std::size_t i : {0u, 1u}) {
    ValueId term = no_value;
    double one = 0;
    if (product.factors[i] == x && pattern.take_sum(product.factors[1 - i], term, one) &&
        one == 1 && is_cubic_term(pattern, term, x, 2))
      return true;
  }
  return false;
}

/// `scale` * x * gate is x / 2 * (1 + erf(x / sqrt(2))), or the same with the tanh form.
bool is_gelu(Pattern& pattern, double scale, ValueId x, ValueId gate, Node& node) {
  ValueId term = no_value;
  double c = 0;
  Product function;
  if (!pattern.take_sum(gate, term, c) || !pattern.take_product(term, function) ||
      function.factors.size() != 1 || !nearly(function.number, c) || !nearly(scale * c, 0.5))
    return false;
  node = standard_node("Gelu", 20, {x});
  if (const Node* erf = pattern.take(function.factors[0], "Erf")) {
    double factor = 0;
    return is_multiple(pattern, erf->inputs[0], x, factor) && nearly(factor, std::sqrt(0.5));
  }
  node.attributes.set("approximate", std::string("tanh"));
  const Node* tanh = pattern.take(function.factors[0], "Tanh");
  return tanh != nullptr && is_tanh_argument(pattern, tanh->inputs[0], x);
}

bool is_swish(Pattern& pattern, double scale, ValueId x, ValueId gate, Node& node) {
  const Node* sigmoid = pattern.take(gate, "Sigmoid");
  double alpha = 0;
  if (sigmoid == nullptr || scale != 1 || !is_multiple(pattern, sigmoid->inputs[0], x, alpha))
    return false;
  node = standard_node("Swish", 24, {x});
  if (alpha != 1) node.attributes.set("alpha", static_cast<float>(alpha));
  return true;
}

/// A bound of Clip; operands since operator set 11.
std::optional<double> clip_bound(const Pattern& pattern, const Node& clip, std::size_t input,
                                 const char* attribute) {
  if (clip.version < 11) {
    if (!clip.attributes.has(attribute)) return std::nullopt;
    return clip.attributes.number(attribute, 0);
  }
  return clip.has_input(input) ? pattern.number(clip.inputs[input]) : std::nullopt;
}

/// x * HardSigmoid(x) with slope 1/6, or x * Clip(x + 3, 0, 6) / 6.
bool is_hard_swish(Pattern& pattern, double scale, ValueId x, ValueId gate, Node& node) {
  node = standard_node("HardSwish", 14, {x});
  if (const Node* sigmoid = pattern.take(gate, "HardSigmoid"))
    return scale == 1 && sigmoid->inputs[0] == x &&
           nearly(sigmoid->attributes.number("alpha", 0.2f), 1.0 / 6) &&
           nearly(sigmoid->attributes.number("beta", 0.5f), 0.5);
  const Node* clip = pattern.take(gate, "Clip");
  ValueId shifted = no_value;
  double three = 0;
  return clip != nullptr && nearly(scale, 1.0 / 6) && clip_bound(pattern, *clip, 1, "min") == 0 &&
         clip_bound(pattern, *clip, 2, "max") == 6 &&
         pattern.take_sum(clip->inputs[0], shifted, three) && shifted == x && three == 3;
}

/// log(1 + exp(x)).
bool is_softplus(Pattern& pattern, ValueId id, ValueId x) {
  if (const Node* softplus = pattern.take(id, "Softplus")) return softplus->inputs[0] == x;
  const Node* logarithm = pattern.take(id, "Log");
  ValueId term = no_value;
  double one = 0;
  if (logarithm == nullptr || !pattern.take_sum(logarithm->inputs[0], term, one) || one != 1)
    return false;
  const Node* exponential = pattern.take(term, "Exp");
  return exponential != nullptr && exponential->inputs[0] == x;
}

bool is_mish(Pattern& pattern, double scale, ValueId x, ValueId gate, Node& node) {
  node = standard_node("Mish", 18, {x});
  const Node* tanh = pattern.take(gate, "Tanh");
  return tanh != nullptr && scale == 1 && is_softplus(pattern, tanh->inputs[0], x);
}

}  // namespace

bool recognize_activation(Pattern& pattern, const Node& last) {
  if (!last.is("Mul") && !last.is("Div")) return false;
  Product outer;
  if (!pattern.take_product(last.outputs[0], outer) || outer.factors.size() != 2) return false;
  for (const auto form : {is_gelu, is_swish, is_hard_swish, is_mish})
    for (const std::size_t i : {0u, 1u}) {
      const ValueId x = outer.factors[i], gate = outer.factors[1 - i];
      Node node;
      // A constant of several axes may give the result more axes than x has.
      if (pattern.shape(x) == pattern.shape(last.outputs[0]) &&
          pattern.attempt([&] { return form(pattern, outer.number, x, gate, node); }))
        return pattern.replace(std::move(node));
    }
  return false;
}

}  // namespace intact
