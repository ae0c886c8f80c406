// LayerNormalization, RMSNormalization and InstanceNormalization that a file spells out. Along one
// axis that is not the last, Transposes bring it there and back.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "graph/definition.hpp"
#include "graph/passes/normalization_terms.hpp"
#include "graph/passes/recognize.hpp"

namespace intact {
namespace {

/// number * gamma * (x - mean(x)) / sqrt(variance(x) + epsilon) + beta; for the root of the mean
/// square without the mean.
struct Normalization {
  ValueId x = no_value;
  std::vector<std::int64_t> axes;
  bool centered = false;
  double epsilon = 0, number = 1;
  ValueId gamma = no_value, beta = no_value;  ///< constants
};

/// The tensor of which a quotient takes the mean square, and whether without its mean.
bool read_operand(Pattern& pattern, const Quotient& quotient, Normalization& norm) {
  const Root& root = *quotient.root;
  const auto mean = take_centered(pattern, quotient.y);
  const bool centered = mean && mean->axes == root.square.axes;
  norm.x = centered ? mean->of : quotient.y;
  norm.centered = centered;
  if (root.centered) return centered && root.square.of == norm.x;
  if (root.square.of == quotient.y) return true;
  // Exporters compute the difference once or once per use.
  const auto again = take_centered(pattern, root.square.of);
  return centered && again && again->of == norm.x && again->axes == mean->axes;
}

void read_root(const Quotient& quotient, Normalization& norm) {
  const Root& root = *quotient.root;
  norm.axes = root.square.axes;
  // sqrt(k * m + e) is sqrt(k) * sqrt(m + e / k).
  norm.epsilon = root.epsilon / root.square.factor;
  norm.number = quotient.number / std::sqrt(root.square.factor);
  if (nearly(norm.number, 1)) norm.number = 1;
  norm.gamma = quotient.gamma;
}

bool is_normalized(Pattern& pattern, ValueId id, Normalization& norm) {
  return pattern.attempt([&] {
    Quotient quotient;
    if (!take_quotient(pattern, id, quotient) || quotient.y == no_value) return false;
    read_root(quotient, norm);
    return read_operand(pattern, quotient, norm);
  });
}

bool has_bias(Pattern& pattern, const Node& last, Normalization& norm) {
  return last.is("Add") && pattern.either_order(last, [&](ValueId a, ValueId b) {
    norm.beta = b;
    return pattern.graph().is_constant(b) && is_normalized(pattern, a, norm);
  });
}

/// factor * of, where the factor is gamma / sqrt(variance + epsilon); gives `of`.
bool is_scaled_by_factor(Pattern& pattern, ValueId id, ValueId& of, Quotient& factor) {
  const Node* product = pattern.take(id, "Mul");
  return product != nullptr && pattern.either_order(*product, [&](ValueId a, ValueId b) {
    factor = {};
    of = a;
    return take_quotient(pattern, b, factor) && factor.y == no_value;
  });
}

/// TensorFlow's spelling: x * factor + (beta - mean(x) * factor).
bool is_shifted(Pattern& pattern, const Node& last, Normalization& norm) {
  return last.is("Add") && pattern.either_order(last, [&](ValueId scaled, ValueId shift) {
    const Node* difference = pattern.take(shift, "Sub");
    Quotient factor, again;
    ValueId mean = no_value;
    if (difference == nullptr || !pattern.graph().is_constant(difference->inputs[0]) ||
        !is_scaled_by_factor(pattern, scaled, norm.x, factor) ||
        !is_scaled_by_factor(pattern, difference->inputs[1], mean, again))
      return false;
    norm.beta = difference->inputs[0];
    read_root(factor, norm);
    Normalization second;
    read_root(again, second);
    const auto subtracted = take_mean(pattern, mean);
    // The root of x without its mean, whichever of the two factors is looked at.
    const auto belongs = [&](const Root& root) {
      if (root.centered) return root.square.of == norm.x;
      const auto centered = take_centered(pattern, root.square.of);
      return centered && centered->of == norm.x && centered->axes == norm.axes;
    };
    norm.centered = true;
    return subtracted && subtracted->of == norm.x && nearly(subtracted->factor, 1) &&
           subtracted->axes == norm.axes && belongs(*factor.root) && belongs(*again.root) &&
           second.axes == norm.axes && second.epsilon == norm.epsilon &&
           second.number == norm.number && second.gamma == norm.gamma;
  });
}

/// Operator, scale and bias in place of the match, for x or what takes its place; false when the
/// constants do not run along the axes from `first` to `last`.
bool make_node(Pattern& pattern, const Normalization& norm, std::size_t first, std::size_t last,
               Node& node) {
  const bool instance = node.is("InstanceNormalization");
  const ValueId gamma = constant_along(pattern, norm.gamma, norm.x, first, last, norm.number);
  ValueId beta = no_value;
  if (norm.beta != no_value || instance)
    beta = constant_along(pattern, norm.beta, norm.x, first, last, norm.beta == no_value ? 0 : 1);
  if (gamma == no_value || (beta == no_value && (norm.beta != no_value || instance))) return false;
  node.inputs = {norm.x, gamma};
  if (beta != no_value) node.inputs.push_back(beta);
  node.attributes.set("epsilon", static_cast<float>(norm.epsilon));
  return true;
}

Node row_node(const Normalization& norm, std::int64_t axis) {
  Node node = norm.centered ? standard_node("LayerNormalization", 17, {})
                            : standard_node("RMSNormalization", 23, {});
  if (axis != -1) node.attributes.set("axis", axis);
  return node;
}

/// Transpose with its output.
Node transpose(Pattern& pattern, ValueId x, const std::vector<std::int64_t>& order,
               const std::string& name) {
  Graph& graph = pattern.graph();
  Node node = standard_node("Transpose", 13, {x});
  node.attributes.set("perm", order);
  node.outputs = {graph.add_value(pattern.names.get(name), ElementType::f32)};
  node.name = graph.value(node.outputs[0]).name;
  Shape shape;
  for (const std::int64_t axis : order)
    shape.push_back((*graph.value(x).shape)[static_cast<std::size_t>(axis)]);
  graph.value(node.outputs[0]).shape = shape;
  return node;
}

/// The one axis becomes the last one.
bool replace_between_transposes(Pattern& pattern, const Normalization& norm) {
  Graph& graph = pattern.graph();
  const auto axis = static_cast<std::size_t>(norm.axes[0]);
  Node rows = row_node(norm, -1);
  if (!make_node(pattern, norm, axis, axis, rows)) return false;
  const std::string name = graph.value(norm.x).name;
  std::vector<std::int64_t> there(pattern.shape(norm.x)->size()), back(there.size());
  std::iota(there.begin(), there.end(), 0);
  std::rotate(there.begin() + norm.axes[0], there.begin() + norm.axes[0] + 1, there.end());
  for (std::size_t i = 0; i < there.size(); ++i)
    back[static_cast<std::size_t>(there[i])] = static_cast<std::int64_t>(i);
  Node in = transpose(pattern, norm.x, there, name + "/axis_last");
  rows.inputs[0] = in.outputs[0];
  rows.outputs = {graph.add_value(pattern.names.get(name + "/normalized"), ElementType::f32)};
  graph.value(rows.outputs[0]).shape = graph.value(in.outputs[0]).shape;
  Node out = standard_node("Transpose", 13, {rows.outputs[0]});
  out.name = graph.value(rows.outputs[0]).name + "/axis_back";
  out.attributes.set("perm", back);
  return pattern.replace({std::move(in), std::move(rows), std::move(out)}, 1);
}

bool replace(Pattern& pattern, const Normalization& norm, ValueId y) {
  const std::optional<Shape>& shape = pattern.shape(norm.x);
  if (pattern.graph().value(norm.x).type != ElementType::f32 || shape != pattern.shape(y) ||
      norm.axes.empty() || !pattern.is_closed() || (!norm.centered && norm.beta != no_value))
    return false;
  const auto first = static_cast<std::size_t>(norm.axes.front()),
             last = static_cast<std::size_t>(norm.axes.back());
  if (last - first + 1 != norm.axes.size()) return false;
  if (last + 1 < shape->size()) return first == last && replace_between_transposes(pattern, norm);
  Node rows = row_node(norm, first == last ? -1 : norm.axes[0]);
  if (make_node(pattern, norm, first, last, rows)) return pattern.replace(std::move(rows));
  Node instance = standard_node("InstanceNormalization", 6, {});
  return first == 2 && norm.centered && make_node(pattern, norm, 1, 1, instance) &&
         pattern.replace(std::move(instance));
}

}  // namespace

bool recognize_normalization(Pattern& pattern, const Node& last) {
  const ValueId y = last.outputs[0];
  using Form = bool (*)(Pattern&, const Node&, Normalization&);
  constexpr Form forms[] = {is_shifted, has_bias,
                            [](Pattern& p, const Node& node, Normalization& norm) {
                              return is_normalized(p, node.outputs[0], norm);
                            }};
  return std::ranges::any_of(forms, [&](Form matches) {
    Normalization norm;
    return pattern.attempt(
        [&] { return matches(pattern, last, norm) && replace(pattern, norm, y); });
  });
}

}  // namespace intact
