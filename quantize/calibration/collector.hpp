// Runs the float model and keeps statistics of its tensors, one sample at a time.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "intact/quantize.hpp"
#include "quantize/calibration/observed_model.hpp"
#include "quantize/calibration/statistics.hpp"

namespace intact {

class Collector {
 public:
  /// `tensors`: values of `graph`, inputs or results, to be observed.
  Collector(const Graph& graph, std::span<const ValueId> tensors, int threads);

  /// Throws Error when the sample does not fit the model, and naming sample (counted from 1) and
  /// tensor where a number is not finite.
  void observe(std::span<const Tensor> sample);
  int samples() const { return samples_; }
  int threads() const { return model_.threads(); }
  /// In the order of `tensors`.
  const std::vector<TensorStatistics>& statistics() const { return statistics_; }

 private:
  ObservedModel model_;
  std::vector<std::string> names_, input_names_;  ///< of `tensors`, of the model's inputs
  std::vector<TensorStatistics> statistics_;
  int samples_ = 0;
};

/// All samples through the float model; `data` may be empty.
Collector collect(const Graph& graph, std::span<const ValueId> tensors, const CalibrationData& data,
                  const QuantizeOptions& options);

}  // namespace intact
