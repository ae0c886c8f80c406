// Order statistics and ranking; see stats.hpp.
#include "tools/stats.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace intact::tools {

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const double rank = share * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(rank);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (values[high] - values[low]) * (rank - static_cast<double>(low));
}

std::vector<std::int64_t> top_indices(const std::vector<double>& values, std::size_t count) {
  std::vector<std::int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  count = std::min(count, order.size());
  // NaN ranks last, so that the comparison stays an order.
  const auto score = [&](std::int64_t i) {
    const double value = values[static_cast<std::size_t>(i)];
    return std::isnan(value) ? -std::numeric_limits<double>::infinity() : value;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::int64_t a, std::int64_t b) {
                      return score(a) != score(b) ? score(a) > score(b) : a < b;
                    });
  order.resize(count);
  return order;
}

double decibels(double signal, double noise) {
  return noise > 0 ? 10 * std::log10(signal / noise) : std::numeric_limits<double>::infinity();
}

std::vector<double> probabilities(std::vector<double> scores) {
  const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
  const bool bounded =
      std::all_of(scores.begin(), scores.end(), [](double s) { return s >= 0 && s <= 1; });
  if (scores.empty() || (bounded && std::abs(sum - 1) < 0.02)) return scores;
  const double greatest = *std::max_element(scores.begin(), scores.end());
  double total = 0;
  for (double& score : scores) total += score = std::exp(score - greatest);
  for (double& score : scores) score /= total;
  return scores;
}

}  // namespace intact::tools
