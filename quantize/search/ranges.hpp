// Ranges by their effect: the same method does not suit all tensors of a model, nor all models.
#pragma once

#include <span>
#include <vector>

#include "quantize/calibration/statistics.hpp"
#include "quantize/search/trial.hpp"

namespace intact {

/// In the order of plan.measured(), whose statistics are given in the same order: for tensors with
/// one sign and with two, in the first, second and last third of the model, the method with which
/// the quantized model agrees best. `weights` as quantized_graph takes them.
std::vector<ValueRange> ranges_by_trial(const Graph& graph, const Selection& selection,
                                        const GridPlan& plan,
                                        std::span<const TensorStatistics> statistics,
                                        std::span<const std::optional<AdaptedWeights>> weights,
                                        const Trial& trial, int threads,
                                        const QuantizeProgress& progress);

}  // namespace intact
