// BatchNormalization behind Conv, ConvTranspose or Gemm scales and shifts each channel:
// y = f * (conv(x, w) + b - mean) + beta with f = gamma / sqrt(variance + epsilon), so w and b take
// it over. On a grid the scales of the channels take f, the integers stay.
#include <algorithm>
#include <cmath>
#include <optional>

#include "graph/channel_affine.hpp"
#include "graph/definition.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

/// Axis of the weights that output channels run along; nothing where they are not one axis.
std::optional<int> channel_axis(const Node& node) {
  if (node.is("Conv")) return 0;
  if (node.is("ConvTranspose") && node.attributes.integer("group", 1) == 1) return 1;
  if (node.is("Gemm") && node.attributes.number("alpha", 1) == 1 &&
      node.attributes.number("beta", 1) == 1)
    return node.attributes.integer("transB", 0) != 0 ? 0 : 1;
  return std::nullopt;
}

Tensor scaled(const Tensor& weights, int axis, const std::vector<double>& factor) {
  Tensor result(ElementType::f32, weights.shape());
  const auto in = weights.data<float>();
  const auto out = result.data<float>();
  std::size_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < weights.shape().size(); ++i)
    inner *= static_cast<std::size_t>(weights.shape()[i]);
  for (std::size_t i = 0; i < in.size(); ++i)
    out[i] = static_cast<float>(static_cast<double>(in[i]) * factor[i / inner % factor.size()]);
  return result;
}

/// The weights' grid with f in its scales; nothing when a channel would turn over or vanish, or
/// when the grid runs along another axis.
std::optional<Grid> scaled_grid(const Grid& grid, int axis, const std::vector<double>& factor) {
  if (grid.block != 0 || (!grid.per_tensor() && *grid.axis != axis)) return std::nullopt;
  Grid result = grid;
  result.scale.clear();
  result.zero_point.clear();
  result.axis = axis;
  for (std::size_t c = 0; c < factor.size(); ++c) {
    const std::size_t from = grid.per_tensor() ? 0 : c;
    const auto scale = static_cast<float>(static_cast<double>(grid.scale[from]) * factor[c]);
    if (!std::isnormal(scale) || scale < 0) return std::nullopt;
    result.scale.push_back(scale);
    result.zero_point.push_back(grid.zero_point[from]);
  }
  return result;
}

/// The new weights; nothing when they cannot take the factors.
std::optional<Value> folded_weights(const Value& weights, int axis, const ChannelAffine& affine) {
  const Shape& shape = weights.constant.shape();
  const auto channels = static_cast<std::size_t>(axis);
  if (channels >= shape.size() ||
      shape[channels] != static_cast<std::int64_t>(affine.factor.size()))
    return std::nullopt;
  Value result = weights;
  if (weights.grid) {
    result.grid = scaled_grid(*weights.grid, axis, affine.factor);
    if (!result.grid) return std::nullopt;
  } else {
    if (weights.type != ElementType::f32) return std::nullopt;
    result.constant = scaled(weights.constant, axis, affine.factor);
  }
  return result;
}

/// The new bias; nothing when the old one is not one number per channel.
std::optional<Tensor> folded_bias(const Graph& graph, const Node& node,
                                  const ChannelAffine& affine) {
  const std::size_t channels = affine.factor.size();
  std::vector<double> bias(channels, 0.0);
  if (node.has_input(2)) {
    if (!graph.is_constant(node.inputs[2])) return std::nullopt;
    bias = constant_numbers(graph, node.inputs[2]);
    if (bias.size() == 1) bias.resize(channels, bias[0]);
    const Shape& shape = graph.value(node.inputs[2]).constant.shape();
    if (bias.size() != channels ||
        (!shape.empty() && shape.back() == 1 && channels > 1 && shape.size() > 1))
      return std::nullopt;
  }
  Tensor result(ElementType::f32, {static_cast<std::int64_t>(channels)});
  for (std::size_t c = 0; c < channels; ++c)
    result.data<float>()[c] = static_cast<float>(bias[c] * affine.factor[c] + affine.shift[c]);
  return result;
}

/// Folds the normalization into `node`; false when it cannot be.
bool fold_into(Graph& graph, FreshNames& names, Node& node, Node& normalization) {
  const std::optional<int> axis = channel_axis(node);
  if (!axis || node.outputs.size() != 1 || !node.has_input(1) || !graph.is_constant(node.inputs[1]))
    return false;
  const std::optional<ChannelAffine> affine = constant_batch_normalization(graph, normalization);
  if (!affine) return false;
  std::optional<Value> weights = folded_weights(graph.value(node.inputs[1]), *axis, *affine);
  std::optional<Tensor> bias = folded_bias(graph, node, *affine);
  if (!weights || !bias) return false;
  // New constants: the old ones may serve other nodes.
  weights->name = names.get(weights->name + "/folded");
  graph.values.push_back(std::move(*weights));
  node.inputs.resize(3, no_value);
  node.inputs[1] = static_cast<ValueId>(graph.values.size()) - 1;
  node.inputs[2] = graph.add_constant(names.get(node.name + "/bias"), std::move(*bias));
  append_sources(node, std::move(normalization.sources));
  node.outputs[0] = normalization.outputs[0];
  normalization = Node{};
  return true;
}

}  // namespace

void fold_batch_normalization(Graph& graph) {
  const std::vector<int> producers = graph.producers();
  const auto consumers = graph.consumers();
  FreshNames names(graph);
  for (Node& node : graph.nodes) {
    if (!node.is("BatchNormalization") || !node.has_input(0)) continue;
    const ValueId input = node.inputs[0];
    const int producer = producers[static_cast<std::size_t>(input)];
    if (producer < 0 || graph.is_output(input) ||
        consumers[static_cast<std::size_t>(input)].size() != 1)
      continue;
    fold_into(graph, names, graph.nodes[static_cast<std::size_t>(producer)], node);
  }
  graph.erase_marked();
}

}  // namespace intact
