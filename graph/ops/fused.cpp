// Fused operators of com.microsoft that optimized models contain: a product with its scales, bias
// or activation, and normalization with its residual. Each is evaluated as the plain operators that
// it stands for, in double.
#include <algorithm>

#include "graph/ops/checks.hpp"
#include "graph/ops/composed.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/quantized.hpp"
#include "graph/ops/registry.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

constexpr const char* domain = "com.microsoft";

/// `op` without attributes, to be given those of its own.
Node bare_node(const Node& node, std::string_view op) {
  Node bare = plain_node(node, op);
  bare.attributes = Attributes();
  return bare;
}

Tensor wide(const EvalContext& context, std::size_t i) {
  return context.has(i) ? convert(context.inputs[i], ElementType::f64) : Tensor();
}

Tensor binary(const Node& node, std::string_view op, const Tensor& a, const Tensor& b) {
  const Tensor operands[] = {a, b};
  return evaluate_plain(bare_node(node, op), operands);
}
Tensor add_if(const Node& node, const Tensor& sum, const Tensor& optional) {
  return optional.defined() ? binary(node, "Add", sum, optional) : sum;
}

std::optional<Shape> infer_binary(const Node& node, std::string_view op,
                                  const std::optional<Shape>& a, const std::optional<Shape>& b) {
  const std::optional<Shape> shapes[] = {a, b};
  return infer_plain(bare_node(node, op), shapes);
}

/// The scale of the columns of the second matrix: single, or one per column.
std::optional<int> column_axis(const std::optional<Shape>& b) {
  if (!b || b->size() < 2) return std::nullopt;
  return static_cast<int>(b->size()) - 1;
}

void check_bias(const InferContext& context, std::size_t i) {
  const auto& b = context.inputs[1].shape;
  if (b && !b->empty()) check_shape(context, i, {b->back()}, "the bias");
}

// MatMulIntegerToFloat: A, B, scale of A, scale of B, zero point of A, zero point of B, bias.

std::vector<TensorType> infer_integer_to_float(const InferContext& context) {
  check_operands(context.node, 4, 7);
  check_quantized(context, {0, 2, 4}, std::nullopt);
  check_quantized(context, {1, 3, 5}, column_axis(context.inputs[1].shape));
  check_bias(context, 6);
  return {{context.inputs[2].type,
           infer_binary(context.node, "MatMul", context.inputs[0].shape, context.inputs[1].shape)}};
}

Tensor reals_at(const EvalContext& context, QuantizedOperand place, std::optional<int> axis) {
  const Tensor& integers = context.inputs[place.integers];
  return exact_reals(integers,
                     read_grid(context.node, integers.type(), context.inputs[place.scale],
                               operand(context, place.zero_point), axis, integers.shape()));
}

std::vector<Tensor> evaluate_integer_to_float(const EvalContext& context) {
  const TensorType type = output_types(context, infer_integer_to_float)[0];
  const Tensor a = reals_at(context, {0, 2, 4}, std::nullopt);
  const Tensor b = reals_at(context, {1, 3, 5}, column_axis(context.inputs[1].shape()));
  const Tensor y = binary(context.node, "MatMul", a, b);
  return {convert(add_if(context.node, y, wide(context, 6)), type.type)};
}

// DynamicQuantizeMatMul: A in f32, B, scale of B, zero point of B, bias.

std::vector<TensorType> infer_dynamic_matmul(const InferContext& context) {
  check_operands(context.node, 3, 5);
  check_type(context, 0, {ElementType::f32});
  check_quantized(context, {1, 2, 3}, column_axis(context.inputs[1].shape));
  check_bias(context, 4);
  return {{ElementType::f32,
           infer_binary(context.node, "MatMul", context.inputs[0].shape, context.inputs[1].shape)}};
}

std::vector<Tensor> evaluate_dynamic_matmul(const EvalContext& context) {
  const TensorType type = output_types(context, infer_dynamic_matmul)[0];
  const Tensor x[] = {context.inputs[0]};
  Node node = bare_node(context.node, "DynamicQuantizeLinear");
  node.inputs = {0};
  const std::vector<Tensor> quantized = definition_of(node).evaluate({node, x});
  const Tensor a = exact_reals(quantized[0], read_grid(node, ElementType::u8, quantized[1],
                                                       quantized[2], std::nullopt, x[0].shape()));
  const Tensor b = reals_at(context, {1, 2, 3}, column_axis(context.inputs[1].shape()));
  const Tensor y = binary(context.node, "MatMul", a, b);
  return {convert(add_if(context.node, y, wide(context, 4)), type.type)};
}

