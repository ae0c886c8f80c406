// Embeddings as bytes.
#pragma once

#include <map>
#include <vector>

#include "graph/graph.hpp"
#include "graph/passes/rewrite.hpp"
#include "quantize/grids/grids.hpp"

namespace intact {

/// Writes look-ups in tables of integers: Gather of bytes, then DequantizeLinear of what it read,
/// so that an engine that knows no better need not dequantize the table. A table has its integers
/// once, whatever reads it.
class EmbeddingWriter {
 public:
  EmbeddingWriter(Graph& graph, FreshNames& names) : graph_(graph), names_(names) {}

  /// Appends both to `nodes`. `gather` reads along axis 0 of a matrix; `rank`: of its result.
  void write(Node gather, const QuantizedWeights& table, int rank, std::vector<Node>& nodes);

 private:
  Graph& graph_;
  FreshNames& names_;
  std::map<ValueId, ValueId> integers_;
};

}  // namespace intact
