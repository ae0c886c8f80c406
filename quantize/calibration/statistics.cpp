// Moving averages of extremes beside the histogram.
#include "quantize/calibration/statistics.hpp"

#include <algorithm>

namespace intact {
namespace {

/// A plain mean up to this number of samples; from there on older ones fade.
constexpr int averaged_samples = 100;

}  // namespace

void TensorStatistics::observe(std::span<const float> values) {
  if (values.empty()) return;
  const ValueRange seen = histogram_.observe(values);
  samples_ = std::min(samples_ + 1, averaged_samples);
  average_min_ += (static_cast<double>(seen.min) - average_min_) / samples_;
  average_max_ += (static_cast<double>(seen.max) - average_max_) / samples_;
}

ValueRange TensorStatistics::average() const {
  return {static_cast<float>(average_min_), static_cast<float>(average_max_)};
}

}  // namespace intact
