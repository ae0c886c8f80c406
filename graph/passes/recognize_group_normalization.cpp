// PyTorch writes GroupNormalization as an InstanceNormalization whose channels are the groups,
// between Reshapes, and a scale and a bias per channel behind it.
#include <algorithm>

#include "graph/definition.hpp"
#include "graph/passes/normalization_terms.hpp"
#include "graph/passes/recognize.hpp"

namespace intact {
namespace {

struct Groups {
  ValueId x = no_value;
  std::int64_t count = 0;
  float epsilon = 0;
};

bool all_are(const Graph& graph, ValueId id, float wanted) {
  if (!graph.is_constant(id) || graph.value(id).type != ElementType::f32) return false;
  const Tensor numbers = real_constant(graph.value(id));
  return std::ranges::all_of(numbers.data<float>(), [&](float x) { return x == wanted; });
}

/// `id` is x, normalized in groups without scale and bias.
bool is_grouped(Pattern& pattern, ValueId id, Groups& groups) {
  return pattern.attempt([&] {
    const Node* back = pattern.take(id, "Reshape");
    const Node* norm =
        back == nullptr ? nullptr : pattern.take(back->inputs[0], "InstanceNormalization");
    const Node* there = norm == nullptr ? nullptr : pattern.take(norm->inputs[0], "Reshape");
    if (there == nullptr || !all_are(pattern.graph(), norm->inputs[1], 1) ||
        !all_are(pattern.graph(), norm->inputs[2], 0))
      return false;
    groups.x = there->inputs[0];
    groups.epsilon = norm->attributes.number("epsilon", 1e-5f);
    const auto& x = pattern.shape(groups.x);
    const auto& split = pattern.shape(norm->inputs[0]);
    if (!x || !split || x->size() < 2 || split->size() < 2 || pattern.shape(id) != x) return false;
    groups.count = (*split)[1];
    return (*split)[0] == (*x)[0] && groups.count > 0 && (*x)[1] % groups.count == 0;
  });
}

bool is_scaled(Pattern& pattern, ValueId id, Groups& groups, ValueId& gamma) {
  return pattern.attempt([&] {
    const Node* product = pattern.take(id, "Mul");
    return product != nullptr && pattern.either_order(*product, [&](ValueId a, ValueId b) {
      gamma = b;
      return pattern.graph().is_constant(b) && is_grouped(pattern, a, groups);
    });
  });
}

bool is_biased(Pattern& pattern, const Node& last, Groups& groups, ValueId& gamma, ValueId& beta) {
  return last.is("Add") && pattern.either_order(last, [&](ValueId a, ValueId b) {
    beta = b;
    return pattern.graph().is_constant(b) && is_scaled(pattern, a, groups, gamma);
  });
}

}  // namespace

bool recognize_group_normalization(Pattern& pattern, const Node& last) {
  Groups groups;
  ValueId gamma = no_value, beta = no_value;
  const ValueId y = last.outputs[0];
  if (!is_biased(pattern, last, groups, gamma, beta)) {
    beta = no_value;
    if (!is_scaled(pattern, y, groups, gamma)) {
      gamma = no_value;
      if (!is_grouped(pattern, y, groups)) return false;
    }
  }
  if (pattern.graph().value(groups.x).type != ElementType::f32 ||
      pattern.shape(groups.x) != pattern.shape(y) || !pattern.is_closed())
    return false;
  const ValueId scale = constant_along(pattern, gamma, groups.x, 1, 1, 1),
                bias = constant_along(pattern, beta, groups.x, 1, 1, beta == no_value ? 0 : 1);
  if (scale == no_value || bias == no_value) return false;
  Node node = standard_node("GroupNormalization", 21, {groups.x, scale, bias});
  node.attributes.set("num_groups", groups.count);
  node.attributes.set("epsilon", groups.epsilon);
  return pattern.replace(std::move(node));
}

}  // namespace intact
