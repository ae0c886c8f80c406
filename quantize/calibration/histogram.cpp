// Counting, and doubling of the bins.
#include "quantize/calibration/histogram.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace intact {
namespace {

/// Independent lanes let the compiler use vectors: activations of many megabytes pass through here.
constexpr std::size_t lanes = 16;

/// Smaller than the spacing of floats: no value is cut finer.
constexpr int smallest_exponent = -160;

std::int64_t bin_of(double value, double bins_per_unit) {
  const double scaled = value * bins_per_unit;
  const auto whole = static_cast<std::int64_t>(scaled);
  return whole - (static_cast<double>(whole) > scaled ? 1 : 0);
}

/// Of the narrowest bins with which `most_bins` cover the range.
int exponent_for(const ValueRange& range) {
  const double extent = static_cast<double>(range.max) - static_cast<double>(range.min);
  int exponent = smallest_exponent;
  if (extent > 0) {
    std::frexp(extent / static_cast<double>(Histogram::most_bins), &exponent);
    exponent = std::max(exponent - 1, smallest_exponent);
  }
  const auto bins = [&] {
    const double per_unit = std::ldexp(1.0, -exponent);
    return bin_of(range.max, per_unit) - bin_of(range.min, per_unit) + 1;
  };
  while (bins() > static_cast<std::int64_t>(Histogram::most_bins)) ++exponent;
  return exponent;
}

}  // namespace

ValueRange join(const ValueRange& a, const ValueRange& b) {
  return {std::min(a.min, b.min), std::max(a.max, b.max)};
}

std::size_t first_not_finite(std::span<const float> values) {
  constexpr std::uint32_t exponent = 0x7f800000;
  constexpr std::size_t block = 4096;
  for (std::size_t begin = 0; begin < values.size(); begin += block) {
    const auto part = values.subspan(begin, std::min(block, values.size() - begin));
    std::uint32_t found = 0;
    for (const float value : part)
      found |= (std::bit_cast<std::uint32_t>(value) & exponent) == exponent ? 1U : 0U;
    if (found == 0) continue;
    for (std::size_t i = 0; i < part.size(); ++i)
      if (!std::isfinite(part[i])) return begin + i;
  }
  return values.size();
}

ValueRange min_max(std::span<const float> values) {
  if (values.empty()) return {};
  std::array<float, lanes> low, high;
  low.fill(values[0]);
  high.fill(values[0]);
  std::size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes) {
    for (std::size_t k = 0; k < lanes; ++k) {
      const float value = values[i + k];
      low[k] = value < low[k] ? value : low[k];
      high[k] = value > high[k] ? value : high[k];
    }
  }
  ValueRange range{*std::min_element(low.begin(), low.end()),
                   *std::max_element(high.begin(), high.end())};
  for (; i < values.size(); ++i) range = join(range, {values[i], values[i]});
  return range;
}

void Histogram::cover(const ValueRange& range) {
  const int exponent = exponent_for(range);
  const double per_unit = std::ldexp(1.0, -exponent);
  const std::int64_t first = bin_of(range.min, per_unit);
  std::vector<std::uint64_t> counts(
      static_cast<std::size_t>(bin_of(range.max, per_unit) - first + 1));
  const int doublings = exponent - exponent_;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const std::int64_t bin = (first_ + static_cast<std::int64_t>(i)) >> std::min(doublings, 62);
    counts[static_cast<std::size_t>(bin - first)] += counts_[i];
  }
  counts_ = std::move(counts);
  first_ = first;
  exponent_ = exponent;
}

ValueRange Histogram::observe(std::span<const float> values) {
  if (values.empty()) return {};
  const ValueRange seen = min_max(values);
  const ValueRange all = total_ == 0 ? seen : join(extremes_, seen);
  if (total_ == 0 || all != extremes_) {
    extremes_ = all;
    cover(join(all, {0, 0}));
  }
  total_ += values.size();
  // Zeros are most values behind Relu: counted in vectors and taken off their bin at the end.
  for (const float value : values) zeros_ += value == 0 ? 1 : 0;
  const double per_unit = std::ldexp(1.0, -exponent_);
  std::uint64_t* const counts = counts_.data();
  for (const float value : values) ++counts[bin_of(static_cast<double>(value), per_unit) - first_];
  return seen;
}

std::vector<Histogram::Point> Histogram::points() const {
  std::vector<Point> result;
  const double width = std::ldexp(1.0, exponent_);
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const std::int64_t bin = first_ + static_cast<std::int64_t>(i);
    const std::uint64_t count = counts_[i] - (bin == 0 ? zeros_ : 0);
    if (count == 0) continue;
    const double middle = (static_cast<double>(bin) + 0.5) * width;
    result.push_back(
        {std::clamp(middle, static_cast<double>(extremes_.min), static_cast<double>(extremes_.max)),
         count});
  }
  return result;
}

}  // namespace intact
