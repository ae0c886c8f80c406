// Finite values only; tensors in parallel.
#include "quantize/calibration/collector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/thread_team.hpp"
#include "quantize/progress.hpp"

namespace intact {
namespace {

[[noreturn]] void refuse(float value, std::size_t index, const std::string& name, int sample) {
  throw Error(fmt::format(
      "tensor '{}' has the value {} at element {} in calibration sample {}; all numbers "
      "must be finite",
      name, std::isnan(value) ? "NaN" : "infinity", index, sample));
}

void check_finite(const Tensor& tensor, const std::string& name, int sample) {
  if (tensor.type() != ElementType::f32) return;
  const auto values = tensor.data<float>();
  const std::size_t index = first_not_finite(values);
  if (index < values.size()) refuse(values[index], index, name, sample);
}

}  // namespace

Collector::Collector(const Graph& graph, std::span<const ValueId> tensors, int threads)
    : model_(graph, tensors, threads), statistics_(tensors.size()) {
  for (const ValueId id : tensors) names_.push_back(graph.value(id).name);
  for (const ValueId id : graph.inputs) input_names_.push_back(graph.value(id).name);
}

void Collector::observe(std::span<const Tensor> sample) {
  const int number = samples_ + 1;
  for (std::size_t i = 0; i < std::min(sample.size(), input_names_.size()); ++i)
    check_finite(sample[i], input_names_[i], number);
  const std::vector<Tensor> tensors = model_.run(sample);
  // Each thread takes the next tensor; which one has no influence on what is kept.
  std::vector<std::size_t> not_finite(tensors.size());
  std::atomic<std::size_t> next{0};
  run_parallel(threads(), [&](Part, Barrier&) {
    for (std::size_t i = next++; i < tensors.size(); i = next++) {
      const auto values = tensors[i].data<float>();
      not_finite[i] = first_not_finite(values);
      if (not_finite[i] == values.size()) statistics_[i].observe(values);
    }
  });
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto values = tensors[i].data<float>();
    if (not_finite[i] < values.size())
      refuse(values[not_finite[i]], not_finite[i], names_[i], number);
  }
  samples_ = number;
}

Collector collect(const Graph& graph, std::span<const ValueId> tensors, const CalibrationData& data,
                  const QuantizeOptions& options) {
  Collector collector(graph, tensors, options.threads);
  const CalibrationSource source = data ? data() : [] { return std::nullopt; };
  Phase phase(options.progress, "ranges of activations", 0);
  while (const auto sample = source()) {
    collector.observe(*sample);
    phase.step();
  }
  return collector;
}

}  // namespace intact
