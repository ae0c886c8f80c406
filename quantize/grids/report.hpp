// What became of the tensors on grids.
#pragma once

#include <span>
#include <vector>

#include "graph/graph.hpp"
#include "intact/quantize.hpp"
#include "quantize/calibration/statistics.hpp"
#include "quantize/grids/plan.hpp"

namespace intact {

/// All activations on grids, in the order in which the model computes them. `statistics`: of
/// plan.measured(), in its order; empty when there was no calibration.
std::vector<TensorReport> report_tensors(const Graph& graph, const GridPlan& plan,
                                         std::span<const TensorStatistics> statistics);

/// What becomes of each operator: names, and the reason where it stays float.
void report_operators(const Graph& graph, const Selection& selection, QuantizeReport& report);

}  // namespace intact
