// Ranges that leave rare large values outside, so that the grid is finer for all others.
#pragma once

#include "quantize/calibration/histogram.hpp"

namespace intact {

/// The range whose u8 grid rounds and clips the values with the least mean squared error. It holds
/// zero; bounds that are zero (behind Relu) stay.
Range least_squares_range(const Histogram& histogram);

/// The range whose u8 grid changes the distribution least, by the Kullback-Leibler divergence of
/// the rounded values (each step's share spread over what it stands for) from the clipped ones.
/// Exact zeros do not count: every grid holds them. Bounds that are zero stay.
Range least_divergence_range(const Histogram& histogram);

/// The range that leaves at most half of 1 - `share` of the values outside on each side; the whole
/// range where nothing but zero would be left.
Range percentile_range(const Histogram& histogram, double share);

}  // namespace intact
