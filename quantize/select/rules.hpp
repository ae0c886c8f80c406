// What an operator would be on integers, judged by the operator alone.
#pragma once

#include "quantize/select/selection.hpp"

namespace intact {

/// Role and operands, or the reason why there is none.
Choice judge(const Graph& graph, const Node& node);

/// Names a constant operand that is not finite throughout; empty when there is none.
std::string unbounded_constant(const Graph& graph, const Node& node);

/// Relu, or Clip with constant bounds.
bool is_clamp(const Graph& graph, const Node& node);

}  // namespace intact
