// DynamicQuantizeLinear and DequantizeLinear in front of a product with quantized weights mean the
// product of the bytes: MatMulInteger or ConvInteger, and scales and bias behind a Cast, as files
// with integer operators spell it.
#include <algorithm>
#include <optional>

#include "graph/convert.hpp"
#include "graph/definition.hpp"
#include "graph/element_numbers.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

/// The sums of so many terms fit into 32 bits, whatever the weights and zero points
/// (docs/numerics.md).
constexpr std::int64_t most_terms = 16448;

/// Weights as an integer product takes them: the axis of output channels is that of their scales.
struct IntegerWeights {
  Tensor integers, scale;
  Tensor zero_point;  ///< undefined: all are 0
};

/// Of elements of one byte.
Tensor transposed(const Tensor& matrix) {
  const std::int64_t rows = matrix.shape()[0], columns = matrix.shape()[1];
  Tensor result(matrix.type(), {columns, rows});
  const auto* from = static_cast<const std::uint8_t*>(matrix.raw());
  auto* to = static_cast<std::uint8_t*>(result.raw());
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t column = 0; column < columns; ++column)
      to[column * rows + row] = from[row * columns + column];
  return result;
}

/// `channels`: the axis of output channels. Nothing for weights without an integer product.
std::optional<IntegerWeights> integer_weights(const Value& weights, std::size_t channels) {
  if (!weights.is_constant() || !weights.grid || weights.grid->block != 0) return std::nullopt;
  const Grid& grid = *weights.grid;
  const Shape& shape = weights.constant.shape();
  if (channels >= shape.size() || lowest(grid.type) < -128 || highest(grid.type) > 255 ||
      (!grid.per_tensor() && static_cast<std::size_t>(*grid.axis) != channels) ||
      element_count(shape) == 0 || element_count(shape) / shape[channels] > most_terms)
    return std::nullopt;
  const ElementType type = lowest(grid.type) < 0 ? ElementType::s8 : ElementType::u8;
  const Shape per_channel =
      grid.per_tensor() ? Shape{} : Shape{static_cast<std::int64_t>(grid.scale.size())};
  IntegerWeights result{
      convert(weights.constant, type), Tensor::from<float>(per_channel, grid.scale), {}};
  if (std::ranges::any_of(grid.zero_point, [](std::int32_t zero) { return zero != 0; }))
    result.zero_point = convert(Tensor::from<std::int32_t>(per_channel, grid.zero_point), type);
  return result;
}

/// Numbers per channel, for a tensor of rank `rank` whose axis 1 they run along.
Tensor along_axis_1(const Tensor& numbers, std::size_t rank) {
  if (numbers.rank() == 0) return numbers;
  Shape shape(rank - 1, 1);
  shape[0] = numbers.size();
  return numbers.reshaped(shape);
}

Tensor scaled(const Tensor& numbers, float factor) {
  Tensor result = convert(numbers, ElementType::f32).clone();
  for (float& number : result.data<float>()) number *= factor;
  return result;
}

class Multiplication {
 public:
  explicit Multiplication(Graph& graph) : graph_(graph), rewriter_(graph) {}

  void run() {
    for (Node& node : rewriter_.take_nodes()) {
      rewriter_.redirect_inputs(node);
      if (!take_conv(node) && !take_matrix(node)) rewriter_.push(std::move(node));
    }
    rewriter_.finish();
  }

 private:
  /// The DynamicQuantizeLinear whose integers `reals` stand for; null for other tensors.
  const Node* quantization_of(ValueId reals);
  bool take_conv(Node& node);
  bool take_matrix(Node& node);
  /// The product `op` of the bytes behind `quantize`, in place of `node`.
  void multiply(Node node, std::string_view op, const Node& quantize, IntegerWeights weights,
                ValueId bias);
  ValueId push(const Node& node, const char* op, std::vector<ValueId> inputs,
               Attributes attributes = {});
  ValueId constant(const Node& node, const char* what, Tensor tensor) {
    return graph_.add_constant(rewriter_.names.get(node.name + "/" + what), std::move(tensor));
  }

  Graph& graph_;
  Rewriter rewriter_;
};

