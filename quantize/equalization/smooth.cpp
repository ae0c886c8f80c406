// Statistics of channels, the factors with the least expected error, and their place in the graph.
#include "quantize/equalization/smooth.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"
#include "quantize/calibration/observed_model.hpp"
#include "quantize/equalization/channels.hpp"
#include "quantize/equalization/equalize.hpp"

namespace intact {
namespace {

/// Exponents of the channels' ranges; the weights' have what is left to one.
constexpr std::array exponents = {0.25, 0.375, 0.5, 0.625, 0.75, 0.875};
/// What the error has to fall to.
constexpr double worthwhile = 0.8;
/// Channels and weights that are next to nothing count as this much.
constexpr double smallest = 1e-5;
/// Where what a normalization writes is taken to end, for want of samples.
constexpr double deviations = 4;

/// A tensor that products with constant weights read, channels along its last axis.
struct Spot {
  ValueId tensor = no_value;
  std::vector<int> readers;
  int normalization = -1;  ///< node that writes it for `readers` alone
};

class Finder {
 public:
  explicit Finder(const Graph& graph) : graph_(graph), consumers_(graph.consumers()) {}
  std::vector<Spot> find() const;
  /// Normalizations along the last axis with constant factors, as the file has them.
  std::vector<Spot> find_normalizations() const;

 private:
  const std::vector<int>& consumers(ValueId id) const {
    return consumers_[static_cast<std::size_t>(id)];
  }
  bool is_reader(const Node& node, ValueId id) const;
  bool is_own_normalization(const Node& node, const Spot& spot) const;
  std::optional<Spot> spot_of(ValueId tensor, int writer) const;

  const Graph& graph_;
  std::vector<std::vector<int>> consumers_;
};

bool Finder::is_reader(const Node& node, ValueId id) const {
  const bool matrix =
      node.is("MatMul") || (node.is("Gemm") && node.attributes.integer("transA", 0) == 0);
  if (!matrix || node.inputs[0] != id || !graph_.is_constant(node.inputs[1])) return false;
  const Tensor& weights = graph_.value(node.inputs[1]).constant;
  return weights.type() == ElementType::f32 && weights.shape().size() == 2 && weights.size() > 0 &&
         consumers(node.inputs[1]).size() == 1;
}

bool Finder::is_own_normalization(const Node& node, const Spot& spot) const {
  return node.is("LayerNormalization") && graph_.is_constant(node.inputs[1]) &&
         (!node.has_input(2) || graph_.is_constant(node.inputs[2])) &&
         spot.readers.size() == consumers(spot.tensor).size() && !graph_.is_output(spot.tensor);
}

/// Nothing where no product reads the tensor.
std::optional<Spot> Finder::spot_of(ValueId tensor, int writer) const {
  Spot spot{tensor, {}, -1};
  for (const int reader : consumers(tensor))
    if (is_reader(graph_.nodes[static_cast<std::size_t>(reader)], tensor))
      spot.readers.push_back(reader);
  if (spot.readers.empty()) return std::nullopt;
  if (is_own_normalization(graph_.nodes[static_cast<std::size_t>(writer)], spot))
    spot.normalization = writer;
  return spot;
}

std::vector<Spot> Finder::find() const {
  Graph recognized = graph_;
  recognize_operators(recognized);
  const std::vector<int> producers = graph_.producers();
  std::vector<Spot> spots;
  for (const Node& writer : recognized.nodes) {
    if (!writer.is("LayerNormalization") && !writer.is("Gelu")) continue;
    // The recognized graph may have values of its own.
    const auto id = static_cast<std::size_t>(writer.outputs[0]);
    if (id >= graph_.values.size() || !graph_.values[id].shape) continue;
    if (auto spot = spot_of(writer.outputs[0], producers[id])) spots.push_back(std::move(*spot));
  }
  return spots;
}

std::vector<Spot> Finder::find_normalizations() const {
  const auto is_vector = [&](ValueId id) {
    return graph_.is_constant(id) && graph_.value(id).constant.type() == ElementType::f32 &&
           graph_.value(id).constant.rank() == 1;
  };
  std::vector<Spot> spots;
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    if (!node.is("LayerNormalization") || node.attributes.integer("axis", -1) != -1 ||
        !is_vector(node.inputs.at(1)) || (node.has_input(2) && !is_vector(node.inputs[2])))
      continue;
    if (auto spot = spot_of(node.outputs[0], static_cast<int>(i)))
      spots.push_back(std::move(*spot));
  }
  return spots;
}

class Smoother {
 public:
  Smoother(Graph& graph, const Spot& spot, const TensorChannels& statistics)
      : graph_(graph), spot_(spot), statistics_(statistics) {
    for (const int reader : spot.readers) {
      const Tensor& weights = this->weights(reader);
      layouts_.push_back(weight_layout(node(reader), weights.shape()));
    }
  }

