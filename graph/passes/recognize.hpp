// The patterns of recognize_operators. Each looks backwards from `last`, the end of a match that
// has begun, and replaces the match by one operator; false when it is something else.
#pragma once

#include "graph/passes/pattern.hpp"

namespace intact {

/// Gelu (Erf and Tanh), Swish, HardSwish, Mish, from products of a tensor with a function of
/// itself.
bool recognize_activation(Pattern& pattern, const Node& last);
/// LayerNormalization, RMSNormalization and InstanceNormalization; of one axis that is not the
/// last, between Transposes.
bool recognize_normalization(Pattern& pattern, const Node& last);
/// GroupNormalization from an InstanceNormalization between Reshapes.
bool recognize_group_normalization(Pattern& pattern, const Node& last);
/// LpNormalization of a tensor on a grid: its division by a norm that is kept from being 0.
bool recognize_lp_normalization(Pattern& pattern, const Node& last);

/// A node of the standard's operator set `version`.
inline Node standard_node(std::string_view op, int version, std::vector<ValueId> inputs) {
  Node node;
  node.op = op;
  node.version = version;
  node.inputs = std::move(inputs);
  return node;
}

}  // namespace intact
