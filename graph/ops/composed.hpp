// Quantized operators as compositions: dequantize in double, the plain operator, quantize.
#pragma once

#include "graph/definition.hpp"

namespace intact {

/// The ONNX operator `op` with the attributes of `node`, at an operator set that has the attribute
/// forms which quantized operators use. Messages name the same node.
Node plain_node(const Node& node, std::string_view op);

/// Shape inference and evaluation of a plain operator over f64 operands; the first output.
std::optional<Shape> infer_plain(const Node& plain, std::span<const std::optional<Shape>> operands);
Tensor evaluate_plain(const Node& plain, std::span<const Tensor> operands);

/// The attribute channels_last of some com.microsoft operators.
inline bool is_channels_last(const Node& node) {
  return node.attributes.integer("channels_last", 0) != 0;
}
/// channels-last <-> channels-first: the channel axis moves between position 1 and the end.
Shape to_channels_first(const Shape& shape);
Shape to_channels_last(const Shape& shape);
Tensor to_channels_first(const Tensor& tensor);
Tensor to_channels_last(const Tensor& tensor);

// Definitions by file; qlinear.cpp lists them.

std::vector<TensorType> infer_qlinear_conv(const InferContext& context);
std::vector<Tensor> evaluate_qlinear_conv(const EvalContext& context);
std::vector<TensorType> infer_qlinear_matmul(const InferContext& context);
std::vector<Tensor> evaluate_qlinear_matmul(const EvalContext& context);
std::vector<TensorType> infer_qgemm(const InferContext& context);
std::vector<Tensor> evaluate_qgemm(const EvalContext& context);

}  // namespace intact
