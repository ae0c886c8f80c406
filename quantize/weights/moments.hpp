// Means and covariances of the columns that a product multiplies.
#pragma once

#include <span>
#include <vector>

#include "core/grid.hpp"
#include "quantize/weights/layout.hpp"

namespace intact {

/// Rows [begin, end) of one group's matrix whose covariance is known; long matrices have several.
struct MomentBlock {
  std::size_t group = 0, begin = 0, end = 0;
  /// Sums of products of rounded numbers, from which `shift` was taken; row-major, upper triangle.
  std::vector<float> products;

  std::size_t size() const { return end - begin; }
};

class InputMoments {
 public:
  explicit InputMoments(const WeightLayout& layout);

  /// Whole columns of layout.column() numbers, before rounding to `grid`: u8 or s8 with one scale.
  void add(std::span<const float> columns, const Grid& grid);

  std::size_t count() const { return count_; }
  const std::vector<MomentBlock>& blocks() const { return blocks_; }
  /// Of element i of a column as it is, clipped to the grid's range, and as the grid has it.
  double mean(std::size_t i) const { return sum_[i] / static_cast<double>(count_); }
  double clipped_mean(std::size_t i) const { return clipped_sum_[i] / static_cast<double>(count_); }
  double rounded_mean(std::size_t i) const {
    return static_cast<double>(shift_[i]) + rounded_sum_[i] / static_cast<double>(count_);
  }
  /// Of a block's rounded numbers, row-major and symmetric: the covariance, or the second moments
  /// around zero.
  std::vector<double> second_moments(const MomentBlock& block, bool around_mean) const;

 private:
  std::size_t first_of(const MomentBlock& block) const;
  void add_products(MomentBlock& block, std::span<const float> rounded);

  WeightLayout layout_;
  std::vector<MomentBlock> blocks_;
  std::vector<float> shift_;  ///< near the means, so that float sums keep their digits
  std::vector<double> sum_, clipped_sum_, rounded_sum_;  ///< the last without `shift`
  std::size_t count_ = 0;
};

}  // namespace intact
