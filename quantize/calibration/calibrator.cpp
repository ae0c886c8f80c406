// Range estimation, by the extremes or from a histogram.
#include "quantize/calibration/calibrator.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "quantize/calibration/ranges.hpp"

namespace intact {
namespace {

/// Independent lanes let the compiler use vectors: activations of many megabytes pass through here.
constexpr std::size_t lanes = 16;

class MinMax final : public Calibrator {
 public:
  void observe(std::span<const float> values) override {
    if (values.empty()) return;
    range_ = empty_ ? min_max(values) : join(range_, min_max(values));
    empty_ = false;
  }
  Range range() const override { return range_; }

 private:
  Range range_;
  bool empty_ = true;
};

/// Share of the values inside the range of the method percentile.
constexpr double percentile = 0.9999;

Range inner_percentile(const Histogram& histogram) {
  return percentile_range(histogram, percentile);
}

class FromHistogram final : public Calibrator {
 public:
  explicit FromHistogram(Range (*choose)(const Histogram&)) : choose_(choose) {}
  void observe(std::span<const float> values) override { histogram_.observe(values); }
  Range range() const override { return choose_(histogram_); }

 private:
  Range (*choose_)(const Histogram&);
  Histogram histogram_;
};

}  // namespace

Range join(const Range& a, const Range& b) {
  return {std::min(a.min, b.min), std::max(a.max, b.max)};
}

std::unique_ptr<Calibrator> make_calibrator(CalibrationMethod method) {
  switch (method) {
    case CalibrationMethod::minmax:
      return std::make_unique<MinMax>();
    case CalibrationMethod::percentile:
      return std::make_unique<FromHistogram>(inner_percentile);
    case CalibrationMethod::entropy:
      return std::make_unique<FromHistogram>(least_divergence_range);
    case CalibrationMethod::mse:
      return std::make_unique<FromHistogram>(least_squares_range);
  }
  throw Error(
      "the calibration method is unknown; minmax, percentile, entropy and mse are available");
}

const char* calibration_name(CalibrationMethod method) {
  switch (method) {
    case CalibrationMethod::minmax:
      return "minmax";
    case CalibrationMethod::percentile:
      return "percentile";
    case CalibrationMethod::entropy:
      return "entropy";
    case CalibrationMethod::mse:
      return "mse";
  }
  return "unknown";
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

Range min_max(std::span<const float> values) {
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
  Range range{*std::min_element(low.begin(), low.end()),
              *std::max_element(high.begin(), high.end())};
  for (; i < values.size(); ++i) range = join(range, {values[i], values[i]});
  return range;
}

}  // namespace intact
