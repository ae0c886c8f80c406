// Conv, ConvTranspose and ConvInteger.
#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/ops/convolution.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/quantized.hpp"
#include "graph/ops/registry.hpp"

namespace intact {
namespace {

TensorType convolution_type(const InferContext& context, ElementType type) {
  const auto& x = context.inputs[0].shape;
  const auto& weights = context.inputs[1].shape;
  if (!x || !weights) return {type, std::nullopt};
  const SpatialGeometry geometry = conv_geometry(context.node, *x, *weights);
  return sized(context.node, type, spatial_shape(context.node, geometry, (*x)[0], (*weights)[0]));
}

std::vector<TensorType> infer_conv(const InferContext& context) {
  check_operands(context.node, 2, 3);
  check_same_type(context, 0, 1);
  check_type(context, 0, {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16});
  if (context.inputs[1].shape && !context.inputs[1].shape->empty())
    check_shape(context, 2, {(*context.inputs[1].shape)[0]}, "the bias");
  return {convolution_type(context, context.inputs[0].type)};
}

Tensor bias_of(const EvalContext& context) {
  return context.has(2) ? convert(context.inputs[2], ElementType::f64) : Tensor();
}

/// Conv or ConvTranspose, as its functions say.
template <auto infer, auto geometry, auto convolution>
std::vector<Tensor> evaluate(const EvalContext& context) {
  const TensorType type = output_types(context, infer)[0];
  const Tensor& x = context.inputs[0];
  const Tensor& weights = context.inputs[1];
  Tensor y = allocate(context.node, {ElementType::f64, type.shape});
  convolution(geometry(context.node, x.shape(), weights.shape()),
              context.node.attributes.integer("group", 1), convert(x, ElementType::f64),
              convert(weights, ElementType::f64), bias_of(context), y);
  return {convert(y, type.type)};
}

std::vector<TensorType> infer_conv_transpose(const InferContext& context) {
  check_operands(context.node, 2, 3);
  check_same_type(context, 0, 1);
  check_type(context, 0, {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16});
  const ElementType type = context.inputs[0].type;
  const auto& x = context.inputs[0].shape;
  const auto& weights = context.inputs[1].shape;
  if (!x || !weights) return {{type, std::nullopt}};
  const SpatialGeometry geometry = conv_transpose_geometry(context.node, *x, *weights);
  const std::int64_t channels = (*weights)[1] * context.node.attributes.integer("group", 1);
  check_shape(context, 2, {channels}, "the bias");
  return {sized(context.node, type, spatial_shape(context.node, geometry, (*x)[0], channels))};
}

std::vector<TensorType> infer_conv_integer(const InferContext& context) {
  check_operands(context.node, 2, 4);
  check_type(context, 0, {ElementType::u8, ElementType::s8});
  check_type(context, 1, {ElementType::u8, ElementType::s8});
  if (context.has(2)) check_same_type(context, 2, 0);
  if (context.has(3)) check_same_type(context, 3, 1);
  check_per_axis(context, 2, context.inputs[0].shape, std::nullopt, "the zero point of the input");
  check_per_axis(context, 3, context.inputs[1].shape, 0, "the zero point of the weights");
  return {convolution_type(context, ElementType::s32)};
}

std::vector<Tensor> evaluate_conv_integer(const EvalContext& context) {
  const TensorType type = output_types(context, infer_conv_integer)[0];
  const Tensor x =
      without_zero_point(context.node, context.inputs[0], operand(context, 2), std::nullopt);
  const Tensor weights =
      without_zero_point(context.node, context.inputs[1], operand(context, 3), 0);
  Tensor y = allocate(context.node, {ElementType::f64, type.shape});
  convolve(conv_geometry(context.node, x.shape(), weights.shape()),
           context.node.attributes.integer("group", 1), x, weights, {}, y);
  return {convert(y, type.type)};
}

const Definition definitions[] = {
    {.op = "Conv", .infer = infer_conv, .evaluate = evaluate<infer_conv, conv_geometry, convolve>},
    {.op = "ConvTranspose",
     .infer = infer_conv_transpose,
     .evaluate = evaluate<infer_conv_transpose, conv_transpose_geometry, convolve_transposed>},
    {.op = "ConvInteger",
     .first = 10,
     .infer = infer_conv_integer,
     .evaluate = evaluate_conv_integer},
};

}  // namespace

std::span<const Definition> conv_definitions() {
  return definitions;
}

}  // namespace intact
