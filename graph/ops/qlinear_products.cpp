// QLinearConv, QLinearMatMul and QGemm: the exact integer product (integers below 2^53 are exact in
// double), then real = product * scale_a * scale_b in double, then the output's grid.
#include <algorithm>

#include "graph/ops/checks.hpp"
#include "graph/ops/composed.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/groups.hpp"
#include "graph/ops/quantized.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

constexpr QuantizedOperand first{0, 1, 2}, second{3, 4, 5};

/// The product's reals: `product` times the scales of both operands. A per-axis scale of the first
/// operand runs along `first_axis` of the product, one of the second along `second_axis`.
void apply_scales(Tensor& product, const Grid& a, std::size_t first_axis, const Grid& b,
                  std::size_t second_axis, double factor = 1) {
  const auto values = product.data<double>();
  const auto indices = [&](const Grid& grid, std::size_t axis) {
    Shape entries(product.shape().size(), 1);
    if (grid.scale.size() > 1) entries[axis] = static_cast<std::int64_t>(grid.scale.size());
    return broadcast_indices(entries, product.shape());
  };
  const auto a_index = indices(a, first_axis), b_index = indices(b, second_axis);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] *= static_cast<double>(a.scale[a_index[i]]) *
                 static_cast<double>(b.scale[b_index[i]]) * factor;
}

Grid grid_at(const EvalContext& context, QuantizedOperand place, std::optional<int> axis) {
  const Tensor& integers = context.inputs[place.integers];
  return read_grid(context.node, integers.type(), context.inputs[place.scale],
                   operand(context, place.zero_point), axis, integers.shape());
}

/// q - zero_point.
Tensor steps_at(const EvalContext& context, QuantizedOperand place, std::optional<int> axis) {
  return without_zero_point(context.node, context.inputs[place.integers],
                            operand(context, place.zero_point), axis);
}

/// The scale and zero point of matrix operand i may run along its rows (i = 0) or columns (i = 1).
std::optional<int> matrix_axis(std::size_t rank, std::size_t i) {
  if (rank < 2) return std::nullopt;
  return static_cast<int>(i == 0 ? rank - 2 : rank - 1);
}

std::optional<int> matrix_axis(const InferContext& context, QuantizedOperand place, std::size_t i) {
  const auto& shape = context.inputs[place.integers].shape;
  return shape ? matrix_axis(shape->size(), i) : std::optional<int>(0);
}

}  // namespace

std::vector<TensorType> infer_qlinear_conv(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 8, 9);
  check_quantized(context, first, std::nullopt);
  check_quantized(context, second, 0);
  if (context.has(8)) check_type(context, 8, {ElementType::s32});
  const Node plain = plain_node(node, "Conv");
  const bool channels_last = is_channels_last(node);
  std::vector<std::optional<Shape>> shapes = {context.inputs[0].shape, context.inputs[3].shape};
  if (channels_last && shapes[0]) shapes[0] = to_channels_first(*shapes[0]);
  if (context.has(8)) shapes.push_back(context.inputs[8].shape);
  std::optional<Shape> shape = infer_plain(plain, shapes);
  if (channels_last && shape) shape = to_channels_last(*shape);
  return {{quantized_output_type(context, 6, 7, context.inputs[0].type), shape}};
}

std::vector<Tensor> evaluate_qlinear_conv(const EvalContext& context) {
  const TensorType type = output_types(context, infer_qlinear_conv)[0];
  const Tensor bias = context.has(8) ? convert(context.inputs[8], ElementType::f64) : Tensor();
  const bool channels_last = is_channels_last(context.node);
  const Tensor x = steps_at(context, first, std::nullopt);
  const Tensor operands[] = {channels_last ? to_channels_first(x) : x, steps_at(context, second, 0),
                             bias};
  Tensor y = evaluate_plain(plain_node(context.node, "Conv"), operands);
  apply_scales(y, grid_at(context, first, std::nullopt), 1, grid_at(context, second, 0), 1);
  if (channels_last) y = to_channels_last(y);
  return {quantize_output(context, y, 6, 7, type.type)};
}

std::vector<TensorType> infer_qlinear_matmul(const InferContext& context) {
  check_operands(context.node, 8, 8);
  check_quantized(context, first, matrix_axis(context, first, 0));
  check_quantized(context, second, matrix_axis(context, second, 1));
  const std::optional<Shape> shapes[] = {context.inputs[0].shape, context.inputs[3].shape};
  return {{quantized_output_type(context, 6, 7, context.inputs[0].type),
           infer_plain(plain_node(context.node, "MatMul"), shapes)}};
}

std::vector<Tensor> evaluate_qlinear_matmul(const EvalContext& context) {
  const TensorType type = output_types(context, infer_qlinear_matmul)[0];
  const std::size_t a_rank = context.inputs[0].shape().size();
  const std::size_t b_rank = context.inputs[3].shape().size();
  const auto a_axis = matrix_axis(a_rank, 0), b_axis = matrix_axis(b_rank, 1);
  const Tensor operands[] = {steps_at(context, first, a_axis), steps_at(context, second, b_axis)};
  Tensor y = evaluate_plain(plain_node(context.node, "MatMul"), operands);
  // A vector as second operand leaves no axis for its columns, and then has a single scale.
  const std::size_t last = y.shape().empty() ? 0 : y.shape().size() - 1;
  const std::size_t rows = b_rank < 2 ? last : last - (a_rank < 2 ? 0 : 1);
  apply_scales(y, grid_at(context, first, a_axis), rows, grid_at(context, second, b_axis), last);
  return {quantize_output(context, y, 6, 7, type.type)};
}

// QGemm: A, B with scales and zero points, C (s32, on the accumulator's grid), then the output's
// scale and zero point; without these the output is f32.

std::vector<TensorType> infer_qgemm(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 6, 9);
  check_quantized(context, first, std::nullopt);
  const bool transposed = node.attributes.integer("transB", 0) != 0;
  check_quantized(context, second, transposed ? 0 : 1);
  if (context.has(6)) check_type(context, 6, {ElementType::s32});
  if (context.has(8) && !context.has(7))
    refuse(node, "a zero point of the output is given, but no scale; it takes both or none");
  const std::optional<Shape> shapes[] = {context.inputs[0].shape, context.inputs[3].shape,
                                         context.has(6) ? context.inputs[6].shape : std::nullopt};
  const auto shape =
      infer_plain(plain_node(node, "Gemm"), std::span(shapes).first(context.has(6) ? 3 : 2));
  const ElementType type = context.has(7)
                               ? quantized_output_type(context, 7, 8, context.inputs[0].type)
                               : ElementType::f32;
  return {{type, shape}};
}

std::vector<Tensor> evaluate_qgemm(const EvalContext& context) {
  const TensorType type = output_types(context, infer_qgemm)[0];
  const Attributes& attributes = context.node.attributes;
  const int axis = attributes.integer("transB", 0) != 0 ? 0 : 1;
  Node plain = plain_node(context.node, "Gemm");
  plain.attributes.erase("alpha");
  const Tensor operands[] = {
      steps_at(context, first, std::nullopt), steps_at(context, second, axis),
      context.has(6) ? convert(context.inputs[6], ElementType::f64) : Tensor()};
  Tensor y = evaluate_plain(plain, operands);
  apply_scales(y, grid_at(context, first, std::nullopt), 1, grid_at(context, second, axis), 1,
               attributes.number("alpha", 1));
  if (!context.has(7)) return {convert(y, ElementType::f32)};
  return {quantize_output(context, y, 7, 8, type.type)};
}

}  // namespace intact
