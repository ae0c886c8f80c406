// Order statistics of timings, signal-to-noise ratios, and the ranking of class scores.
#pragma once

#include <cstdint>
#include <vector>

namespace intact::tools {

/// Linear interpolation between the two nearest ranks; `share` in 0..1. NaN for an empty list.
double quantile(std::vector<double> values, double share);
inline double median(std::vector<double> values) {
  return quantile(std::move(values), 0.5);
}

/// 10 log10(signal / noise), both sums of squares; infinite without noise.
double decibels(double signal, double noise);

/// Indices of the `count` greatest values, greatest first; the lower index first among equals.
std::vector<std::int64_t> top_indices(const std::vector<double>& values, std::size_t count);
/// Scores as probabilities: unchanged when they are (0..1, sum 1), else their softmax.
std::vector<double> probabilities(std::vector<double> scores);

}  // namespace intact::tools
