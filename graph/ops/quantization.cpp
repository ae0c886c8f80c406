// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear; Round, Bytes and FromBytes, their
// canonical forms.
#include <algorithm>
#include <cmath>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/half.hpp"
#include "graph/ops/element_types.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/quantized.hpp"
#include "graph/ops/registry.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

constexpr std::initializer_list<ElementType> grid_types = {
    ElementType::u8, ElementType::s8, ElementType::u16, ElementType::s16,
    ElementType::u4, ElementType::s4, ElementType::u2,  ElementType::s2};
constexpr std::initializer_list<ElementType> integer_types = {
    ElementType::u8, ElementType::s8, ElementType::u16, ElementType::s16, ElementType::u4,
    ElementType::s4, ElementType::u2, ElementType::s2,  ElementType::s32};

/// Integers, or 8-bit floats.
void check_quantized_type(const InferContext& context, std::size_t operand,
                          std::initializer_list<ElementType> integers) {
  if (!is_float8(context.inputs[operand].type)) check_type(context, operand, integers);
}

bool is_blocked(const Node& node) {
  return node.attributes.integer("block_size", 0) != 0;
}

/// The axis of per-axis scales; absent when the scale is a single number.
std::optional<int> scale_axis(const Node& node, const Shape& data, const Shape& scale) {
  if (scale.empty() || scale == Shape{1}) return std::nullopt;
  return normalize_axis(node, node.attributes.integer("axis", 1), static_cast<int>(data.size()));
}

/// Blocked scales: as the data, but one entry per block along the axis.
Shape blocked_shape(const Node& node, const Shape& data) {
  const std::int64_t block = node.attributes.integer("block_size", 0);
  if (block < 0) refuse(node, "block_size is {}; it must be positive, or 0 for none", block);
  const int axis =
      normalize_axis(node, node.attributes.integer("axis", 1), static_cast<int>(data.size()));
  Shape shape = data;
  std::int64_t& extent = shape[static_cast<std::size_t>(axis)];
  extent = extent / block + (extent % block != 0 ? 1 : 0);
  return shape;
}

void check_scale_shapes(const InferContext& context) {
  const auto& data = context.inputs[0].shape;
  const auto& scale = context.inputs[1].shape;
  if (!data || !scale) return;
  if (is_blocked(context.node)) {
    const Shape wanted = blocked_shape(context.node, *data);
    check_shape(context, 1, wanted, "the blocked scale");
    check_shape(context, 2, wanted, "the blocked zero point");
    return;
  }
  const std::optional<int> axis = scale_axis(context.node, *data, *scale);
  check_per_axis(context, 1, data, axis, "the scale");
  check_per_axis(context, 2, data, axis, "the zero point");
}

ElementType output_type(const Node& node, ElementType fallback) {
  const std::int64_t number = node.attributes.integer("output_dtype", 0);
  return number == 0 ? fallback : element_type_of_code(node, number);
}

std::vector<TensorType> infer_quantize(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 3);
  check_type(
      context, 0,
      {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16, ElementType::s32});
  ElementType type = output_type(node, ElementType::u8);
  if (context.has(2)) {
    check_quantized_type(context, 2, grid_types);
    const ElementType given = context.inputs[2].type;
    if (node.attributes.integer("output_dtype", 0) != 0 && type != given)
      refuse(node, "output_dtype is {}, but the zero point has type {}; they must be equal",
             element_name(type), element_name(given));
    type = given;
  }
  if (!is_integer(type) && !is_float8(type))
    refuse(node, "output_dtype is {}; it must be an integer type or an 8-bit float",
           element_name(type));
  check_scale_shapes(context);
  return {{type, context.inputs[0].shape}};
}

/// The grid of integers of `type`; of reals for 8-bit floats.
Grid operand_grid(const EvalContext& context, ElementType type) {
  const Node& node = context.node;
  const Shape& data = context.inputs[0].shape();
  const Tensor& scale = context.inputs[1];
  const Tensor zero_point = operand(context, 2);
  if (!is_blocked(node))
    return read_grid(node, type, scale, zero_point, scale_axis(node, data, scale.shape()), data);
  const Shape entries = {scale.size()};
  Grid grid = read_grid(node, type, scale.reshaped(entries),
                        zero_point.defined() ? zero_point.reshaped(entries) : Tensor(), 0, entries);
  grid.axis =
      normalize_axis(node, node.attributes.integer("axis", 1), static_cast<int>(data.size()));
  grid.block = node.attributes.integer("block_size", 0);
  return grid;
}

/// Steps of a grid as 8-bit floats: these have no zero point but 0.
Tensor quantize_to_float8(const EvalContext& context, ElementType type) {
  const bool saturate = context.node.attributes.integer("saturate", 1) != 0;
  const Tensor steps = steps_of(context.inputs[0], operand_grid(context, ElementType::s8));
  return convert(steps, type, saturate);
}

