// Search over bounds, one side after the other.
#include "quantize/calibration/ranges.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "quantize/grids/grids.hpp"

namespace intact {
namespace {

/// Candidates are largest * 2^(-k / per_octave).
constexpr int per_octave = 32;
constexpr int most_rounds = 4;

/// Share of the values inside the range of the method percentile.
constexpr double percentile = 0.9999;

/// Errors of clipping have one sign and add up in the products that follow, where those of rounding
/// cancel.
constexpr float clipping_weight = 4;

/// The histogram's points as the error's inner loop wants them.
class Distribution {
 public:
  explicit Distribution(const Histogram& histogram) {
    for (const Histogram::Point& point : histogram.points()) {
      values_.push_back(static_cast<float>(point.value));
      shares_.push_back(static_cast<float>(static_cast<double>(point.count) /
                                           static_cast<double>(histogram.total())));
    }
  }

  /// Mean squared difference between the values and the grid over the range, that of clipped values
  /// counted clipping_weight times.
  double error(const ValueRange& range) const {
    const Grid grid = activation_grid(range);
    const float scale = grid.scale[0], per_step = 1 / scale;
    const auto lowest = static_cast<float>(-grid.zero_point[0]);
    const float highest = lowest + 255;
    // Adding and subtracting this rounds to a whole number, and does so in vectors.
    constexpr float whole = 12582912.0f;
    constexpr std::size_t lanes = 16;
    std::array<float, lanes> sums{};
    const auto squared = [&](std::size_t i) {
      const float steps = values_[i] * per_step;
      const float inside = std::min(std::max(steps, lowest), highest);
      const float distance = steps - ((inside + whole) - whole);
      const float weight = inside == steps ? 1.0f : clipping_weight;
      return shares_[i] * weight * distance * distance;
    };
    std::size_t i = 0;
    for (; i + lanes <= values_.size(); i += lanes)
      for (std::size_t k = 0; k < lanes; ++k) sums[k] += squared(i + k);
    for (; i < values_.size(); ++i) sums[0] += squared(i);
    const auto sum = static_cast<double>(std::accumulate(sums.begin(), sums.end(), 0.0f));
    return sum * static_cast<double>(scale) * static_cast<double>(scale);
  }

 private:
  std::vector<float> values_, shares_;
};

/// The histogram's points, for errors behind a function.
class Images {
 public:
  Images(const Histogram& histogram, const ElementFunction& function) : function_(function) {
    for (const Histogram::Point& point : histogram.points()) {
      values_.push_back(static_cast<float>(point.value));
      counts_.push_back(static_cast<double>(point.count));
    }
    images_ = values_;
    function_(images_);
  }

  /// Sum of squared differences between the images of values and of the grid over the range.
  double error(const ValueRange& range) const {
    const Grid grid = activation_grid(range);
    const float scale = grid.scale[0];
    const auto zero = static_cast<float>(grid.zero_point[0]);
    std::array<float, 256> table{};
    for (std::size_t q = 0; q < table.size(); ++q)
      table[q] = scale * (static_cast<float>(q) - zero);
    function_(table);
    double sum = 0;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const float steps = values_[i] / scale + zero;
      const float inside = std::clamp(steps, 0.0f, 255.0f);
      const auto distance =
          static_cast<double>(images_[i] - table[static_cast<std::size_t>(std::nearbyint(inside))]);
      const double weight = inside == steps ? 1 : static_cast<double>(clipping_weight);
      sum += counts_[i] * weight * distance * distance;
    }
    return sum;
  }

 private:
  const ElementFunction& function_;
  std::vector<float> values_, images_;
  std::vector<double> counts_;
};

/// Divergence of what a grid makes of a histogram from the histogram.
class Divergence {
 public:
  explicit Divergence(const Histogram& histogram) : points_(histogram.points()) {}

  double operator()(const ValueRange& range) const {
    const auto below = [](const Histogram::Point& point, double value) {
      return point.value < value;
    };
    const auto first =
        std::lower_bound(points_.begin(), points_.end(), static_cast<double>(range.min), below);
    auto last = first;
    while (last != points_.end() && last->value <= static_cast<double>(range.max)) ++last;
    if (first == last) return std::numeric_limits<double>::infinity();
    // Clipping adds what lies outside to the outermost points; the steps do not know of it.
    const double low = sum(points_.begin(), first), high = sum(last, points_.end());
    const double inside = sum(first, last), total = low + inside + high;
    const double per_step = 1 / static_cast<double>(activation_grid(range).scale[0]);
    double divergence = 0;
    for (auto begin = first; begin != last;) {
      const double step = std::nearbyint(begin->value * per_step);
      auto end = begin;
      while (end != last && std::nearbyint(end->value * per_step) == step) ++end;
      const double share = sum(begin, end) / static_cast<double>(end - begin) / inside;
      for (; begin != end; ++begin) {
        const double clipped = static_cast<double>(begin->count) + (begin == first ? low : 0) +
                               (begin + 1 == last ? high : 0);
        divergence += clipped / total * std::log(clipped / total / share);
      }
    }
    return divergence;
  }

