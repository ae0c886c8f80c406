// Methods and exceptions.
#include "quantize/grids/choose.hpp"

#include <algorithm>
#include <atomic>

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

}  // namespace intact
