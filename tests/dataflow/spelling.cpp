// Builders of the spelling cases.
#include "spelling.hpp"

#include <random>

namespace intact::testing {
namespace {

const Shape image = {1, 4, 6, 5}, rows = {7, 12};

const Spelled& output_grid() {
  static const Spelled grid{ElementType::u8, {0.11f}, {121}};
  return grid;
}

/// x -> pair -> op(x, weights, bias) -> pair.
FoldCase product_with(const std::string& name, int opset, const std::string& op, const Shape& input,
                      const Shape& weights_shape, std::int64_t channels,
                      const AttributeList& attributes, const Operand& weights,
                      const Operand& bias) {
  const auto build = [=](ModelBuilder& b) -> FoldModel {
    const ValueId x = pair(b, "x", b.input("image", ElementType::f32, input), image_grid());
    std::vector<ValueId> operands = {x, weights(b, weights_shape)};
    const ValueId addend = bias(b, {channels});
    if (addend != no_value && op != "MatMul") operands.push_back(addend);
    ValueId y = b.node(op, "product", operands, attributes);
    if (addend != no_value && op == "MatMul") y = b.node("Add", "addition", {y, addend});
    return {{pair(b, "y", y, output_grid())}, {random_floats(input, 3, -2.4f, 2.4f)}};
  };
  FoldCase fold{name, build};
  fold.opset = opset;
  return fold;
}

}  // namespace

Spelled image_grid() {
  return {ElementType::u8, {0.019f}, {126}};
}

Tensor integers(ElementType type, const Shape& shape, unsigned seed) {
  Tensor tensor(ElementType::s32, shape);
  std::mt19937 generator(seed);
  const std::int64_t low = lowest(type), count = std::int64_t{highest(type)} - low + 1;
  for (std::int32_t& q : tensor.data<std::int32_t>())
    q = static_cast<std::int32_t>(low + generator() % count);
  return convert(tensor, type);
}

Tensor zero_points(ElementType type, const std::vector<int>& values) {
  Shape shape;
  if (values.size() != 1) shape = {static_cast<std::int64_t>(values.size())};
  return convert(Tensor::from<std::int32_t>(shape, values), type);
}

std::vector<ValueId> grid_operands(ModelBuilder& b, const std::string& name, const Spelled& grid) {
  Shape shape;
  if (grid.scale.size() != 1) shape = {static_cast<std::int64_t>(grid.scale.size())};
  std::vector<ValueId> operands = {b.constant(name + ".s", Tensor::from<float>(shape, grid.scale))};
  if (!grid.zero_point.empty())
    operands.push_back(b.constant(name + ".z", zero_points(grid.type, grid.zero_point)));
  return operands;
}

namespace {

ValueId quantization(ModelBuilder& b, const char* op, const std::string& name, ValueId x,
                     const Spelled& grid) {
  std::vector<ValueId> operands = grid_operands(b, name, grid);
  operands.insert(operands.begin(), x);
  return b.node(op, name, operands, grid.attributes);
}

}  // namespace

ValueId quantize(ModelBuilder& b, const std::string& name, ValueId x, const Spelled& grid) {
  return quantization(b, "QuantizeLinear", name, x, grid);
}

ValueId dequantize(ModelBuilder& b, const std::string& name, ValueId q, const Spelled& grid) {
  return quantization(b, "DequantizeLinear", name, q, grid);
}

ValueId pair(ModelBuilder& b, const std::string& name, ValueId x, const Spelled& grid) {
  return dequantize(b, name + ".dq", quantize(b, name + ".q", x, grid), grid);
}

std::vector<float> spread_scales(std::size_t count, float scale, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<float> scales(count);
  for (float& s : scales) s = scale * (0.5f + static_cast<float>(generator() % 1000) / 1000.0f);
  return scales;
}

Operand stored(const Spelled& grid, unsigned seed) {
  return [=](ModelBuilder& b, const Shape& shape) {
    return dequantize(b, "w.dq", b.constant("w", integers(grid.type, shape, seed)), grid);
  };
}

Operand rounded_floats(const Spelled& grid, float magnitude) {
  return [=](ModelBuilder& b, const Shape& shape) {
    return pair(b, "w", b.constant("w", random_floats(shape, 2, -magnitude, magnitude)), grid);
  };
}

Operand no_operand() {
  return [](ModelBuilder&, const Shape&) { return no_value; };
}

FoldCase conv_with(const std::string& name, int opset, const Operand& weights,
                   const Operand& bias) {
  return product_with(name, opset, "Conv", image, {6, 4, 3, 3}, 6,
                      {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}}, weights, bias);
}

FoldCase conv_transpose_with(const std::string& name, int opset, const Operand& weights,
                             const Operand& bias) {
  return product_with(name, opset, "ConvTranspose", image, {4, 6, 2, 2}, 6,
                      {{"strides", std::vector<std::int64_t>{2, 2}}}, weights, bias);
}

FoldCase gemm_with(const std::string& name, int opset, bool transpose_b, const Operand& weights,
                   const Operand& bias) {
  return product_with(name, opset, "Gemm", rows, transpose_b ? Shape{10, 12} : Shape{12, 10}, 10,
                      {{"transB", std::int64_t{transpose_b}}}, weights, bias);
}

FoldCase matmul_with(const std::string& name, int opset, const Operand& weights,
                     const Operand& bias) {
  return product_with(name, opset, "MatMul", rows, {12, 10}, 10, {}, weights, bias);
}

FoldCase in_float(FoldCase fold, const std::string& reason, int float_nodes) {
  fold.reason = reason;
  fold.float_nodes = float_nodes;
  return fold;
}

FoldCase before_conv(const std::string& name, int opset,
                     const std::function<ValueId(ModelBuilder&, ValueId)>& between) {
  FoldCase fold{name, [=](ModelBuilder& b) -> FoldModel {
                  const ValueId x = between(b, b.input("image", ElementType::f32, image));
                  const ValueId w = stored({ElementType::s8, {0.01f}, {0}})(b, {6, 4, 3, 3});
                  return {{pair(b, "y", b.node("Conv", "conv", {x, w}), output_grid())},
                          {random_floats(image, 3, -2.4f, 2.4f)}};
                }};
  fold.opset = opset;
  return fold;
}

FoldCase behind_conv(const std::string& name, int opset,
                     const std::function<std::vector<ValueId>(ModelBuilder&, ValueId)>& behind) {
  FoldCase fold{
      name, [=](ModelBuilder& b) -> FoldModel {
        const ValueId x = pair(b, "x", b.input("image", ElementType::f32, image), image_grid());
        const ValueId w = stored({ElementType::s8, {0.01f}, {0}})(b, {6, 4, 3, 3});
        return {behind(b, b.node("Conv", "conv", {x, w})), {random_floats(image, 3, -2.4f, 2.4f)}};
      }};
  fold.opset = opset;
  return fold;
}

}  // namespace intact::testing
