// Ranges of channels, and factors from them.
#include "quantize/equalization/equalize.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "quantize/calibration/observed_model.hpp"
#include "quantize/equalization/streams.hpp"
#include "quantize/weights/layout.hpp"

namespace intact {
namespace {

/// Channels that hold next to nothing are not blown up beyond this.
constexpr double smallest_factor = 1.0 / 64;
/// Weights below this share of the largest do not matter.
constexpr double smallest_weight = 1e-6;

/// Takes the largest magnitude of each channel into `largest`.
void observe(const Tensor& tensor, std::vector<double>& largest) {
  const auto values = tensor.data<float>();
  const std::size_t channels = largest.size();
  const auto batch = static_cast<std::size_t>(tensor.shape()[0]);
  const std::size_t size = values.size() / (batch * channels);
  for (std::size_t plane = 0; plane < batch * channels; ++plane) {
    float most = 0;
    for (const float value : values.subspan(plane * size, size))
      most = std::max(most, std::abs(value));
    double& known = largest[plane % channels];
    known = std::max(known, static_cast<double>(most));
  }
}

/// Input channel of row `row` of group `group`.
std::size_t input_channel(const WeightLayout& layout, std::size_t channels, std::size_t group,
                          std::size_t row) {
  const std::size_t inputs = channels / layout.groups;
  return group * inputs + row / (layout.depth / inputs);
}

template <class Body>
void for_each_weight(const Node& node, const Shape& shape, const Body& body) {
  const WeightLayout layout = weight_layout(node, shape);
  for (std::size_t group = 0; group < layout.groups; ++group)
    for (std::size_t output = 0; output < layout.outputs; ++output)
      for (std::size_t row = 0; row < layout.depth; ++row)
        body(layout, group, row, output, layout.element(group, row, output));
}

class Equalizer {
 public:
  Equalizer(Graph& graph, const Stream& stream, std::span<const double> largest)
      : graph_(graph), stream_(stream), largest_(largest) {}

  void run() {
    const std::vector<double> factors = choose();
    for (const int writer : stream_.writers) scale_rows(node(writer), factors);
    for (const int reader : stream_.readers) scale_columns(node(reader), factors);
  }

 private:
  Node& node(int index) { return graph_.nodes[static_cast<std::size_t>(index)]; }
  std::size_t channels() const { return largest_.size(); }

  /// s per channel: the ranges of tensor and weights share what there is to even out, for a channel
  /// that is large in the one makes small what is left of the other's grid.
  std::vector<double> choose() {
    std::vector<double> weights(channels());
    for (const int reader : stream_.readers) {
      const Tensor& tensor = graph_.value(node(reader).inputs[1]).constant;
      const auto values = tensor.data<float>();
      double most = 0;
      for (const float value : values) most = std::max(most, static_cast<double>(std::abs(value)));
      for_each_weight(node(reader), tensor.shape(),
                      [&](const WeightLayout& layout, std::size_t group, std::size_t row,
                          std::size_t, std::size_t at) {
                        double& known = weights[input_channel(layout, channels(), group, row)];
                        known = std::max(known, static_cast<double>(std::abs(values[at])) / most);
                      });
    }
    std::vector<double> factors(channels());
    for (std::size_t c = 0; c < channels(); ++c)
      factors[c] = std::sqrt(largest_[c] / std::max(weights[c], smallest_weight));
    // Calibration names the tensor in which a number is not finite.
    if (!std::all_of(factors.begin(), factors.end(), [](double f) { return std::isfinite(f); }))
      return std::vector<double>(channels(), 1.0);
    const double greatest = *std::max_element(factors.begin(), factors.end());
    for (double& factor : factors)
      factor = greatest > 0 ? std::max(factor / greatest, smallest_factor) : 1;
    return factors;
  }

  void scale_rows(Node& node, std::span<const double> factors) {
    Value& value = graph_.value(node.inputs[1]);
    Tensor scaled = value.constant.clone();
    const auto weights = scaled.data<float>();
    for_each_weight(node, scaled.shape(),
                    [&](const WeightLayout& layout, std::size_t group, std::size_t,
                        std::size_t output, std::size_t at) {
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

  void scale_columns(Node& node, std::span<const double> factors) {
    Value& value = graph_.value(node.inputs[1]);
    Tensor scaled = value.constant.clone();
    const auto weights = scaled.data<float>();
    for_each_weight(node, scaled.shape(),
                    [&](const WeightLayout& layout, std::size_t group, std::size_t row, std::size_t,
                        std::size_t at) {
                      const double factor = factors[input_channel(layout, channels(), group, row)];
                      weights[at] = static_cast<float>(static_cast<double>(weights[at]) * factor);
                    });
    value.constant = std::move(scaled);
  }

  Graph& graph_;
  const Stream& stream_;
  std::span<const double> largest_;
};

}  // namespace

int equalize(Graph& graph, const CalibrationData& data, int threads) {
  const std::vector<Stream> streams = find_streams(graph);
  std::vector<ValueId> tensors;
  std::vector<std::size_t> stream_of;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    tensors.insert(tensors.end(), streams[i].tensors.begin(), streams[i].tensors.end());
    stream_of.resize(tensors.size(), i);
  }
  if (streams.empty()) return 0;
  std::vector<std::vector<double>> largest;
  for (const Stream& stream : streams)
    largest.emplace_back(static_cast<std::size_t>(stream.channels));
  const ObservedModel model(graph, tensors, threads);
  const CalibrationSource source = data();
  while (const auto sample = source()) {
    const std::vector<Tensor> values = model.run(*sample);
    for (std::size_t i = 0; i < values.size(); ++i) observe(values[i], largest[stream_of[i]]);
  }
  for (std::size_t i = 0; i < streams.size(); ++i) {
    Equalizer(graph, streams[i], largest[i]).run();
    for (const ValueId tensor : streams[i].tensors) note_scaled_channels(graph, tensor, 1);
  }
  return static_cast<int>(streams.size());
}

void note_scaled_channels(Graph& graph, ValueId tensor, int axis) {
  graph.metadata["intact.scaled_channels"] +=
      std::to_string(axis) + " " + graph.value(tensor).name + "\n";
}

}  // namespace intact