  /// Empty when no factors are worth it.
  std::vector<double> choose() const;
  void scale_weights(std::span<const double> factors);
  void divide(ValueId& operand, std::span<const double> factors);

 private:
  Node& node(int index) const { return graph_.nodes[static_cast<std::size_t>(index)]; }
  const Tensor& weights(int reader) const { return graph_.value(node(reader).inputs[1]).constant; }
  double error(std::span<const double> factors) const;

  Graph& graph_;
  const Spot& spot_;
  const TensorChannels& statistics_;
  std::vector<WeightLayout> layouts_;
};

/// Expected squared error of all products per position, of roundings that are even over a step.
double Smoother::error(std::span<const double> factors) const {
  double low = 0, high = 0, power = 0;
  for (std::size_t c = 0; c < factors.size(); ++c) {
    const ChannelStatistics& channel = statistics_.channels[c];
    low = std::min(low, channel.low / factors[c]);
    high = std::max(high, channel.high / factors[c]);
    power += channel.power / statistics_.count / (factors[c] * factors[c]);
  }
  const double step = (high - low) / 255;
  double of_tensor = 0, of_weights = 0;
  for (std::size_t i = 0; i < layouts_.size(); ++i) {
    const WeightLayout& layout = layouts_[i];
    const auto values = weights(spot_.readers[i]).data<float>();
    for (std::size_t output = 0; output < layout.outputs; ++output) {
      double largest = 0;
      for (std::size_t row = 0; row < layout.depth; ++row) {
        const double weight =
            factors[row] * static_cast<double>(values[layout.element(0, row, output)]);
        largest = std::max(largest, std::abs(weight));
        of_tensor += weight * weight;
      }
      of_weights += largest / 127 * (largest / 127);
    }
  }
  return (step * step * of_tensor + power * of_weights) / 12;
}

std::vector<double> Smoother::choose() const {
  const std::size_t channels = statistics_.channels.size();
  std::vector<double> largest(channels);
  for (std::size_t i = 0; i < layouts_.size(); ++i) {
    const auto values = weights(spot_.readers[i]).data<float>();
    for (std::size_t row = 0; row < channels; ++row)
      for (std::size_t output = 0; output < layouts_[i].outputs; ++output)
        largest[row] =
            std::max(largest[row],
                     static_cast<double>(std::abs(values[layouts_[i].element(0, row, output)])));
  }
  const double widest = *std::max_element(largest.begin(), largest.end());
  std::vector<double> best, tried(channels, 1.0);
  double least = worthwhile * error(tried);
  for (const double exponent : exponents) {
    for (std::size_t c = 0; c < channels; ++c) {
      const double range = std::max(statistics_.channels[c].largest(), smallest);
      const double weight = std::max(largest[c] / widest, smallest);
      tried[c] = std::pow(range, exponent) / std::pow(weight, 1 - exponent);
    }
    const double found = error(tried);
    if (!(found < least)) continue;
    least = found;
    best = tried;
  }
  return best;
}

void Smoother::scale_weights(std::span<const double> factors) {
  for (std::size_t i = 0; i < layouts_.size(); ++i) {
    Value& value = graph_.value(node(spot_.readers[i]).inputs[1]);
    Tensor scaled = value.constant.clone();
    const auto values = scaled.data<float>();
    for (std::size_t row = 0; row < layouts_[i].depth; ++row) {
      for (std::size_t output = 0; output < layouts_[i].outputs; ++output) {
        float& weight = values[layouts_[i].element(0, row, output)];
        weight = static_cast<float>(static_cast<double>(weight) * factors[row]);
      }
    }
    value.constant = std::move(scaled);
  }
}

/// The operand becomes another constant, for others may read the one that it is.
void Smoother::divide(ValueId& operand, std::span<const double> factors) {
  Tensor divided = graph_.value(operand).constant.clone();
  const auto values = divided.data<float>();
  for (std::size_t c = 0; c < factors.size(); ++c)
    values[c] = static_cast<float>(static_cast<double>(values[c]) / factors[c]);
  operand = graph_.add_constant(graph_.unique_name(graph_.value(operand).name + "/smooth"),
                                std::move(divided));
}

/// Multiplications in front of products, each behind the node that writes its operand.
class Multiplications {
 public:
  explicit Multiplications(Graph& graph)
      : graph_(graph), names_(graph), behind_(graph.nodes.size()) {}

