// Scale and zero-point operands: what QuantizeLinear, ConvInteger and their relatives
// share.
#pragma once

#include <optional>

#include "graph/definition.hpp"

namespace intact {

/// Scale or zero point: a scalar or one element; with `axis`, also [extent of `data` along axis].
/// Throws Error otherwise. Unknown shapes pass.
void check_per_axis(const InferContext& context, std::size_t operand,
                    const std::optional<Shape>& data, std::optional<int> axis, const char* what);

/// The grid that scale and zero-point tensors describe for integers of `type` in a tensor of shape
/// `data`; `zero_point` may be undefined. Values given once count for the whole axis.
/// Throws Error when sizes do not fit or values are not those of a grid.
Grid read_grid(const Node& node, ElementType type, const Tensor& scale, const Tensor& zero_point,
               std::optional<int> axis, const Shape& data);

/// The u8 grid of DynamicQuantizeLinear for values from `low` <= 0 to `high` >= 0, in float32 as
/// ONNX defines it; all zeros get scale 1. Callers check the scale: values may not be finite.
Grid dynamic_grid(float low, float high);

/// q - zero_point as f64; `zero_point` is undefined (zero), one element, or one per index of axis.
Tensor without_zero_point(const Node& node, const Tensor& integers, const Tensor& zero_point,
                          std::optional<int> axis);

}  // namespace intact
