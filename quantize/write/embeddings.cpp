// Gather and FromBytes.
#include "quantize/write/embeddings.hpp"

#include <utility>

#include "graph/passes/grid_operands.hpp"

namespace intact {

void EmbeddingWriter::write(Node gather, const QuantizedWeights& table, int rank,
                            std::vector<Node>& nodes) {
  const auto [integers, is_new] = integers_.try_emplace(gather.inputs[0], no_value);
  if (is_new)
    integers->second = graph_.add_constant(
        names_.get(graph_.value(gather.inputs[0]).name + "/quantized"), table.integers);
  Grid grid = table.grid;
  if (!grid.per_tensor()) grid.axis = rank - 1;
  const ValueId reals = gather.outputs[0];
  const ValueId bytes =
      graph_.add_value(names_.get(graph_.value(reals).name + "/quantized"), table.integers.type());
  graph_.value(bytes).shape = graph_.value(reals).shape;
  gather.inputs[0] = integers->second;
  gather.outputs[0] = bytes;
  const std::string name = gather.name + "/dequantize";
  nodes.push_back(std::move(gather));
  nodes.push_back(grid_node("FromBytes", name, grid, bytes, reals));
}

}  // namespace intact
