// One factor and one addend per channel: what a BatchNormalization with constant statistics is.
#pragma once

#include <optional>
#include <vector>

#include "graph/graph.hpp"

namespace intact {

/// y = factor * x + shift for each channel.
struct ChannelAffine {
  std::vector<double> factor, shift;
};

/// Of a BatchNormalization whose four parameters are constants of one length: factor =
/// gamma / sqrt(variance + epsilon), shift = beta - mean * factor. Nothing for other nodes, for
/// training, or when a factor or shift is not finite.
std::optional<ChannelAffine> constant_batch_normalization(const Graph& graph, const Node& node);

}  // namespace intact
