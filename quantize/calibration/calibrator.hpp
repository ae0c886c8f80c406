// Calibrators choose the range of real numbers that a tensor's grid has to cover. They see the
// tensor's values sample by sample and keep a summary whose size does not grow with the samples.
#pragma once

#include <memory>
#include <span>

#include "intact/quantize.hpp"

namespace intact {

/// A closed interval of real numbers, min <= max.
struct Range {
  float min = 0, max = 0;
  bool operator==(const Range&) const = default;
};

/// The smallest range that holds both.
Range join(const Range& a, const Range& b);

class Calibrator {
 public:
  virtual ~Calibrator() = default;
  /// The tensor's values in one sample, all finite.
  virtual void observe(std::span<const float> values) = 0;
  /// The chosen range; {0, 0} when no value has been observed.
  virtual Range range() const = 0;
};

std::unique_ptr<Calibrator> make_calibrator(CalibrationMethod method);

/// As the file's metadata and the program name it: "minmax", "percentile", "entropy", "mse".
const char* calibration_name(CalibrationMethod method);

/// Index of the first NaN or infinity; `values.size()` when all are finite.
std::size_t first_not_finite(std::span<const float> values);

/// Smallest and largest value; {0, 0} for none.
Range min_max(std::span<const float> values);

}  // namespace intact
