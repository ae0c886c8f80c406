// Sums over samples; see layers.hpp.
#include "tools/layers.hpp"

#include <algorithm>
#include <sstream>

#include "tools/stats.hpp"

namespace intact::tools {
namespace {

/// Axis of the channels by tensor name, from the end where negative: lines of axis, space, name.
std::map<std::string, int> scaled_channels(const ModelInfo& info) {
  std::map<std::string, int> axes;
  for (const auto& [key, text] : info.metadata) {
    if (key != "intact.scaled_channels") continue;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      int axis = 0;
      std::string name;
      if (words >> axis && words.get() == ' ' && std::getline(words, name)) axes[name] = axis;
    }
  }
  return axes;
}

std::map<std::string, std::size_t> places(const std::vector<TensorInfo>& outputs) {
  std::map<std::string, std::size_t> result;
  for (std::size_t i = 0; i < outputs.size(); ++i) result[outputs[i].name] = i;
  return result;
}

}  // namespace

LayerComparison::LayerComparison(const std::filesystem::path& float_model,
                                 const std::filesystem::path& int8_model,
                                 const SessionOptions& options) {
  SessionOptions observing = options;
  observing.reference = true;  // only names are wanted
  const Session whole = Session::load(float_model, observing);
  const Session twin = Session::load(int8_model, observing);
  std::map<std::string, int> axes = scaled_channels(twin.info());
  std::map<std::string, InnerTensor> in_twin;
  for (const InnerTensor& tensor : twin.info().tensors) in_twin[tensor.name] = tensor;
  observing = options;
  for (const InnerTensor& tensor : whole.info().tensors)
    if (in_twin.contains(tensor.name)) observing.observe.push_back(tensor.name);
  sessions_.push_back(Session::load(float_model, observing));
  sessions_.push_back(Session::load(int8_model, observing));
  const auto in_float = places(sessions_[0].outputs()), in_int8 = places(sessions_[1].outputs());
  for (const InnerTensor& tensor : whole.info().tensors) {
    if (!in_twin.contains(tensor.name)) continue;
    const auto axis = axes.find(tensor.name);
    layers_.push_back({tensor, in_float.at(tensor.name), in_int8.at(tensor.name),
                       axis == axes.end() ? std::nullopt : std::optional<int>(axis->second)});
  }
}

void LayerComparison::add(Layer& layer, const Tensor& expected, const Tensor& given) const {
  const int rank = expected.rank(), given_axis = layer.axis.value_or(rank);
  const auto axis = static_cast<std::size_t>(given_axis < 0 ? given_axis + rank : given_axis);
  const bool scaled = axis < expected.shape().size();
  std::size_t channels = 1, inner = 1;
  if (scaled) {
    channels = static_cast<std::size_t>(expected.shape()[axis]);
    for (std::size_t i = axis + 1; i < expected.shape().size(); ++i)
      inner *= static_cast<std::size_t>(expected.shape()[i]);
  }
  layer.channels.resize(channels);
  const auto a = expected.data<float>(), b = given.data<float>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    Sums& sums = layer.channels[i / inner % channels];
    const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    sums.floats += x * x;
    sums.products += x * y;
    sums.int8s += y * y;
    layer.noise += (x - y) * (x - y);
  }
}

void LayerComparison::add(std::span<const Tensor> inputs) {
  const std::vector<Datum> data(inputs.begin(), inputs.end());
  const std::vector<Datum> expected = sessions_[0].run_data(data);
  const std::vector<Datum> given = sessions_[1].run_data(data);
  for (Layer& layer : layers_) {
    const auto* a = std::get_if<Tensor>(&expected[layer.in_float]);
    const auto* b = std::get_if<Tensor>(&given[layer.in_int8]);
    const bool comparable = a && b && a->defined() && b->defined() &&
                            a->type() == ElementType::f32 && b->type() == ElementType::f32 &&
                            a->shape() == b->shape();
    if (comparable) add(layer, *a, *b);
  }
}

std::vector<TensorNoise> LayerComparison::result() const {
  std::vector<TensorNoise> result;
  for (const Layer& layer : layers_) {
    double signal = 0, about_factors = 0;
    for (const Sums& sums : layer.channels) {
      signal += sums.floats;
      // The least of sum (float - f int8)^2 over f.
      about_factors +=
          sums.floats - (sums.int8s > 0 ? sums.products * sums.products / sums.int8s : 0);
    }
    if (signal == 0) continue;
    const bool scaled = layer.axis.has_value();
    result.push_back({layer.tensor.name, layer.tensor.node, layer.tensor.op,
                      decibels(signal, scaled ? about_factors : layer.noise), scaled});
  }
  return result;
}

const TensorNoise* first_large_error(std::span<const TensorNoise> layers) {
  const auto found = std::find_if(layers.begin(), layers.end(), [](const TensorNoise& layer) {
    return layer.sqnr_db < large_error_db;
  });
  return found == layers.end() ? nullptr : &*found;
}

}  // namespace intact::tools
