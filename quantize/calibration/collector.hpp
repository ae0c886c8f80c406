// Runs the float model and shows its tensors to calibrators, one sample at a time.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "graph/graph.hpp"
#include "intact/session.hpp"
#include "quantize/calibration/calibrator.hpp"

namespace intact {

class Collector {
 public:
  /// `tensors`: values of `graph`, inputs or results, to be observed.
  Collector(const Graph& graph, std::vector<ValueId> tensors, CalibrationMethod method,
            int threads);

  /// Throws Error when the sample does not fit the model, and naming sample (counted from 1) and
  /// tensor where a number is not finite.
  void observe(std::span<const Tensor> sample);
  int samples() const { return samples_; }
  /// In the order of `tensors`.
  std::vector<Range> ranges() const;

 private:
  struct Observed {
    std::string name;
    bool is_input = false;
    std::size_t index = 0;  ///< among the inputs, or among the session's outputs
    std::unique_ptr<Calibrator> calibrator;
  };
  std::vector<Observed> observed_;
  std::vector<std::string> input_names_;
  std::unique_ptr<Session> session_;
  int samples_ = 0;
};

}  // namespace intact
