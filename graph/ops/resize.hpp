// What Resize and Upsample compute, axis by axis: every mode is a short weighted sum of input
// positions per output position. The engine's resize step takes its taps from here too.
#pragma once

#include <optional>

#include "graph/definition.hpp"

namespace intact {

/// Along one axis, output position i is the sum of weights[k] * input[indices[k]] over the taps k
/// in [i * taps, (i + 1) * taps). Indices are inside the input; weights of one position sum to 1.
struct ResizeAxis {
  std::int64_t in = 0, out = 0;
  std::int64_t taps = 1;
  std::vector<std::int64_t> indices = {};
  std::vector<double> weights = {};
  /// tf_crop_and_resize only (else empty): positions that lie outside the input and get the
  /// extrapolation value whatever their taps are.
  std::vector<bool> outside = {};

  /// Each output position is a copy of one input position.
  bool copies() const { return taps == 1; }
  /// Output and input are equal.
  bool identity() const;
};

/// Operands of Resize by meaning; undefined tensors when absent, empty, or not known.
struct ResizeOperands {
  Tensor roi, scales, sizes;
};
/// Where a node's operator set version has them; operands not in `inputs` are undefined.
ResizeOperands resize_operands(const Node& node, std::span<const Tensor> inputs);

/// Extents and scales (output / input) of all axes. Absent when neither scales nor sizes are known.
/// Throws Error when they do not fit the input.
struct ResizeExtents {
  Shape out;
  std::vector<float> scale;
};
std::optional<ResizeExtents> resize_extents(const Node& node, const Shape& input,
                                            const ResizeOperands& operands);

/// One entry per axis of the input.
std::vector<ResizeAxis> resize_axes(const Node& node, const Shape& input,
                                    const ResizeExtents& extents, const ResizeOperands& operands);

}  // namespace intact
