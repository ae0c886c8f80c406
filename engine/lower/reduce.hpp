// What reductions and pools of bytes and words share.
#pragma once

#include "engine/lower/arrange.hpp"

namespace intact {

/// Elements of a window: sums of as many bytes stay within int32.
constexpr std::int64_t largest_window = std::int64_t{1} << 22;

/// What the kernels of averages and sums take in behind `node`: a Round to bytes, with clamps in
/// front of it, unless the operand lies on a 16-bit grid. They clamp bytes, not floats.
Tail average_tail(const Lowering& lowering, const Node& node);
Tail take_average_tail(Lowering& lowering, const Node& node);
/// Sums of `window` integers of the grid stay within int32, and `terms` times their rescaled mean
/// within the range of rounding.
bool average_fits(const Grid& grid, std::int64_t window, std::int64_t terms, const Tail& tail);

/// The axes that a ReduceX node joins, ascending; absent when they are computed, or when there are
/// none.
std::optional<AxisOrder> reduced_axes(const Lowering& lowering, const Node& node);

/// The unit of exact sums of `window` elements of the float tensor `x` (kernels::ExactSumArgs); 0
/// where it is not computed from grids, or nothing is known about its magnitude.
double exact_unit(const Lowering& lowering, ValueId x, std::int64_t window);

}  // namespace intact