  void add(const Spot& spot, int writer, std::span<const double> factors) {
    const std::string name = graph_.value(spot.tensor).name + "/smooth";
    Tensor inverse(ElementType::f32, {static_cast<std::int64_t>(factors.size())});
    for (std::size_t c = 0; c < factors.size(); ++c)
      inverse.data<float>()[c] = static_cast<float>(1 / factors[c]);
    Node node;
    node.op = "Mul";
    node.version = graph_.nodes[static_cast<std::size_t>(writer)].version;
    node.name = name;
    const ValueId smoothed = graph_.add_value(names_.get(name), ElementType::f32);
    graph_.value(smoothed).shape = graph_.value(spot.tensor).shape;
    node.inputs = {spot.tensor,
                   graph_.add_constant(names_.get(name + "/factors"), std::move(inverse))};
    node.outputs = {smoothed};
    for (const int reader : spot.readers)
      graph_.nodes[static_cast<std::size_t>(reader)].inputs[0] = smoothed;
    behind_[static_cast<std::size_t>(writer)].push_back(std::move(node));
  }

  void insert() {
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < behind_.size(); ++i) {
      nodes.push_back(std::move(graph_.nodes[i]));
      std::move(behind_[i].begin(), behind_[i].end(), std::back_inserter(nodes));
    }
    graph_.nodes = std::move(nodes);
  }

 private:
  Graph& graph_;
  FreshNames names_;
  std::vector<std::vector<Node>> behind_;
};

std::vector<TensorChannels> observe(const Graph& graph, std::span<const Spot> spots,
                                    const CalibrationData& data, int threads) {
  std::vector<ValueId> tensors;
  std::vector<TensorChannels> statistics;
  for (const Spot& spot : spots) {
    tensors.push_back(spot.tensor);
    statistics.push_back({std::vector<ChannelStatistics>(
                              static_cast<std::size_t>(graph.value(spot.tensor).shape->back())),
                          0});
  }
  const ObservedModel model(graph, tensors, threads);
  const CalibrationSource source = data();
  while (const auto sample = source()) {
    const std::vector<Tensor> values = model.run(*sample);
    for (std::size_t i = 0; i < values.size(); ++i)
      statistics[i].observe(values[i], values[i].rank() - 1);
  }
  return statistics;
}

/// Of a normalization whose rows are normal, with the mean and deviation that it gives each
/// channel.
TensorChannels expected(const Graph& graph, const Node& normalization) {
  const auto factors = graph.value(normalization.inputs[1]).constant.data<float>();
  std::span<const float> means;
  if (normalization.has_input(2))
    means = graph.value(normalization.inputs[2]).constant.data<float>();
  TensorChannels statistics{std::vector<ChannelStatistics>(factors.size()), 1};
  for (std::size_t c = 0; c < factors.size(); ++c) {
    const double mean = means.size() == factors.size() ? static_cast<double>(means[c]) : 0;
    const double deviation = std::abs(static_cast<double>(factors[c]));
    statistics.channels[c] = {std::min(0.0, mean - deviations * deviation),
                              std::max(0.0, mean + deviations * deviation),
                              mean * mean + deviation * deviation};
  }
  return statistics;
}

int apply(Graph& graph, std::span<const Spot> spots, std::span<const TensorChannels> statistics) {
  const std::vector<int> producers = graph.producers();
  Multiplications multiplications(graph);
  int count = 0;
  for (std::size_t i = 0; i < spots.size(); ++i) {
    Smoother smoother(graph, spots[i], statistics[i]);
    const std::vector<double> factors = smoother.choose();
    if (factors.empty()) continue;
    ++count;
    smoother.scale_weights(factors);
    if (spots[i].normalization < 0) {
      multiplications.add(spots[i], producers[static_cast<std::size_t>(spots[i].tensor)], factors);
      continue;
    }
    note_scaled_channels(graph, spots[i].tensor, -1);
    Node& normalization = graph.nodes[static_cast<std::size_t>(spots[i].normalization)];
    for (std::size_t operand = 1; operand < normalization.inputs.size(); ++operand)
      if (normalization.has_input(operand)) smoother.divide(normalization.inputs[operand], factors);
  }
  multiplications.insert();
  return count;
}

}  // namespace

int smooth(Graph& graph, const CalibrationData& data, int threads) {
  const std::vector<Spot> spots = Finder(graph).find();
  return spots.empty() ? 0 : apply(graph, spots, observe(graph, spots, data, threads));
}

int smooth_normalizations(Graph& graph) {
  const std::vector<Spot> spots = Finder(graph).find_normalizations();
  const std::vector<int> producers = graph.producers();
  std::vector<TensorChannels> statistics;
  for (const Spot& spot : spots) {
    const auto writer = static_cast<std::size_t>(producers[static_cast<std::size_t>(spot.tensor)]);
    statistics.push_back(expected(graph, graph.nodes[writer]));
  }
  return apply(graph, spots, statistics);
}

}  // namespace intact
