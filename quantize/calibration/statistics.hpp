// What calibration keeps of a tensor: a summary whose size does not grow with the samples.
#pragma once

#include <span>

#include "intact/quantize.hpp"
#include "quantize/calibration/histogram.hpp"

namespace intact {

class TensorStatistics {
 public:
  /// The tensor's values in one sample, all finite.
  void observe(std::span<const float> values);
  const Histogram& histogram() const { return histogram_; }
  /// Means of the samples' smallest and largest values, the latest hundred or so; {0, 0} for none.
  ValueRange average() const;

 private:
  Histogram histogram_;
  double average_min_ = 0, average_max_ = 0;
  int samples_ = 0;
};

}  // namespace intact
