// Where Pad reads: its definition and the engine's lowering both take it from here.
#pragma once

#include <optional>
#include <vector>

#include "graph/graph.hpp"
#include "intact/tensor.hpp"

namespace intact {

/// For every axis the input position of each output position. `operands` are the node's inputs by
/// position, of which pads and axes count. Absent for mode constant where an element is the
/// constant. Throws Error for a mode, pads or axes that are none.
std::optional<std::vector<std::vector<std::int64_t>>> padded_positions(
    const Node& node, const Shape& shape, const std::vector<Tensor>& operands);

}  // namespace intact
