// Observed tensors become outputs of a copy of the model, which the engine runs like any other.
#include "quantize/calibration/collector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/thread_team.hpp"
#include "graph/onnx/onnx.hpp"

namespace intact {
namespace {

std::size_t position(const std::vector<ValueId>& list, ValueId id) {
  return static_cast<std::size_t>(std::find(list.begin(), list.end(), id) - list.begin());
}

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
    : statistics_(tensors.size()) {
  Graph observing = graph;
  for (const ValueId id : graph.inputs) input_names_.push_back(graph.value(id).name);
  for (const ValueId id : tensors) {
    Observed observed{graph.value(id).name, false, position(graph.inputs, id)};
    observed.is_input = observed.index < graph.inputs.size();
    if (!observed.is_input) {
      observed.index = position(observing.outputs, id);
      if (observed.index == observing.outputs.size()) observing.outputs.push_back(id);
    }
    observed_.push_back(std::move(observed));
  }
  SessionOptions options;
  options.threads = threads;
  session_ = std::make_unique<Session>(Session::parse(serialize_onnx(observing), options));
}

void Collector::observe(std::span<const Tensor> sample) {
  const int number = samples_ + 1;
  for (std::size_t i = 0; i < std::min(sample.size(), input_names_.size()); ++i)
    check_finite(sample[i], input_names_[i], number);
  const std::vector<Tensor> results = session_->run(sample);
  const auto values_of = [&](const Observed& observed) {
    return (observed.is_input ? sample : std::span(results))[observed.index].data<float>();
  };
  // Each thread takes the next tensor; which one has no influence on what is kept.
  std::vector<std::size_t> not_finite(observed_.size());
  std::atomic<std::size_t> next{0};
  run_parallel(session_->threads(), [&](Part, Barrier&) {
    for (std::size_t i = next++; i < observed_.size(); i = next++) {
      const auto values = values_of(observed_[i]);
      not_finite[i] = first_not_finite(values);
      if (not_finite[i] == values.size()) statistics_[i].observe(values);
    }
  });
  for (std::size_t i = 0; i < observed_.size(); ++i) {
    const auto values = values_of(observed_[i]);
    if (not_finite[i] < values.size())
      refuse(values[not_finite[i]], not_finite[i], observed_[i].name, number);
  }
  samples_ = number;
}

}  // namespace intact
