// Add of one constant per channel behind a convolution without bias becomes its bias.
#include <optional>

#include "graph/definition.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

std::optional<std::int64_t> output_channels(const Graph& graph, const Node& node) {
  if (node.outputs.size() != 1 || node.inputs.size() != 2 || !graph.is_constant(node.inputs[1]))
    return std::nullopt;
  const Shape& weights = graph.value(node.inputs[1]).constant.shape();
  if (weights.size() < 3) return std::nullopt;
  if (node.is("Conv")) return weights[0];
  if (node.is("ConvTranspose") && node.attributes.integer("group", 1) == 1) return weights[1];
  return std::nullopt;
}

/// The constant as one number per channel, when it broadcasts along the channels of a tensor of
/// this rank alone.
std::optional<Tensor> bias_of(const Value& constant, std::size_t rank, std::int64_t channels) {
  const Shape& shape = constant.constant.shape();
  if (constant.type != ElementType::f32 || shape.size() > rank || channels <= 0)
    return std::nullopt;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool is_channel = i + rank - shape.size() == 1;
    if (shape[i] != 1 && (!is_channel || shape[i] != channels)) return std::nullopt;
  }
  const Tensor reals = real_constant(constant);
  Tensor bias(ElementType::f32, {channels});
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c)
    bias.data<float>()[c] = reals.data<float>()[reals.size() == 1 ? 0 : c];
  return bias;
}

bool fold_into(Graph& graph, FreshNames& names, Node& node, Node& add, ValueId constant) {
  const std::optional<std::int64_t> channels = output_channels(graph, node);
  if (!channels) return false;
  const std::size_t rank = graph.value(node.inputs[1]).constant.shape().size();
  std::optional<Tensor> bias = bias_of(graph.value(constant), rank, *channels);
  if (!bias) return false;
  node.inputs.push_back(graph.add_constant(names.get(node.name + "/bias"), std::move(*bias)));
  node.outputs[0] = add.outputs[0];
  append_sources(node, std::move(add.sources));
  add = Node{};
  return true;
}

}  // namespace

void fold_bias(Graph& graph) {
  const std::vector<int> producers = graph.producers();
  const auto consumers = graph.consumers();
  FreshNames names(graph);
  for (Node& node : graph.nodes) {
    if (!node.is("Add") || node.inputs.size() != 2 || node.outputs.size() != 1) continue;
    for (const std::size_t side : {0u, 1u}) {
      const ValueId product = node.inputs[side], constant = node.inputs[1 - side];
      if (product == no_value || !graph.is_constant(constant) || graph.is_output(product)) continue;
      const int producer = producers[static_cast<std::size_t>(product)];
      if (producer < 0 || consumers[static_cast<std::size_t>(product)].size() != 1) continue;
      if (fold_into(graph, names, graph.nodes[static_cast<std::size_t>(producer)], node, constant))
        break;
    }
  }
  graph.erase_marked();
}

}  // namespace intact
