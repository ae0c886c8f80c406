// How close a quantized model comes to the float one on some of the samples: integer kernels are
// fast enough to run it for every decision.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "intact/quantize.hpp"
#include "quantize/grids/plan.hpp"
#include "quantize/select/selection.hpp"
#include "quantize/weights/adapt.hpp"

namespace intact {

struct Agreement {
  /// Of all outputs, 10 log10(sum float^2 / sum (float - int8)^2).
  double sqnr_db = 0;
  /// Share of the rows of the first output whose largest element is another one.
  double disagreement = 0;
};

/// Enough to tell settings apart.
constexpr int most_trial_samples = 32;

class Trial {
 public:
  static constexpr int all = 1 << 30;

  /// Keeps at most `most` of the `samples` samples, evenly spread, and the float outputs of
  /// `graph`.
  Trial(const Graph& graph, const CalibrationData& data, int samples, int most, int threads);

  /// On the first `most` of the kept samples, on the calling thread: several trials may run at
  /// once.
  Agreement run(const Graph& quantized, int most = all) const;
  /// Signal-to-noise ratio, in dB, of the first result of each node of the float model `graph` that
  /// `quantized` has by its name, on a few of the samples.
  std::map<std::string, double> by_operator(const Graph& graph, const Graph& quantized,
                                            int threads) const;

 private:
  int kept() const { return static_cast<int>(inputs_.size()); }

  std::vector<std::vector<Tensor>> inputs_, outputs_;
};

/// `graph` with constants and activations on the grids of `plan`.
Graph quantized_graph(const Graph& graph, const Selection& selection, const GridPlan& plan,
                      std::span<const std::optional<AdaptedWeights>> weights);

}  // namespace intact