std::vector<Tensor> evaluate_quantize(const EvalContext& context) {
  const ElementType type = output_types(context, infer_quantize)[0].type;
  if (is_float8(type)) return {quantize_to_float8(context, type)};
  return {quantize(context.inputs[0], operand_grid(context, type))};
}

std::vector<TensorType> infer_dequantize(const InferContext& context) {
  check_operands(context.node, 2, 3);
  check_quantized_type(context, 0, integer_types);
  check_type(context, 1, {ElementType::f32, ElementType::f16, ElementType::bf16});
  if (context.has(2)) check_same_type(context, 2, 0);
  check_scale_shapes(context);
  return {{output_type(context.node, context.inputs[1].type), context.inputs[0].shape}};
}

std::vector<Tensor> evaluate_dequantize(const EvalContext& context) {
  const ElementType type = output_types(context, infer_dequantize)[0].type;
  const Tensor& x = context.inputs[0];
  if (!is_float8(x.type())) return {convert(dequantize(x, operand_grid(context, x.type())), type)};
  return {convert(dequantize(convert(x, ElementType::f32), operand_grid(context, ElementType::s8)),
                  type)};
}

std::vector<TensorType> infer_dynamic(const InferContext& context) {
  check_operands(context.node, 1, 1);
  check_type(context, 0, {ElementType::f32});
  return {{ElementType::u8, context.inputs[0].shape},
          {ElementType::f32, Shape{}},
          {ElementType::u8, Shape{}}};
}

std::vector<Tensor> evaluate_dynamic(const EvalContext& context) {
  output_types(context, infer_dynamic);
  float low = 0, high = 0;
  for (const float x : context.inputs[0].data<float>()) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
  const Grid grid = dynamic_grid(low, high);
  check_grid(grid, describe(context.node));
  return {quantize(context.inputs[0], grid), Tensor::scalar(grid.scale[0]),
          Tensor::scalar(static_cast<std::uint8_t>(grid.zero_point[0]))};
}

// Canonical forms.

const Grid& grid_of(const Node& node) {
  if (!node.grid) refuse(node, "the node has no grid; Round, Bytes and FromBytes need one");
  return *node.grid;
}

void check_channels(const InferContext& context) {
  check_operands(context.node, 1, 1);
  const Grid& grid = grid_of(context.node);
  const auto& shape = context.inputs[0].shape;
  if (grid.per_tensor() || !shape) return;
  if (grid.scales_for(*shape) != static_cast<std::int64_t>(grid.scale.size()))
    refuse(context.node, "a tensor of shape {} cannot lie on the grid {}; extents must be equal",
           to_string(*shape), to_string(grid));
}

std::vector<TensorType> infer_round(const InferContext& context) {
  check_channels(context);
  check_type(context, 0, {ElementType::f32, ElementType::f64});
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_round(const EvalContext& context) {
  const TensorType type = output_types(context, infer_round)[0];
  const Grid& grid = grid_of(context.node);
  return {convert(exact_reals(quantize(context.inputs[0], grid), grid), type.type)};
}

std::vector<TensorType> infer_bytes(const InferContext& context) {
  check_channels(context);
  check_type(context, 0, {ElementType::f32, ElementType::f64});
  return {{grid_of(context.node).type, context.inputs[0].shape}};
}

std::vector<Tensor> evaluate_bytes(const EvalContext& context) {
  output_types(context, infer_bytes);
  return {quantize(context.inputs[0], grid_of(context.node))};
}

std::vector<TensorType> infer_from_bytes(const InferContext& context) {
  check_channels(context);
  check_type(context, 0, {grid_of(context.node).type});
  return {{ElementType::f32, context.inputs[0].shape}};
}

std::vector<Tensor> evaluate_from_bytes(const EvalContext& context) {
  output_types(context, infer_from_bytes);
  return {dequantize(context.inputs[0], grid_of(context.node))};
}

const Definition definitions[] = {
    {.op = "QuantizeLinear", .first = 10, .infer = infer_quantize, .evaluate = evaluate_quantize},
    {.op = "DequantizeLinear",
     .first = 10,
     .infer = infer_dequantize,
     .evaluate = evaluate_dequantize},
    {.op = "DynamicQuantizeLinear",
     .first = 11,
     .infer = infer_dynamic,
     .evaluate = evaluate_dynamic},
    {.op = "Round",
     .domain = "intact",
     .first = 0,
     .infer = infer_round,
     .evaluate = evaluate_round,
     .elementwise = true},
    {.op = "Bytes",
     .domain = "intact",
     .first = 0,
     .infer = infer_bytes,
     .evaluate = evaluate_bytes,
     .elementwise = true},
    {.op = "FromBytes",
     .domain = "intact",
     .first = 0,
     .infer = infer_from_bytes,
     .evaluate = evaluate_from_bytes,
     .elementwise = true},
};

}  // namespace

std::span<const Definition> quantization_definitions() {
  return definitions;
}

}  // namespace intact
