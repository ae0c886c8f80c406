// One class of tensors after the other: few decisions, each on all outputs of many samples, so that
// they hold for other samples too.
#include "quantize/search/ranges.hpp"

#include <array>

#include "quantize/grids/choose.hpp"
#include "quantize/progress.hpp"

namespace intact {
namespace {

/// The first is where the search begins.
constexpr std::array methods = {CalibrationMethod::mse, CalibrationMethod::percentile,
                                CalibrationMethod::minmax};
/// What another method has to gain.
constexpr double least_gain_db = 0.25;
constexpr std::size_t parts = 3;

bool has_two_signs(const TensorStatistics& statistics) {
  const ValueRange& extremes = statistics.histogram().extremes();
  return extremes.min < 0 && extremes.max > 0;
}

}  // namespace

std::vector<ValueRange> ranges_by_trial(const Graph& graph, const Selection& selection,
                                        const GridPlan& plan,
                                        std::span<const TensorStatistics> statistics,
                                        std::span<const std::optional<AdaptedWeights>> weights,
                                        const Trial& trial, int threads,
                                        const QuantizeProgress& progress) {
  std::array<std::vector<ValueRange>, methods.size()> by_method;
  for (std::size_t m = 0; m < methods.size(); ++m)
    by_method[m] = choose_ranges(graph, plan.measured(), statistics, methods[m], threads);
  const auto sqnr = [&](std::span<const ValueRange> ranges) {
    GridPlan tried = plan;
    tried.set_ranges(graph, ranges);
    return trial.run(quantized_graph(graph, selection, tried, weights)).sqnr_db;
  };
  Phase phase(progress, "choice of ranges", static_cast<int>(2 * parts * (methods.size() - 1)));
  std::vector<ValueRange> best = by_method[0];
  double most = sqnr(best);
  for (const bool two_signs : {true, false}) {
    for (std::size_t part = 0; part < parts; ++part) {
      const std::vector<ValueRange> before = best;
      for (std::size_t m = 1; m < methods.size(); ++m) {
        phase.step();
        std::vector<ValueRange> other = before;
        for (std::size_t i = 0; i < other.size(); ++i)
          if (has_two_signs(statistics[i]) == two_signs && i * parts / other.size() == part)
            other[i] = by_method[m][i];
        if (other == before) continue;
        const double found = sqnr(other);
        if (found < most + least_gain_db) continue;
        most = found;
        best = std::move(other);
      }
    }
  }
  return best;
}

}  // namespace intact
