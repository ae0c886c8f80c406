// Normalizations along the last axis that a file spells out.
#include <cmath>

#include "graph/definition.hpp"
#include "graph/passes/recognize.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

/// The mean along the last axis, which stays with extent 1.
const Node* take_mean(Pattern& pattern, ValueId id) {
  const Node* mean = pattern.take(id, "ReduceMean");
  if (mean == nullptr || mean->attributes.integer("keepdims", 1) == 0 ||
      !pattern.shape(mean->inputs[0]))
    return nullptr;
  std::vector<std::int64_t> axes = mean->attributes.integers("axes");
  if (mean->has_input(1)) {
    const Value& given = pattern.graph().value(mean->inputs[1]);
    if (!given.is_constant() || given.constant.type() != ElementType::s64) return nullptr;
    axes.assign(given.constant.data<std::int64_t>().begin(),
                given.constant.data<std::int64_t>().end());
  }
  const auto rank = static_cast<std::int64_t>(pattern.shape(mean->inputs[0])->size());
  return axes.size() == 1 && (axes[0] == -1 || axes[0] == rank - 1) ? mean : nullptr;
}

/// `id` is x - mean(x). Exporters compute it once or once per use.
bool is_centered(Pattern& pattern, ValueId id, ValueId& x) {
  const Node* difference = pattern.take(id, "Sub");
  if (difference == nullptr) return false;
  const Node* mean = take_mean(pattern, difference->inputs[1]);
  if (mean == nullptr || mean->inputs[0] != difference->inputs[0]) return false;
  x = difference->inputs[0];
  return true;
}

/// `id` is sqrt(mean(y * y) + epsilon); gives y.
bool is_deviation(Pattern& pattern, ValueId id, ValueId& y, double& epsilon) {
  const Node* root = pattern.take(id, "Sqrt");
  ValueId variance = no_value;
  if (root == nullptr || !pattern.take_sum(root->inputs[0], variance, epsilon)) return false;
  const Node* mean = take_mean(pattern, variance);
  Pattern::Product square;
  if (mean == nullptr || !pattern.take_product(mean->inputs[0], square) || square.number != 1 ||
      square.factors.size() != 2 || square.factors[0] != square.factors[1])
    return false;
  y = square.factors[0];
  return std::isfinite(epsilon) && epsilon >= 0;
}

/// `id` is 1 / s.
bool is_reciprocal(Pattern& pattern, ValueId id, ValueId& s) {
  if (const Node* reciprocal = pattern.take(id, "Reciprocal")) {
    s = reciprocal->inputs[0];
    return true;
  }
  const Node* quotient = pattern.take(id, "Div");
  if (quotient == nullptr || pattern.number(quotient->inputs[0]) != 1) return false;
  s = quotient->inputs[1];
  return true;
}

/// `id` is y / sqrt(mean(y * y) + epsilon), the root of the same y up to `same`.
template <class Same>
bool is_standardized(Pattern& pattern, ValueId id, ValueId& y, double& epsilon, const Same& same) {
  const auto matches = [&](ValueId dividend, ValueId root) {
    ValueId squared = no_value;
    if (!is_deviation(pattern, root, squared, epsilon)) return false;
    y = dividend;
    return squared == dividend || same(squared);
  };
  if (pattern.attempt([&] {
        const Node* quotient = pattern.take(id, "Div");
        return quotient != nullptr && matches(quotient->inputs[0], quotient->inputs[1]);
      }))
    return true;
  const Node* product = pattern.take(id, "Mul");
  return product != nullptr && pattern.either_order(*product, [&](ValueId a, ValueId b) {
    ValueId root = no_value;
    return is_reciprocal(pattern, b, root) && matches(a, root);
  });
}

/// `id` is (x - mean(x)) / sqrt(variance(x) + epsilon).
bool is_normalized(Pattern& pattern, ValueId id, ValueId& x, double& epsilon) {
  return pattern.attempt([&] {
    ValueId centered = no_value, again = no_value;
    const auto same = [&](ValueId other) { return is_centered(pattern, other, again); };
    return is_standardized(pattern, id, centered, epsilon, same) &&
           is_centered(pattern, centered, x) && (again == no_value || again == x);
  });
}

/// A constant with one element per element of the last axis of x.
bool is_row_constant(Pattern& pattern, ValueId id, ValueId x) {
  if (!pattern.graph().is_constant(id)) return false;
  const Shape& given = pattern.graph().value(id).constant.shape();
  const std::optional<Shape>& shape = pattern.shape(x);
  return shape && !shape->empty() && !given.empty() && given.size() <= shape->size() &&
         given.back() == shape->back() && element_count(given) == given.back();
}