const Node* Multiplication::quantization_of(ValueId reals) {
  const Node* dequantize = rewriter_.producer(reals);
  if (dequantize == nullptr || !dequantize->is("DequantizeLinear")) return nullptr;
  const Node* quantize = rewriter_.producer(dequantize->inputs[0]);
  const bool matches = quantize != nullptr && quantize->is("DynamicQuantizeLinear") &&
                       quantize->outputs == dequantize->inputs;
  return matches ? quantize : nullptr;
}

ValueId Multiplication::push(const Node& node, const char* op, std::vector<ValueId> inputs,
                             Attributes attributes) {
  Node made;
  made.op = op;
  made.version = 13;
  made.name = node.name + "/" + op;
  made.inputs = std::move(inputs);
  made.attributes = std::move(attributes);
  const ValueId output = graph_.add_value(rewriter_.names.get(made.name));
  made.outputs = {output};
  rewriter_.push(std::move(made));
  return output;
}

void Multiplication::multiply(Node node, std::string_view op, const Node& quantize,
                              IntegerWeights weights, ValueId bias) {
  const std::vector<ValueId> dynamic = quantize.outputs;
  const ValueId output = node.outputs[0];
  Node product = node;
  product.op = op;
  product.version = 10;
  product.inputs = {dynamic[0], constant(node, "integers", std::move(weights.integers)),
                    dynamic[2]};
  if (weights.zero_point.defined())
    product.inputs.push_back(constant(node, "zero_point", std::move(weights.zero_point)));
  product.outputs = {graph_.add_value(rewriter_.names.get(node.name + "/sums"))};
  Attributes to_float;
  to_float.set("to", std::int64_t{element_number(ElementType::f32)});
  const ValueId sums = product.outputs[0];
  rewriter_.push(std::move(product));
  const ValueId scale =
      push(node, "Mul", {dynamic[1], constant(node, "scale", std::move(weights.scale))});
  ValueId y = push(node, "Mul", {push(node, "Cast", {sums}, std::move(to_float)), scale});
  if (bias != no_value) y = push(node, "Add", {y, bias});
  rewriter_.producer(y)->outputs = {output};
}

bool Multiplication::take_conv(Node& node) {
  if (!node.is("Conv")) return false;
  const Node* quantize = quantization_of(node.inputs[0]);
  auto weights = quantize ? integer_weights(graph_.value(node.inputs[1]), 0) : std::nullopt;
  if (!weights || (node.has_input(2) && !graph_.is_constant(node.inputs[2]))) return false;
  const auto rank = static_cast<std::size_t>(weights->integers.rank());
  weights->scale = along_axis_1(weights->scale, rank);
  ValueId bias = no_value;
  if (node.has_input(2))
    bias = constant(node, "bias", along_axis_1(real_constant(graph_.value(node.inputs[2])), rank));
  multiply(std::move(node), "ConvInteger", *quantize, std::move(*weights), bias);
  return true;
}

bool Multiplication::take_matrix(Node& node) {
  const bool gemm = node.is("Gemm");
  if ((!gemm && !node.is("MatMul")) || node.attributes.integer("transA", 0) != 0) return false;
  const Node* quantize = quantization_of(node.inputs[0]);
  const Value& given = graph_.value(node.inputs[1]);
  if (quantize == nullptr || given.constant.rank() != 2) return false;
  const bool transpose = node.attributes.integer("transB", 0) != 0;
  auto weights = integer_weights(given, transpose ? 0 : 1);
  if (!weights) return false;
  if (transpose) weights->integers = transposed(weights->integers);
  weights->scale = scaled(weights->scale, node.attributes.number("alpha", 1));
  const float beta = node.attributes.number("beta", 1);
  ValueId bias = node.has_input(2) && beta != 0 ? node.inputs[2] : no_value;
  if (bias != no_value && beta != 1) {
    if (!graph_.is_constant(bias)) return false;
    bias = constant(node, "bias", scaled(real_constant(graph_.value(bias)), beta));
  }
  node.attributes = {};
  multiply(std::move(node), "MatMulInteger", *quantize, std::move(*weights), bias);
  return true;
}

}  // namespace

void multiply_dynamic_bytes(Graph& graph) {
  Multiplication(graph).run();
}

}  // namespace intact
