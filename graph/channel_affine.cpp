#include "graph/channel_affine.hpp"

#include <cmath>

#include "graph/reals.hpp"

namespace intact {

std::optional<ChannelAffine> constant_batch_normalization(const Graph& graph, const Node& node) {
  if (!node.is("BatchNormalization") || node.inputs.size() != 5 || node.outputs.size() != 1)
    return std::nullopt;
  if (node.attributes.integer("training_mode", 0) != 0) return std::nullopt;
  if (node.attributes.integer("spatial", 1) != 1) return std::nullopt;
  for (std::size_t i = 1; i < 5; ++i)
    if (!graph.is_constant(node.inputs[i])) return std::nullopt;
  const auto gamma = constant_numbers(graph, node.inputs[1]),
             beta = constant_numbers(graph, node.inputs[2]);
  const auto mean = constant_numbers(graph, node.inputs[3]),
             variance = constant_numbers(graph, node.inputs[4]);
  const std::size_t channels = gamma.size();
  if (beta.size() != channels || mean.size() != channels || variance.size() != channels)
    return std::nullopt;
  const auto epsilon = static_cast<double>(node.attributes.number("epsilon", 1e-5f));
  ChannelAffine result;
  for (std::size_t c = 0; c < channels; ++c) {
    result.factor.push_back(gamma[c] / std::sqrt(variance[c] + epsilon));
    result.shift.push_back(beta[c] - mean[c] * result.factor[c]);
    if (!std::isfinite(result.factor[c]) || !std::isfinite(result.shift[c])) return std::nullopt;
  }
  return result;
}

}  // namespace intact
