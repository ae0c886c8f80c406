// Tensors whose channels can be scaled without changing what the model computes.
#pragma once

#include <vector>

#include "graph/graph.hpp"

namespace intact {

/// The result of Clip(x, 0, bound), bound > 0. It scales like a Relu as long as no channel that
/// reaches the bound is scaled, and none is scaled beyond it.
struct Ceiling {
  ValueId tensor = no_value;
  double bound = 0;
};

/// Tensors [batch, channels, ...] that have to be scaled alike, because operators for which f(s x)
/// = s f(x) with s > 0 per channel connect them (Add, Relu, LeakyRelu, pooling, and Clip with a
/// ceiling). What writes them from outside are Conv (rows of the weights, and the bias), what reads
/// them are Conv (columns of the weights).
struct Stream {
  std::int64_t channels = 0;
  std::vector<ValueId> tensors;
  std::vector<Ceiling> ceilings;
  std::vector<int> writers, readers;  ///< indices of Conv nodes
};

/// Those with at least one writer and one reader, none of which is a model's input or output.
/// Shapes are known, and weights belong to one node each.
std::vector<Stream> find_streams(const Graph& graph);

}  // namespace intact
