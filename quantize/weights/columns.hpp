// Columns of a product's input: what its weight matrices are multiplied with for one output.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.hpp"

namespace intact {

/// Appends the columns of `count` outputs (all of them where there are fewer) to `columns`, each
/// WeightLayout::column() numbers: the window of a Conv in the order of its weights, zeros in the
/// padding; the pixel of a ConvTranspose; the row of a Gemm or MatMul. `input` is the product's
/// first operand in f32. The outputs are spread evenly; `first` numbers them through all samples,
/// so that each sample gives others.
void sample_columns(const Node& node, const Shape& weights, const Tensor& input, std::size_t count,
                    std::uint64_t first, std::vector<float>& columns);

}  // namespace intact
