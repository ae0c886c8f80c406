// Weights of all products, rounded for the inputs that they meet in the calibration data, and
// tables of embeddings.
#pragma once

#include <optional>
#include <vector>

#include "graph/graph.hpp"
#include "intact/quantize.hpp"
#include "quantize/grids/grids.hpp"
#include "quantize/grids/plan.hpp"
#include "quantize/select/selection.hpp"

namespace intact {

struct AdaptedWeights {
  QuantizedWeights weights;
  /// What the bias has to take over so that rounding leaves the means of the outputs as they are,
  /// one number per output channel; empty where the product has no bias.
  std::vector<double> bias_change;
  /// The same for what clipping its input takes from the means. Not part of bias_change: where few
  /// positions hold what was clipped, all others would pay for them.
  std::vector<double> clipping_change;
};

/// By node; absent for all but chosen products and embeddings. `plan` has the grids of their
/// inputs; without it each sample has its own, from its smallest to its largest value. One pass
/// over the `samples` samples of `data`; without samples, and with low effort, weights become the
/// nearest integers.
std::vector<std::optional<AdaptedWeights>> adapt_weights(const Graph& graph,
                                                         const Selection& selection,
                                                         const GridPlan* plan,
                                                         const CalibrationData& data, int samples,
                                                         const QuantizeOptions& options);

/// The nearest integers, with one scale per column, or one for all without options.per_channel.
AdaptedWeights quantize_table(const Tensor& table, const QuantizeOptions& options);

/// The operand that holds the bias of a chosen product, one number per output channel: its own, or
/// that of the Add behind a MatMul that became part of it. Node -1 where there is none; a Conv or
/// Gemm can get one.
struct BiasOperand {
  int node = -1;
  std::size_t input = 0;
};
BiasOperand bias_operand(const Graph& graph, const Selection& selection,
                         const std::vector<std::vector<int>>& consumers, int product);

}  // namespace intact
