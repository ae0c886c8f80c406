// What reductions and pools of bytes share.
#pragma once

#include "engine/lower/arrange.hpp"

namespace intact {

/// Elements of a window: sums of as many bytes stay within int32.
constexpr std::int64_t largest_window = std::int64_t{1} << 22;

/// The axes that a ReduceX node joins, ascending; absent when they are computed, or when there are
/// none.
std::optional<AxisOrder> reduced_axes(const Lowering& lowering, const Node& node);

}  // namespace intact
