// The equation of Einsum.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace intact {

/// Labels are letters; '0', '1', ... stand for the axes of the ellipsis, aligned from the right.
struct Equation {
  std::vector<std::string> operands;
  std::string result;
};

/// `ranks`: of the operands. Nothing when a term with an ellipsis stands for an operand of unknown
/// rank. Throws Error for an equation that is malformed or does not fit the operands.
std::optional<Equation> parse_equation(const Node& node, std::span<const std::optional<int>> ranks);

}  // namespace intact