// FusedMatMul: alpha * A' * B', the last two axes exchanged on request.

bool transposes(const Node& node, std::size_t i) {
  return node.attributes.integer(i == 0 ? "transA" : "transB", 0) != 0;
}

std::vector<std::int64_t> exchanged_order(const Node& node, std::size_t rank) {
  if (rank < 2) refuse(node, "a vector cannot be transposed; operands must have rank 2 or more");
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < rank; ++i) order.push_back(static_cast<std::int64_t>(i));
  std::swap(order[rank - 1], order[rank - 2]);
  return order;
}

std::optional<Shape> matrix_shape(const InferContext& context, std::size_t i) {
  std::optional<Shape> shape = context.inputs[i].shape;
  if (!shape || !transposes(context.node, i)) return shape;
  exchanged_order(context.node, shape->size());
  std::swap((*shape)[shape->size() - 1], (*shape)[shape->size() - 2]);
  return shape;
}

std::vector<TensorType> infer_fused_matmul(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 2);
  check_same_type(context, 0, 1);
  for (const char* name : {"transBatchA", "transBatchB"})
    if (node.attributes.integer(name, 0) != 0)
      refuse_unsupported(node, "{} is not supported", name);
  return {{context.inputs[0].type,
           infer_binary(node, "MatMul", matrix_shape(context, 0), matrix_shape(context, 1))}};
}

Tensor matrix(const EvalContext& context, std::size_t i) {
  const Tensor operands[] = {wide(context, i)};
  if (!transposes(context.node, i)) return operands[0];
  Node node = bare_node(context.node, "Transpose");
  node.attributes.set("perm", exchanged_order(context.node, operands[0].shape().size()));
  return evaluate_plain(node, operands);
}

std::vector<Tensor> evaluate_fused_matmul(const EvalContext& context) {
  const TensorType type = output_types(context, infer_fused_matmul)[0];
  const Tensor y = binary(context.node, "MatMul", matrix(context, 0), matrix(context, 1));
  const double alpha = context.node.attributes.number("alpha", 1);
  return {convert(binary(context.node, "Mul", y, Tensor::scalar(alpha)), type.type)};
}

// FusedConv (X, W, B, a residual) and FusedGemm (A, B, C), each with an activation.

Tensor activate(const Node& node, const Tensor& x) {
  const std::string name = node.attributes.text("activation", "");
  if (name.empty()) return x;
  Node activation = bare_node(node, name);
  const std::vector<float> values = node.attributes.numbers("activation_params");
  const float alpha = node.attributes.number("activation_alpha", values.empty() ? 0 : values[0]);
  const float beta = node.attributes.number("activation_beta", values.size() < 2 ? 0 : values[1]);
  std::vector<Tensor> operands = {x};
  if (name == "Clip") {
    operands.push_back(Tensor::scalar(static_cast<double>(alpha)));
    operands.push_back(Tensor::scalar(static_cast<double>(beta)));
  } else if (name == "LeakyRelu" || name == "HardSigmoid") {
    activation.attributes.set("alpha", alpha);
    if (name == "HardSigmoid") activation.attributes.set("beta", beta);
  } else if (name != "Relu" && name != "Tanh" && name != "Sigmoid") {
    refuse_unsupported(node, "the activation '{}' is not supported", name);
  }
  return evaluate_plain(activation, operands);
}

std::string_view plain_product(const Node& node) {
  return node.op == "FusedGemm" ? "Gemm" : "Conv";
}

std::vector<TensorType> infer_fused_product(const InferContext& context) {
  const bool convolution = context.node.op == "FusedConv";
  check_operands(context.node, 2, convolution ? 4 : 3);
  check_same_type(context, 0, 1);
  std::vector<std::optional<Shape>> shapes = {context.inputs[0].shape, context.inputs[1].shape};
  if (context.has(2)) shapes.push_back(context.inputs[2].shape);
  const auto shape = infer_plain(plain_node(context.node, plain_product(context.node)), shapes);
  if (shape) check_shape(context, 3, *shape, "the residual");
  return {{context.inputs[0].type, shape}};
}

