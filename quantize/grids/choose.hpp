// The range of each tensor that calibration looked at.
#pragma once

#include <span>
#include <vector>

#include "graph/graph.hpp"
#include "quantize/calibration/statistics.hpp"

namespace intact {

/// In the order of `tensors`, whose statistics are given in the same order. Model inputs and
/// outputs keep their smallest and largest value with any method.
std::vector<ValueRange> choose_ranges(const Graph& graph, std::span<const ValueId> tensors,
                                      std::span<const TensorStatistics> statistics,
                                      CalibrationMethod method, int threads);

}  // namespace intact
