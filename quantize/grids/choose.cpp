// Methods and exceptions.
#include "quantize/grids/choose.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/thread_team.hpp"
#include "quantize/calibration/ranges.hpp"

namespace intact {

std::vector<ValueRange> choose_ranges(const Graph& graph, std::span<const ValueId> tensors,
                                      std::span<const TensorStatistics> statistics,
                                      CalibrationMethod method, int threads) {
  std::vector<ValueRange> ranges(tensors.size());
  std::atomic<std::size_t> next{0};
  run_parallel(threads, [&](Part, Barrier&) {
    for (std::size_t i = next++; i < tensors.size(); i = next++) {
      // Images fill their range, and the largest output is the answer: nothing is an outlier there.
      const bool at_border =
          std::find(graph.inputs.begin(), graph.inputs.end(), tensors[i]) != graph.inputs.end() ||
          graph.is_output(tensors[i]);
      ranges[i] = choose_range(at_border ? CalibrationMethod::minmax : method, statistics[i]);
    }
  });
  return ranges;
}

std::vector<ValueRange> given_ranges(const Graph& graph, const GridPlan& plan,
                                     const std::map<std::string, ValueRange>& ranges) {
  std::map<std::string, ValueId> named;
  for (std::size_t i = 0; i < graph.values.size(); ++i)
    named[graph.values[i].name] = static_cast<ValueId>(i);
  std::map<std::size_t, ValueRange> of_group;
  for (const auto& [name, range] : ranges) {
    const auto found = named.find(name);
    if (found == named.end())
      throw Error(fmt::format("a range is given for '{}', but the model has no such tensor", name));
    if (!std::isfinite(range.min) || !std::isfinite(range.max) || range.min > range.max)
      throw Error(
          fmt::format("the range given for '{}' is {} to {}; it has to go from a finite "
                      "number to one that is not smaller",
                      name, range.min, range.max));
    if (!plan.on_grid(found->second)) continue;
    const auto [known, is_new] = of_group.try_emplace(plan.group(found->second), range);
    if (!is_new) known->second = join(known->second, range);
  }
  std::vector<ValueRange> result;
  for (const ValueId id : plan.measured()) {
    const auto found = of_group.find(plan.group(id));
    if (found == of_group.end())
      throw Error(fmt::format("no range is given for tensor '{}' nor for any that shares its grid",
                              graph.value(id).name));
    result.push_back(found->second);
  }
  return result;
}

}  // namespace intact
