// Scale and zero-point operands: what QuantizeLinear, QLinearConv, ConvInteger and their relatives
// share.
#pragma once

#include <optional>

#include "graph/definition.hpp"

namespace intact {

/// Scale or zero point: a scalar or one element; with `axis`, also [extent of `data` along axis].
/// Throws Error otherwise. Unknown shapes pass.
void check_per_axis(const InferContext& context, std::size_t operand,
                    const std::optional<Shape>& data, std::optional<int> axis, const char* what);

/// A quantized operand's place among the operands of a node. A zero_point beyond the operands, or
/// absent, stands for zero.
struct QuantizedOperand {
  std::size_t integers, scale, zero_point;
};
/// Types and shapes of the three; the axis is that of per-axis scales. The types of integers and
/// zero point must be equal and one of u8, s8, u16, s16.
void check_quantized(const InferContext& context, QuantizedOperand operand,
                     std::optional<int> axis);

/// The grid that scale and zero-point tensors describe for integers of `type` in a tensor of shape
/// `data`; `zero_point` may be undefined. Values given once count for the whole axis.
/// Throws Error when sizes do not fit or values are not those of a grid.
Grid read_grid(const Node& node, ElementType type, const Tensor& scale, const Tensor& zero_point,
               std::optional<int> axis, const Shape& data);

/// Type of an output whose scale and zero point are operands (both single, the zero point
/// optional): that of the zero point, or `fallback`.
ElementType quantized_output_type(const InferContext& context, std::size_t scale,
                                  std::size_t zero_point, ElementType fallback);

/// f64 reals rounded to the grid that the operands describe.
Tensor quantize_output(const EvalContext& context, const Tensor& reals, std::size_t scale,
                       std::size_t zero_point, ElementType fallback);

/// The u8 grid of DynamicQuantizeLinear for values from `low` <= 0 to `high` >= 0, in float32 as
/// ONNX defines it; all zeros get scale 1. Callers check the scale: values may not be finite.
Grid dynamic_grid(float low, float high);

/// scale * (q - zero_point) as f64: exact where the product fits into 53 bits.
Tensor exact_reals(const Tensor& integers, const Grid& grid);

/// q - zero_point as f64; `zero_point` is undefined (zero), one element, or one per index of axis.
Tensor without_zero_point(const Node& node, const Tensor& integers, const Tensor& zero_point,
                          std::optional<int> axis);

}  // namespace intact