std::vector<Tensor> evaluate_fused_product(const EvalContext& context) {
  const TensorType type = output_types(context, infer_fused_product)[0];
  const Tensor operands[] = {wide(context, 0), wide(context, 1), wide(context, 2)};
  Tensor y = evaluate_plain(plain_node(context.node, plain_product(context.node)), operands);
  y = activate(context.node, add_if(context.node, y, wide(context, 3)));
  return {convert(y, type.type)};
}

// BiasGelu and FastGelu: Gelu(x + bias), exact and by tanh.

std::vector<TensorType> infer_bias_gelu(const InferContext& context) {
  check_operands(context.node, 1, 2);
  if (!context.has(1)) return {context.inputs[0]};
  return {{context.inputs[0].type,
           infer_binary(context.node, "Add", context.inputs[0].shape, context.inputs[1].shape)}};
}

std::vector<Tensor> evaluate_bias_gelu(const EvalContext& context) {
  const TensorType type = output_types(context, infer_bias_gelu)[0];
  const Tensor operands[] = {add_if(context.node, wide(context, 0), wide(context, 1))};
  Node gelu = bare_node(context.node, "Gelu");
  gelu.version = 20;
  if (context.node.op == "FastGelu") gelu.attributes.set("approximate", std::string("tanh"));
  return {convert(evaluate_plain(gelu, operands), type.type)};
}

// SkipLayerNormalization: X, residual, scale, bias, bias of the sum. The fourth output is the sum.

std::vector<TensorType> infer_skip_layer(const InferContext& context) {
  check_operands(context.node, 3, 5);
  check_same_type(context, 0, 1);
  const auto& x = context.inputs[0].shape;
  const auto& skip = context.inputs[1].shape;
  if (x && x->empty()) refuse(context.node, "the input is a scalar; it must have an axis");
  if (x && skip && broadcast(context.node, *x, *skip) != *x)
    refuse(context.node, "the residual has shape {}; it must broadcast to the input {}",
           to_string(*skip), to_string(*x));
  for (std::size_t i = 2; x && i < 5; ++i) check_shape(context, i, {x->back()}, "a scale or bias");
  TensorType statistics{ElementType::f32, x};
  if (x) statistics.shape->back() = 1;
  return {context.inputs[0], statistics, statistics, context.inputs[0]};
}

std::vector<Tensor> evaluate_skip_layer(const EvalContext& context) {
  const std::vector<TensorType> types = output_types(context, infer_skip_layer);
  const Tensor sum =
      add_if(context.node, binary(context.node, "Add", wide(context, 0), wide(context, 1)),
             wide(context, 4));
  Node node = bare_node(context.node, "LayerNormalization");
  node.attributes.set("epsilon", context.node.attributes.number("epsilon", 1e-12F));
  node.inputs = {0, 0, context.has(3) ? 0 : no_value};
  const Tensor operands[] = {sum, wide(context, 2), wide(context, 3)};
  const std::vector<Tensor> results = definition_of(node).evaluate({node, operands});
  return {convert(results[0], types[0].type), results[1], results[2], convert(sum, types[3].type)};
}

const Definition definitions[] = {
    {.op = "MatMulIntegerToFloat",
     .domain = domain,
     .infer = infer_integer_to_float,
     .evaluate = evaluate_integer_to_float},
    {.op = "DynamicQuantizeMatMul",
     .domain = domain,
     .infer = infer_dynamic_matmul,
     .evaluate = evaluate_dynamic_matmul},
    {.op = "FusedMatMul",
     .domain = domain,
     .infer = infer_fused_matmul,
     .evaluate = evaluate_fused_matmul},
    {.op = "FusedConv",
     .domain = domain,
     .infer = infer_fused_product,
     .evaluate = evaluate_fused_product},
    {.op = "FusedGemm",
     .domain = domain,
     .infer = infer_fused_product,
     .evaluate = evaluate_fused_product},
    {.op = "BiasGelu", .domain = domain, .infer = infer_bias_gelu, .evaluate = evaluate_bias_gelu},
    {.op = "FastGelu", .domain = domain, .infer = infer_bias_gelu, .evaluate = evaluate_bias_gelu},
    {.op = "SkipLayerNormalization",
     .domain = domain,
     .infer = infer_skip_layer,
     .evaluate = evaluate_skip_layer},
};

}  // namespace

std::span<const Definition> fused_definitions() {
  return definitions;
}

}  // namespace intact
