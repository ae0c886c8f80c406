// Ranges that leave rare large values outside, so that the grid is finer for all others.
#pragma once

#include <functional>
#include <span>

#include "quantize/calibration/statistics.hpp"

namespace intact {

/// The range whose u8 grid rounds and clips the values with the least mean squared error. It holds
/// zero; bounds that are zero (behind Relu) stay.
ValueRange least_squares_range(const Histogram& histogram);

/// Replaces each number by its image.
using ElementFunction = std::function<void(std::span<float>)>;

/// The same for the error of what `function` makes of the rounded values: where it is flat, the
/// grid need not reach.
ValueRange least_squares_range(const Histogram& histogram, const ElementFunction& function);

/// The range whose u8 grid changes the distribution least, by the Kullback-Leibler divergence of
/// the rounded values (each step's share spread over what it stands for) from the clipped ones.
/// Exact zeros do not count: every grid holds them. Bounds that are zero stay.
ValueRange least_divergence_range(const Histogram& histogram);

/// The range that leaves at most half of 1 - `share` of the values outside on each side; the whole
/// range where nothing but zero would be left.
ValueRange percentile_range(const Histogram& histogram, double share);

/// By the method. The whole range where no value has been observed or nothing else is left.
ValueRange choose_range(CalibrationMethod method, const TensorStatistics& statistics);

/// As the file's metadata and the program name it: "minmax", "average", ...
const char* calibration_name(CalibrationMethod method);

}  // namespace intact
