// The range of each tensor that calibration looked at.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "quantize/calibration/statistics.hpp"
#include "quantize/grids/plan.hpp"

namespace intact {

/// In the order of `tensors`, whose statistics are given in the same order. Model inputs and
/// outputs keep their smallest and largest value with any method.
std::vector<ValueRange> choose_ranges(const Graph& graph, std::span<const ValueId> tensors,
                                      std::span<const TensorStatistics> statistics,
                                      CalibrationMethod method, int threads);

/// The ranges that the user gives by name, in the order of plan.measured(). Throws Error when a
/// name is not a tensor of the graph, a range is empty or not finite, or the range of a grid is
/// missing.
std::vector<ValueRange> given_ranges(const Graph& graph, const GridPlan& plan,
                                     const std::map<std::string, ValueRange>& ranges);

}  // namespace intact