/// `id` is normalized(x) * gamma.
bool is_scaled(Pattern& pattern, ValueId id, ValueId& x, ValueId& gamma, double& epsilon) {
  return pattern.attempt([&] {
    const Node* product = pattern.take(id, "Mul");
    return product != nullptr && pattern.either_order(*product, [&](ValueId a, ValueId b) {
      if (!pattern.graph().is_constant(b) || !is_normalized(pattern, a, x, epsilon)) return false;
      gamma = b;
      return is_row_constant(pattern, b, x);
    });
  });
}

/// `id` is gamma / sqrt(variance(x) + epsilon).
bool is_factor(Pattern& pattern, ValueId id, ValueId& x, ValueId& gamma, double& epsilon) {
  const Node* product = pattern.take(id, "Mul");
  return product != nullptr && pattern.either_order(*product, [&](ValueId a, ValueId b) {
    ValueId root = no_value, centered = no_value;
    if (!pattern.graph().is_constant(b) || !is_reciprocal(pattern, a, root) ||
        !is_deviation(pattern, root, centered, epsilon) || !is_centered(pattern, centered, x))
      return false;
    gamma = b;
    return is_row_constant(pattern, b, x);
  });
}

/// TensorFlow's spelling: x * factor + (beta - mean(x) * factor).
bool is_shifted(Pattern& pattern, const Node& last, ValueId& x, ValueId& gamma, ValueId& beta,
                double& epsilon) {
  return last.is("Add") && pattern.either_order(last, [&](ValueId scaled, ValueId shift) {
    const Node* product = pattern.take(scaled, "Mul");
    const Node* difference = pattern.take(shift, "Sub");
    if (product == nullptr || difference == nullptr) return false;
    const Node* means = pattern.take(difference->inputs[1], "Mul");
    if (means == nullptr) return false;
    beta = difference->inputs[0];
    return pattern.either_order(*product, [&](ValueId given, ValueId factor) {
      if (!is_factor(pattern, factor, x, gamma, epsilon) || given != x) return false;
      return is_row_constant(pattern, beta, x) &&
             pattern.either_order(*means, [&](ValueId mean, ValueId again) {
               const Node* taken = take_mean(pattern, mean);
               return taken != nullptr && taken->inputs[0] == x && again == factor;
             });
    });
  });
}

/// Ones, for a normalization that is not scaled.
ValueId ones(Graph& graph, ValueId like) {
  const std::int64_t length = graph.value(like).shape->back();
  Tensor tensor(ElementType::f32, {length});
  for (float& one : tensor.data<float>()) one = 1;
  const ValueId id =
      graph.add_constant(graph.unique_name(graph.value(like).name + "/ones"), std::move(tensor));
  graph.value(id).shape = Shape{length};
  return id;
}

}  // namespace

bool recognize_layer_normalization(Pattern& pattern, const Node& last) {
  const ValueId y = last.outputs[0];
  ValueId x = no_value, gamma = no_value, beta = no_value;
  double epsilon = 0;
  const auto has_bias = [&] {
    return last.is("Add") && pattern.either_order(last, [&](ValueId a, ValueId b) {
      beta = b;
      return pattern.graph().is_constant(b) &&
             (is_scaled(pattern, a, x, gamma, epsilon) || is_normalized(pattern, a, x, epsilon)) &&
             is_row_constant(pattern, b, x);
    });
  };
  if (!is_shifted(pattern, last, x, gamma, beta, epsilon) && !pattern.attempt(has_bias)) {
    gamma = beta = no_value;
    if (!is_scaled(pattern, y, x, gamma, epsilon)) {
      gamma = no_value;
      if (!is_normalized(pattern, y, x, epsilon)) return false;
    }
  }
  if (pattern.graph().value(x).type != ElementType::f32 || pattern.shape(x) != pattern.shape(y) ||
      !pattern.is_closed())
    return false;
  if (gamma == no_value) gamma = ones(pattern.graph(), x);
  Node node = standard_node("LayerNormalization", 17, {x, gamma});
  if (beta != no_value) node.inputs.push_back(beta);
  node.attributes.set("epsilon", static_cast<float>(epsilon));
  return pattern.replace(std::move(node));
}

/// A constant scale belongs to it: without one, x / sqrt(mean(x * x) + epsilon) stays as it is.
bool recognize_rms_normalization(Pattern& pattern, const Node& last) {
  ValueId x = no_value, gamma = no_value;
  double epsilon = 0;
  const bool matches = last.is("Mul") && pattern.either_order(last, [&](ValueId a, ValueId b) {
    gamma = b;
    return pattern.graph().is_constant(b) &&
           is_standardized(pattern, a, x, epsilon, [](ValueId) { return false; }) &&
           is_row_constant(pattern, b, x);
  });
  if (!matches || pattern.graph().value(x).type != ElementType::f32 ||
      pattern.shape(x) != pattern.shape(last.outputs[0]))
    return false;
  Node node = standard_node("RMSNormalization", 23, {x, gamma});
  node.attributes.set("epsilon", static_cast<float>(epsilon));
  return pattern.replace(std::move(node));
}

}  // namespace intact