 private:
  using Iterator = std::vector<Histogram::Point>::const_iterator;
  static double sum(Iterator begin, Iterator end) {
    return std::accumulate(begin, end, 0.0, [](double sum, const Histogram::Point& point) {
      return sum + static_cast<double>(point.count);
    });
  }

  std::vector<Histogram::Point> points_;
};

/// Moves one bound of `range` to where the cost is least. Ties go to the wider range.
template <class Cost>
void search(const Cost& cost, int octaves, float ValueRange::*bound, float largest,
            ValueRange& range) {
  double least = std::numeric_limits<double>::infinity();
  float best = largest;
  for (int k = 0; k <= per_octave * octaves; ++k) {
    range.*bound = largest * static_cast<float>(std::exp2(-static_cast<double>(k) / per_octave));
    const double error = cost(range);
    if (error >= least) continue;
    least = error;
    best = range.*bound;
  }
  range.*bound = best;
}

/// The range of least cost, one bound after the other.
template <class Cost>
ValueRange cheapest_range(const Histogram& histogram, const Cost& cost, int octaves) {
  const ValueRange widest = join(histogram.extremes(), {0, 0});
  ValueRange range = widest;
  for (int round = 0; round < most_rounds; ++round) {
    const ValueRange before = range;
    if (widest.max != 0) search(cost, octaves, &ValueRange::max, widest.max, range);
    if (widest.min != 0) search(cost, octaves, &ValueRange::min, widest.min, range);
    if (range == before || widest.min == 0 || widest.max == 0) break;
  }
  return range;
}

}  // namespace

ValueRange least_squares_range(const Histogram& histogram) {
  const Distribution distribution(histogram);
  return cheapest_range(
      histogram, [&](const ValueRange& range) { return distribution.error(range); }, 6);
}

ValueRange least_squares_range(const Histogram& histogram, const ElementFunction& function) {
  const Images images(histogram, function);
  return cheapest_range(
      histogram, [&](const ValueRange& range) { return images.error(range); }, 6);
}

ValueRange least_divergence_range(const Histogram& histogram) {
  // In less than a quarter of the range there may be fewer points than steps: no rounding to see.
  return cheapest_range(histogram, Divergence(histogram), 2);
}

ValueRange percentile_range(const Histogram& histogram, double share) {
  const ValueRange widest = join(histogram.extremes(), {0, 0});
  const double outside = static_cast<double>(histogram.total()) * (1 - share) / 2;
  const std::vector<Histogram::Point> points = histogram.points();
  const auto bound = [&](auto begin, auto end, double sign, float widest_bound) {
    double seen = 0;
    for (; begin != end && begin->value * sign > 0; ++begin) {
      seen += static_cast<double>(begin->count);
      if (seen > outside) return static_cast<float>(begin->value);
    }
    return seen > 0 ? 0.0f : widest_bound;
  };
  const ValueRange inner = {bound(points.begin(), points.end(), -1, widest.min),
                            bound(points.rbegin(), points.rend(), 1, widest.max)};
  return inner.min == inner.max ? widest : inner;
}

ValueRange choose_range(CalibrationMethod method, const TensorStatistics& statistics) {
  const Histogram& histogram = statistics.histogram();
  switch (method) {
    case CalibrationMethod::minmax:
      return histogram.extremes();
    case CalibrationMethod::average:
      return statistics.average();
    case CalibrationMethod::percentile:
      return percentile_range(histogram, percentile);
    case CalibrationMethod::entropy:
      return least_divergence_range(histogram);
    case CalibrationMethod::automatic:  // chooses between whole models
    case CalibrationMethod::mse:
      return least_squares_range(histogram);
  }
  throw Error(
      "the calibration method is unknown; automatic, minmax, average, percentile, entropy and mse "
      "are "
      "available");
}

const char* calibration_name(CalibrationMethod method) {
  switch (method) {
    case CalibrationMethod::automatic:
      return "auto";
    case CalibrationMethod::minmax:
      return "minmax";
    case CalibrationMethod::average:
      return "average";
    case CalibrationMethod::percentile:
      return "percentile";
    case CalibrationMethod::entropy:
      return "entropy";
    case CalibrationMethod::mse:
      return "mse";
  }
  return "unknown";
}

}  // namespace intact
