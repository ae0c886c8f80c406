// Ranges of channels, and factors from them.
#include "quantize/equalization/equalize.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "quantize/calibration/observed_model.hpp"
#include "quantize/equalization/channels.hpp"
#include "quantize/equalization/streams.hpp"

namespace intact {
namespace {

/// Channels that hold next to nothing are not blown up beyond this.
constexpr double smallest_factor = 1.0 / 64;
/// Weights below this share of the largest do not matter.
constexpr double smallest_weight = 1e-6;

/// body(group, output, row, element)
template <class Body>
void for_each_weight(const WeightLayout& layout, const Body& body) {
  for (std::size_t group = 0; group < layout.groups; ++group)
    for (std::size_t output = 0; output < layout.outputs; ++output)
      for (std::size_t row = 0; row < layout.depth; ++row)
        body(group, output, row, layout.element(group, row, output));
}

/// Of all streams.
using ChannelsByTensor = std::map<ValueId, TensorChannels>;

class Equalizer {
 public:
  Equalizer(Graph& graph, const Stream& stream, const ChannelsByTensor& statistics)
      : graph_(graph), stream_(stream), statistics_(statistics) {}

  /// False when it is not worth it.
  bool run() {
    const std::vector<double> factors = choose();
    if (factors.empty()) return false;
    for (const int writer : stream_.writers) scale_rows(node(writer), factors);
    for (const int reader : stream_.readers) scale_columns(node(reader), factors);
    return true;
  }

 private:
  Node& node(int index) const { return graph_.nodes[static_cast<std::size_t>(index)]; }
  std::size_t channels() const { return static_cast<std::size_t>(stream_.channels); }
  const Tensor& weights(const Node& node) const { return graph_.value(node.inputs[1]).constant; }

  /// What it reads.
  const TensorChannels& read(const Node& reader) const { return statistics_.at(reader.inputs[0]); }
  std::vector<double> choose() const;
  std::vector<double> largest_values() const;
  std::vector<double> largest_weights() const;
  std::vector<double> least_factors() const;
  double error(std::span<const double> factors) const;
  double error(const Node& reader, std::span<const double> factors) const;
  void scale_rows(Node& node, std::span<const double> factors);
  void scale_columns(Node& node, std::span<const double> factors);

