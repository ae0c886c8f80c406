// Quantized operators of ONNX (QLinearConv, QLinearMatMul) and of com.microsoft. Each is its plain
// operator between grids.
#include <algorithm>

#include "graph/ops/checks.hpp"
#include "graph/ops/composed.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/quantized.hpp"
#include "graph/ops/registry.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

/// A com.microsoft operator whose quantized operands come first, then the output's scale and zero
/// point.
struct Composition {
  std::string_view op, plain;
  std::size_t operands;
};
constexpr Composition compositions[] = {
    {"QLinearAdd", "Add", 2},
    {"QLinearMul", "Mul", 2},
    {"QLinearSigmoid", "Sigmoid", 1},
    {"QLinearLeakyRelu", "LeakyRelu", 1},
    {"QLinearSoftmax", "Softmax", 1},
    {"QLinearAveragePool", "AveragePool", 1},
    {"QLinearGlobalAveragePool", "GlobalAveragePool", 1},
    {"QLinearReduceMean", "ReduceMean", 1},
};

const Composition& composition_of(const Node& node) {
  return *std::find_if(std::begin(compositions), std::end(compositions),
                       [&](const Composition& entry) { return entry.op == node.op; });
}

Tensor reals_at(const EvalContext& context, QuantizedOperand place) {
  const Tensor& integers = context.inputs[place.integers];
  return exact_reals(integers,
                     read_grid(context.node, integers.type(), context.inputs[place.scale],
                               operand(context, place.zero_point), std::nullopt, integers.shape()));
}

std::vector<TensorType> infer_composition(const InferContext& context) {
  const Composition& composition = composition_of(context.node);
  const std::size_t scale = 3 * composition.operands;
  check_operands(context.node, 2, scale + 2);
  check_present(context.node, scale);
  std::vector<std::optional<Shape>> shapes;
  const bool channels_last = is_channels_last(context.node);
  for (std::size_t i = 0; i < composition.operands; ++i) {
    check_present(context.node, 3 * i);
    check_present(context.node, 3 * i + 1);
    check_quantized(context, {3 * i, 3 * i + 1, 3 * i + 2}, std::nullopt);
    shapes.push_back(context.inputs[3 * i].shape);
    if (channels_last && shapes.back()) shapes.back() = to_channels_first(*shapes.back());
  }
  std::optional<Shape> shape = infer_plain(plain_node(context.node, composition.plain), shapes);
  if (channels_last && shape) shape = to_channels_last(*shape);
  return {{quantized_output_type(context, scale, scale + 1, context.inputs[0].type), shape}};
}

std::vector<Tensor> evaluate_composition(const EvalContext& context) {
  output_types(context, infer_composition);
  const Composition& composition = composition_of(context.node);
  const bool channels_last = is_channels_last(context.node);
  std::vector<Tensor> operands;
  for (std::size_t i = 0; i < composition.operands; ++i) {
    operands.push_back(reals_at(context, {3 * i, 3 * i + 1, 3 * i + 2}));
    if (channels_last) operands.back() = to_channels_first(operands.back());
  }
  Tensor y = evaluate_plain(plain_node(context.node, composition.plain), operands);
  if (channels_last) y = to_channels_last(y);
  const std::size_t scale = 3 * composition.operands;
  return {quantize_output(context, y, scale, scale + 1, context.inputs[0].type())};
}

// QLinearConcat has the output's scale and zero point first.

std::vector<TensorType> infer_concat(const InferContext& context) {
  const std::size_t count = context.inputs.size();
  check_present(context.node, 0);
  if (count < 4 || count % 3 == 0)
    refuse(context.node,
           "{} operands are given; it takes 2 for the output and then 3 for each tensor", count);
  std::vector<std::optional<Shape>> shapes;
  for (std::size_t i = 2; i < count; i += 3) {
    check_present(context.node, i);
    check_present(context.node, i + 1);
    check_quantized(context, {i, i + 1, i + 2}, std::nullopt);
    shapes.push_back(context.inputs[i].shape);
  }
  return {{quantized_output_type(context, 0, 1, context.inputs[2].type),
           infer_plain(plain_node(context.node, "Concat"), shapes)}};
}

std::vector<Tensor> evaluate_concat(const EvalContext& context) {
  output_types(context, infer_concat);
  std::vector<Tensor> operands;
  for (std::size_t i = 2; i < context.inputs.size(); i += 3)
    operands.push_back(reals_at(context, {i, i + 1, i + 2}));
  const Tensor y = evaluate_plain(plain_node(context.node, "Concat"), operands);
  return {quantize_output(context, y, 0, 1, context.inputs[2].type())};
}

Definition microsoft(std::string_view op, std::vector<TensorType> (*infer)(const InferContext&),
                     std::vector<Tensor> (*evaluate)(const EvalContext&)) {
  return {.op = op, .domain = "com.microsoft", .infer = infer, .evaluate = evaluate};
}

std::vector<Definition> list() {
  std::vector<Definition> definitions = {
      {.op = "QLinearConv",
       .first = 10,
       .infer = infer_qlinear_conv,
       .evaluate = evaluate_qlinear_conv},
      {.op = "QLinearMatMul",
       .first = 10,
       .infer = infer_qlinear_matmul,
       .evaluate = evaluate_qlinear_matmul},
      microsoft("QLinearConv", infer_qlinear_conv, evaluate_qlinear_conv),
      microsoft("QGemm", infer_qgemm, evaluate_qgemm),
      microsoft("QLinearConcat", infer_concat, evaluate_concat),
  };
  for (const Composition& composition : compositions)
    definitions.push_back(microsoft(composition.op, infer_composition, evaluate_composition));
  return definitions;
}

}  // namespace

std::span<const Definition> qlinear_definitions() {
  static const std::vector<Definition> definitions = list();
  return definitions;
}

}  // namespace intact
