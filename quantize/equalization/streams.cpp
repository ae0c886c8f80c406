// Disjoint sets of values, and what disqualifies them.
#include "quantize/equalization/streams.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

namespace intact {
namespace {

class Streams {
 public:
  explicit Streams(const Graph& graph)
      : graph_(graph), parent_(graph.values.size()), blocked_(graph.values.size(), false) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  std::vector<Stream> find();

 private:
  std::size_t set_of(ValueId id) const {
    auto root = static_cast<std::size_t>(id);
    while (parent_[root] != root) root = parent_[root];
    return root;
  }
  void join(ValueId a, ValueId b) {
    const std::size_t from = set_of(b), to = set_of(a);
    if (from == to) return;
    parent_[from] = to;
    blocked_[to] = blocked_[to] || blocked_[from];
  }
  void block(ValueId id) {
    if (id != no_value) blocked_[set_of(id)] = true;
  }
  bool is_image(ValueId id) const {
    const Value& value = graph_.value(id);
    return !value.is_constant() && value.type == ElementType::f32 && value.shape &&
           value.shape->size() >= 3;
  }
  std::optional<float> constant(const Node& node, std::size_t input) const;
  std::optional<double> ceiling(const Node& node) const;
  bool scales(const Node& node) const;
  bool is_convolution(const Node& node) const;
  void visit(const Node& node);

  const Graph& graph_;
  std::vector<std::size_t> parent_;
  std::vector<bool> blocked_;
  std::vector<std::size_t> uses_;
};

std::optional<float> Streams::constant(const Node& node, std::size_t input) const {
  if (!node.has_input(input) || !graph_.is_constant(node.inputs[input])) return std::nullopt;
  const Tensor& value = graph_.value(node.inputs[input]).constant;
  if (value.type() != ElementType::f32 || value.size() != 1) return std::nullopt;
  return value.data<float>()[0];
}

/// The bound of a Clip that is a Relu up to it.
std::optional<double> Streams::ceiling(const Node& node) const {
  if (!node.is("Clip") || constant(node, 1) != 0.0f) return std::nullopt;
  const std::optional<float> bound = constant(node, 2);
  return bound && *bound > 0 ? std::optional<double>(*bound) : std::nullopt;
}

/// Operators with f(s x) = s f(x) for positive s per channel, all operands alike.
bool Streams::scales(const Node& node) const {
  if (node.is("Add"))
    return is_image(node.inputs[0]) && is_image(node.inputs[1]) &&
           graph_.value(node.inputs[0]).shape == graph_.value(node.inputs[1]).shape;
  const bool alone = node.is("Relu") || node.is("LeakyRelu") || node.is("AveragePool") ||
                     node.is("GlobalAveragePool") ||
                     (node.is("MaxPool") && node.outputs.size() == 1) || ceiling(node);
  return alone && is_image(node.inputs[0]);
}

bool Streams::is_convolution(const Node& node) const {
  if (!node.is("Conv") || !is_image(node.inputs[0]) || !graph_.is_constant(node.inputs[1]))
    return false;
  const auto owned = [&](std::size_t input) {
    return !node.has_input(input) ||
           (graph_.is_constant(node.inputs[input]) &&
            graph_.value(node.inputs[input]).constant.type() == ElementType::f32 &&
            uses_[static_cast<std::size_t>(node.inputs[input])] == 1);
  };
  return owned(1) && owned(2);
}

void Streams::visit(const Node& node) {
  if (is_convolution(node)) return;
  if (scales(node)) {
    for (const ValueId input : node.inputs)
      if (!graph_.is_constant(input)) join(node.outputs[0], input);
    return;
  }
  for (const ValueId id : node.inputs) block(id);
  for (const ValueId id : node.outputs) block(id);
}

std::vector<Stream> Streams::find() {
  for (const auto& consumers : graph_.consumers()) uses_.push_back(consumers.size());
  for (const ValueId id : graph_.inputs) block(id);
  for (const ValueId id : graph_.outputs) block(id);
  for (const Node& node : graph_.nodes) visit(node);
  std::map<std::size_t, Stream> found;
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    if (is_convolution(node)) {
      found[set_of(node.inputs[0])].readers.push_back(static_cast<int>(i));
      found[set_of(node.outputs[0])].writers.push_back(static_cast<int>(i));
    }
    if (is_convolution(node) || scales(node)) {
      Stream& stream = found[set_of(node.outputs[0])];
      stream.tensors.push_back(node.outputs[0]);
      stream.channels = graph_.value(node.outputs[0]).shape->at(1);
      if (const std::optional<double> bound = ceiling(node))
        stream.ceilings.push_back({node.outputs[0], *bound});
    }
  }
  std::vector<Stream> result;
  for (auto& [set, stream] : found)
    if (!blocked_[set] && stream.channels > 0 && !stream.writers.empty() && !stream.readers.empty())
      result.push_back(std::move(stream));
  return result;
}

}  // namespace

std::vector<Stream> find_streams(const Graph& graph) {
  return Streams(graph).find();
}

}  // namespace intact
