// How the weights of a product lie in their tensor, as matrices that multiply columns of its input.
#pragma once

#include <cstddef>

#include "graph/graph.hpp"

namespace intact {

/// `groups` matrices with `depth` rows and `outputs` columns each. Conv: one per group, a row per
/// input channel and tap. ConvTranspose: one per tap, a row per input channel; all of them multiply
/// the same columns, and their outputs are the same channels. Gemm, MatMul: one.
struct WeightLayout {
  std::size_t groups = 1, depth = 0, outputs = 0;
  /// Distances in elements between neighbours.
  std::size_t group_step = 0, depth_step = 0, output_step = 0;
  bool same_columns = false;

  std::size_t element(std::size_t group, std::size_t row, std::size_t output) const {
    return group * group_step + row * depth_step + output * output_step;
  }
  /// Index among the output channels of the product.
  std::size_t channel(std::size_t group, std::size_t output) const {
    return same_columns ? output : group * outputs + output;
  }
  std::size_t channels() const { return same_columns ? outputs : groups * outputs; }
  /// Numbers in the columns of one position of the input.
  std::size_t column() const { return same_columns ? depth : groups * depth; }
};

/// False for a ConvTranspose in groups, whose matrices are not of this kind.
bool has_layout(const Node& node);

/// `node` is a Conv, ConvTranspose, Gemm or MatMul that has one, with weights of this shape.
WeightLayout weight_layout(const Node& node, const Shape& weights);

}  // namespace intact
