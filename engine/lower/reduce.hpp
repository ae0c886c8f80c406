// Axes of reductions.
#pragma once

#include "engine/lower/arrange.hpp"

namespace intact {

/// The axes that a ReduceX node joins, ascending; absent when they are computed, or when there are
/// none.
std::optional<AxisOrder> reduced_axes(const Lowering& lowering, const Node& node);

}  // namespace intact
