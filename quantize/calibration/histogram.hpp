// Distribution of a tensor's values in bounded memory.
//
// Bins are [k w, (k + 1) w) for whole k, with w a power of two that doubles (neighbours merge) when
// new values would need more than `most_bins`. So zero is always an edge, and the result depends
// neither on the order of the samples nor on how they are cut into pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "intact/quantize.hpp"

namespace intact {

/// The smallest range that holds both.
ValueRange join(const ValueRange& a, const ValueRange& b);

/// Smallest and largest value; {0, 0} for none.
ValueRange min_max(std::span<const float> values);

/// Index of the first NaN or infinity; `values.size()` when all are finite.
std::size_t first_not_finite(std::span<const float> values);

class Histogram {
 public:
  static constexpr std::size_t most_bins = 2048;

  /// A value that stands for `count` values.
  struct Point {
    double value = 0;
    std::uint64_t count = 0;
  };

  /// Values are finite. Returns their smallest and largest; {0, 0} for none.
  ValueRange observe(std::span<const float> values);
  /// Number of values; `zeros` of them are exactly zero.
  std::uint64_t total() const { return total_; }
  std::uint64_t zeros() const { return zeros_; }
  /// Bins in memory, filled or not.
  std::size_t bins() const { return counts_.size(); }
  /// Exact smallest and largest value; {0, 0} for none.
  const ValueRange& extremes() const { return extremes_; }
  /// Middles of the filled bins, ascending, none outside the extremes; exact zeros apart.
  std::vector<Point> points() const;

 private:
  void cover(const ValueRange& range);

  std::vector<std::uint64_t> counts_;
  std::int64_t first_ = 0;  ///< k of counts_[0]
  int exponent_ = 0;        ///< w = 2^exponent_
  std::uint64_t total_ = 0, zeros_ = 0;
  ValueRange extremes_;
};

}  // namespace intact