  Graph& graph_;
  const Stream& stream_;
  const ChannelsByTensor& statistics_;
};

/// Of all tensors, those in front of a Relu too: channels that hardly pass it in the samples are
/// not blown up to where other samples are cut off.
std::vector<double> Equalizer::largest_values() const {
  std::vector<double> largest(channels());
  for (const ValueId tensor : stream_.tensors)
    for (std::size_t c = 0; c < channels(); ++c)
      largest[c] = std::max(largest[c], statistics_.at(tensor).channels[c].largest());
  return largest;
}

/// Of those that read the channel, as a share of their tensor's largest.
std::vector<double> Equalizer::largest_weights() const {
  std::vector<double> largest(channels(), smallest_weight);
  for (const int reader : stream_.readers) {
    const Tensor& tensor = weights(node(reader));
    const WeightLayout layout = weight_layout(node(reader), tensor.shape());
    const auto values = tensor.data<float>();
    const auto magnitude = [&](std::size_t at) {
      return static_cast<double>(std::abs(values[at]));
    };
    double most = 0;
    for (std::size_t at = 0; at < values.size(); ++at) most = std::max(most, magnitude(at));
    for_each_weight(layout, [&](std::size_t group, std::size_t, std::size_t row, std::size_t at) {
      double& known = largest[input_channel(layout, channels(), group, row)];
      known = std::max(known, magnitude(at) / most);
    });
  }
  return largest;
}

/// With factors that are not smaller, and not above one, no Clip cuts off other samples than
/// before.
std::vector<double> Equalizer::least_factors() const {
  std::vector<double> least(channels(), smallest_factor);
  for (const Ceiling& ceiling : stream_.ceilings)
    for (std::size_t c = 0; c < channels(); ++c)
      least[c] =
          std::max(least[c], statistics_.at(ceiling.tensor).channels[c].high / ceiling.bound);
  return least;
}

/// Expected squared error of one product's results against their mean square, of roundings that are
/// even over a step.
double Equalizer::error(const Node& reader, std::span<const double> factors) const {
  const TensorChannels& read = this->read(reader);
  const Tensor& tensor = weights(reader);
  const WeightLayout layout = weight_layout(reader, tensor.shape());
  const auto values = tensor.data<float>();
  double low = 0, high = 0;
  for (std::size_t c = 0; c < channels(); ++c) {
    low = std::min(low, read.channels[c].low / factors[c]);
    high = std::max(high, read.channels[c].high / factors[c]);
  }
  const double step = (high - low) / 255;
  double sum = 0;
  for (std::size_t group = 0; group < layout.groups; ++group) {
    for (std::size_t output = 0; output < layout.outputs; ++output) {
      double largest = 0, squares = 0, power = 0, signal = 0;
      for (std::size_t row = 0; row < layout.depth; ++row) {
        const std::size_t c = input_channel(layout, channels(), group, row);
        const auto weight = static_cast<double>(values[layout.element(group, row, output)]);
        const double mean_square = read.channels[c].power / read.count;
        largest = std::max(largest, std::abs(weight * factors[c]));
        squares += weight * factors[c] * (weight * factors[c]);
        power += mean_square / (factors[c] * factors[c]);
        signal += weight * weight * mean_square;
      }
      const double of_weights = largest / 127 * (largest / 127) * power;
      if (signal > 0) sum += (step * step * squares + of_weights) / signal;
    }
  }
  return sum / static_cast<double>(layout.groups * layout.outputs);
}

double Equalizer::error(std::span<const double> factors) const {
  double sum = 0;
  for (const int reader : stream_.readers) sum += error(node(reader), factors);
  return sum;
}

/// s per channel, at most 1; empty when none is worth it. The ranges of tensor and weights share
/// what there is to even out, for a channel that is large in the one makes small what is left of
/// the other's grid.
std::vector<double> Equalizer::choose() const {
  const std::vector<double> values = largest_values(), weights = largest_weights(),
                            least = least_factors();
  std::vector<double> factors(channels());
  for (std::size_t c = 0; c < channels(); ++c) factors[c] = std::sqrt(values[c] / weights[c]);
  const double greatest = *std::max_element(factors.begin(), factors.end());
  for (std::size_t c = 0; c < channels(); ++c)
    factors[c] = std::min(std::max(factors[c] / greatest, least[c]), 1.0);
  // False with infinities and NaN as well: calibration names the tensor.
  if (!(error(factors) < error(std::vector<double>(channels(), 1.0)))) factors.clear();
  return factors;
}

void Equalizer::scale_rows(Node& node, std::span<const double> factors) {
  Value& value = graph_.value(node.inputs[1]);
  Tensor scaled = value.constant.clone();
  const WeightLayout layout = weight_layout(node, scaled.shape());
  const auto weights = scaled.data<float>();
  for_each_weight(layout, [&](std::size_t group, std::size_t output, std::size_t, std::size_t at) {
    weights[at] = static_cast<float>(static_cast<double>(weights[at]) /
                                     factors[layout.channel(group, output)]);
  });
  value.constant = std::move(scaled);
  if (!node.has_input(2)) return;
  Tensor bias = graph_.value(node.inputs[2]).constant.clone();
  for (std::size_t c = 0; c < channels(); ++c)
    bias.data<float>()[c] =
        static_cast<float>(static_cast<double>(bias.data<float>()[c]) / factors[c]);
  graph_.value(node.inputs[2]).constant = std::move(bias);
}

void Equalizer::scale_columns(Node& node, std::span<const double> factors) {
  Value& value = graph_.value(node.inputs[1]);
  Tensor scaled = value.constant.clone();
  const WeightLayout layout = weight_layout(node, scaled.shape());
  const auto weights = scaled.data<float>();
  for_each_weight(layout, [&](std::size_t group, std::size_t, std::size_t row, std::size_t at) {
    weights[at] = static_cast<float>(static_cast<double>(weights[at]) *
                                     factors[input_channel(layout, channels(), group, row)]);
  });
  value.constant = std::move(scaled);
}

ChannelsByTensor observe(const Graph& graph, std::span<const Stream> streams,
                         const CalibrationData& data, int threads) {
  ChannelsByTensor statistics;
  for (const Stream& stream : streams) {
    for (const ValueId tensor : stream.tensors)
      statistics[tensor].channels.resize(static_cast<std::size_t>(stream.channels));
  }
  std::vector<ValueId> tensors;
  for (const auto& [tensor, channels] : statistics) tensors.push_back(tensor);
  const ObservedModel model(graph, tensors, threads);
  const CalibrationSource source = data();
  while (const auto sample = source()) {
    const std::vector<Tensor> values = model.run(*sample);
    std::size_t next = 0;
    for (auto& [tensor, channels] : statistics) channels.observe(values[next++], 1);
  }
  return statistics;
}

}  // namespace

int equalize(Graph& graph, const CalibrationData& data, int threads) {
  const std::vector<Stream> streams = find_streams(graph);
  if (streams.empty()) return 0;
  const ChannelsByTensor statistics = observe(graph, streams, data, threads);
  int count = 0;
  for (const Stream& stream : streams) {
    if (!Equalizer(graph, stream, statistics).run()) continue;
    ++count;
    for (const ValueId tensor : stream.tensors) note_scaled_channels(graph, tensor, 1);
  }
  return count;
}

void note_scaled_channels(Graph& graph, ValueId tensor, int axis) {
  graph.metadata["intact.scaled_channels"] +=
      std::to_string(axis) + " " + graph.value(tensor).name + "\n";
}

}  // namespace intact
