// Places of tensors among inputs and outputs.
#include "quantize/calibration/observed_model.hpp"

#include <algorithm>

#include "engine/session_of.hpp"
#include "graph/onnx/onnx.hpp"

namespace intact {
namespace {

std::size_t position(const std::vector<ValueId>& list, ValueId id) {
  return static_cast<std::size_t>(std::find(list.begin(), list.end(), id) - list.begin());
}

}  // namespace

ObservedModel::ObservedModel(const Graph& graph, std::span<const ValueId> tensors, int threads) {
  Graph observed = graph;
  observed.outputs.clear();
  for (const ValueId id : tensors) {
    Place place{true, position(graph.inputs, id)};
    if (place.index == graph.inputs.size()) {
      place = {false, position(observed.outputs, id)};
      if (place.index == observed.outputs.size()) observed.outputs.push_back(id);
    }
    places_.push_back(place);
  }
  if (observed.outputs.empty()) observed.outputs = graph.outputs;
  SessionOptions options;
  options.threads = threads;
  session_ = std::make_unique<Session>(session_of(reread(observed), options));
}

std::vector<Tensor> ObservedModel::run(std::span<const Tensor> sample) const {
  const std::vector<Tensor> results = session_->run(sample);
  std::vector<Tensor> tensors;
  for (const Place& place : places_)
    tensors.push_back(place.is_input ? sample[place.index] : results[place.index]);
  return tensors;
}

}  // namespace intact
