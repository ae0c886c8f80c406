// Sums over columns.
#include "quantize/weights/moments.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace intact {
namespace {

/// Covariances of more rows would cost more time and memory than they are worth.
constexpr std::size_t largest_block = 1152;

/// A tile of the matrix of products, whose sums stay in registers.
constexpr std::size_t tile_rows = 4, tile_columns = 16;

}  // namespace

InputMoments::InputMoments(const WeightLayout& layout)
    : layout_(layout),
      shift_(layout.column()),
      sum_(layout.column()),
      clipped_sum_(layout.column()),
      rounded_sum_(layout.column()) {
  const std::size_t parts = (layout.depth + largest_block - 1) / largest_block;
  for (std::size_t group = 0; group < (layout.same_columns ? 1 : layout.groups); ++group) {
    for (std::size_t part = 0; part < parts; ++part) {
      MomentBlock block{group, layout.depth * part / parts, layout.depth * (part + 1) / parts, {}};
      block.products.resize(block.size() * block.size());
      blocks_.push_back(std::move(block));
    }
  }
}

std::size_t InputMoments::first_of(const MomentBlock& block) const {
  return block.group * layout_.depth + block.begin;
}

void InputMoments::add(std::span<const float> columns, const Grid& grid) {
  const std::size_t width = layout_.column(), added = columns.size() / width;
  if (added == 0) return;
  const float scale = grid.scale[0];
  const auto zero = static_cast<float>(grid.zero_point[0]);
  const float low = static_cast<float>(lowest(grid.type)) - zero;
  const float high = static_cast<float>(highest(grid.type)) - zero;
  std::vector<float> rounded(columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i)
    rounded[i] = scale * std::clamp(std::nearbyint(columns[i] / scale), low, high);
  if (count_ == 0) {
    for (std::size_t i = 0; i < width; ++i) {
      double sum = 0;
      for (std::size_t c = 0; c < added; ++c) sum += static_cast<double>(rounded[c * width + i]);
      shift_[i] = static_cast<float>(sum / static_cast<double>(added));
    }
  }
  for (std::size_t c = 0; c < added; ++c) {
    for (std::size_t i = 0; i < width; ++i) {
      const float value = columns[c * width + i];
      sum_[i] += static_cast<double>(value);
      clipped_sum_[i] += static_cast<double>(std::clamp(value, scale * low, scale * high));
      rounded[c * width + i] -= shift_[i];
      rounded_sum_[i] += static_cast<double>(rounded[c * width + i]);
    }
  }
  for (MomentBlock& block : blocks_) add_products(block, rounded);
  count_ += added;
}

void InputMoments::add_products(MomentBlock& block, std::span<const float> rounded) {
  const std::size_t width = layout_.column(), size = block.size();
  const float* const first = rounded.data() + first_of(block);
  const std::size_t columns = rounded.size() / width;
  for (std::size_t i = 0; i < size; i += tile_rows) {
    const std::size_t rows = std::min(tile_rows, size - i);
    std::size_t j = i;
    for (; rows == tile_rows && j + tile_columns <= size; j += tile_columns) {
      std::array<std::array<float, tile_columns>, tile_rows> sums{};
      for (std::size_t c = 0; c < columns; ++c) {
        const float* const column = first + c * width;
        for (std::size_t r = 0; r < tile_rows; ++r)
          for (std::size_t k = 0; k < tile_columns; ++k)
            sums[r][k] += column[i + r] * column[j + k];
      }
      for (std::size_t r = 0; r < tile_rows; ++r)
        for (std::size_t k = 0; k < tile_columns; ++k)
          block.products[(i + r) * size + j + k] += sums[r][k];
    }
    for (std::size_t r = i; r < i + rows; ++r) {
      for (std::size_t k = std::max(j, r); k < size; ++k) {
        float sum = 0;
        for (std::size_t c = 0; c < columns; ++c)
          sum += first[c * width + r] * first[c * width + k];
        block.products[r * size + k] += sum;
      }
    }
  }
}

std::vector<double> InputMoments::second_moments(const MomentBlock& block, bool around_mean) const {
  const std::size_t size = block.size(), first = first_of(block);
  const auto count = static_cast<double>(count_);
  std::vector<double> result(size * size);
  for (std::size_t i = 0; i < size; ++i) {
    const double mean_i = rounded_sum_[first + i] / count;
    const auto shift_i = static_cast<double>(shift_[first + i]);
    for (std::size_t j = i; j < size; ++j) {
      const double mean_j = rounded_sum_[first + j] / count;
      const auto shift_j = static_cast<double>(shift_[first + j]);
      double moment = static_cast<double>(block.products[i * size + j]) / count - mean_i * mean_j;
      if (!around_mean) moment += (mean_i + shift_i) * (mean_j + shift_j);
      result[i * size + j] = result[j * size + i] = moment;
    }
  }
  return result;
}

}  // namespace intact
