// Runs the float model and keeps statistics of its tensors, one sample at a time.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "graph/graph.hpp"
#include "intact/session.hpp"
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
  int threads() const { return session_->threads(); }
  /// In the order of `tensors`.
  const std::vector<TensorStatistics>& statistics() const { return statistics_; }

 private:
  struct Observed {
    std::string name;
    bool is_input = false;
    std::size_t index = 0;  ///< among the inputs, or among the session's outputs
  };
  std::vector<Observed> observed_;
  std::vector<TensorStatistics> statistics_;
  std::vector<std::string> input_names_;
  std::unique_ptr<Session> session_;
  int samples_ = 0;
};

}  // namespace intact
