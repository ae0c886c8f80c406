// Observed tensors become outputs of a copy of the model, which the engine runs like any other.
#include "quantize/calibration/collector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "graph/onnx/onnx.hpp"

namespace intact {
namespace {

std::size_t position(const std::vector<ValueId>& list, ValueId id) {
  return static_cast<std::size_t>(std::find(list.begin(), list.end(), id) - list.begin());
}

void check_finite(const Tensor& tensor, const std::string& name, int sample) {
  if (tensor.type() != ElementType::f32) return;
  const auto values = tensor.data<float>();
  const std::size_t index = first_not_finite(values);
  if (index == values.size()) return;
  throw Error(fmt::format(
      "tensor '{}' has the value {} at element {} in calibration sample {}; all numbers "
      "must be finite",
      name, std::isnan(values[index]) ? "NaN" : "infinity", index, sample));
}

}  // namespace

Collector::Collector(const Graph& graph, std::vector<ValueId> tensors, CalibrationMethod method,
                     int threads) {
  Graph observing = graph;
  for (const ValueId id : graph.inputs) input_names_.push_back(graph.value(id).name);
  for (const ValueId id : tensors) {
    // Images fill their range, and the largest output is the answer: nothing there is an outlier.
    const bool at_border = position(graph.inputs, id) < graph.inputs.size() || graph.is_output(id);
    Observed observed{graph.value(id).name, false, position(graph.inputs, id),
                      make_calibrator(at_border ? CalibrationMethod::minmax : method)};
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
  for (const Observed& observed : observed_) {
    const Tensor& values = observed.is_input ? sample[observed.index] : results[observed.index];
    check_finite(values, observed.name, number);
    observed.calibrator->observe(values.data<float>());
  }
  samples_ = number;
}

std::vector<Range> Collector::ranges() const {
  std::vector<Range> result;
  for (const Observed& observed : observed_) result.push_back(observed.calibrator->range());
  return result;
}

}  // namespace intact
