// Products of tensors on 16-bit grids: a word is 256 times its high byte plus its low one, and both
// are bytes on grids of their own (Lowering::plane). The products of the planes are exact sums of
// integers; they are added in float (docs/numerics.md).
#include <fmt/format.h>

#include "core/checked.hpp"
#include "engine/lower/integer_product.hpp"

namespace intact {
namespace {

/// The product of one plane of the activation's bytes, in units of its low ones, as floats.
TensorId plane_product(Lowering& lowering, const Node& node, const IntegerProduct& product,
                       ConvOperation conv, const Shape& shape, Layout layout, int which) {
  TensorId plane =
      lowering.plane(product.activation, product.transposed ? Layout::plain : layout, which);
  conv.src_zero_point = lowering.program().tensor(plane).zero_point();
  if (product.transposed) plane = transposed_bytes(lowering, node, plane);
  const float factor = which == 1 ? 256.0f : 1.0f;
  conv.multiplier.assign(static_cast<std::size_t>(conv.shape.out_channels), factor);
  const std::int64_t macs = multiply_adds(conv.shape);
  const TensorId sum =
      lowering.new_tensor(fmt::format("{} of {} bytes", node.name, which == 1 ? "high" : "low"),
                          ElementType::f32, shape, layout);
  Operation& operation = lowering.emit(node, std::move(conv), {plane}, sum);
  operation.macs = macs;
  operation.sources.clear();
  return sum;
}

TensorId emit_addition(Lowering& lowering, const Node& node, TensorId a, TensorId b,
                       const Shape& shape, Layout layout) {
  const TensorId sum =
      lowering.new_tensor(node.name + " of words", ElementType::f32, shape, layout);
  Operation& addition =
      lowering.emit(node, FloatBinaryOperation{kernels::FloatBinary::add}, {a, b}, sum);
  addition.op = "Add";
  addition.sources.clear();
  return sum;
}

/// The bytes of a tensor, or the planes of its words, with what they are multiples of.
struct Plane {
  TensorId bytes;
  float factor;
};
std::vector<Plane> planes_of(Lowering& lowering, ValueId id) {
  if (lowering.on_byte_grid(id)) return {{lowering.bytes(id, Layout::plain), 1}};
  return {{lowering.plane(id, Layout::plain, 1), 256}, {lowering.plane(id, Layout::plain, 0), 1}};
}

}  // namespace

AffineOperation scales_of(const Lowering& lowering, const IntegerProduct& product) {
  const float scale_x = lowering.value(product.activation).grid->scale[0];
  AffineOperation affine;
  for (const float scale_w : product.weight_scale)
    affine.factor.push_back(scale_x * scale_w * product.factor);
  affine.addend.assign(affine.factor.size(), -0.0f);
  if (product.bias != no_value) {
    const Tensor bias = real_constant(lowering.value(product.bias));
    for (std::size_t c = 0; c < affine.addend.size(); ++c)
      affine.addend[c] = bias.data<float>()[bias.size() == 1 ? 0 : c] * product.bias_factor;
  }
  affine.stage.output = kernels::Output::f32;
  return affine;
}

std::optional<ConvOperation> word_convolution(const Lowering& lowering, IntegerProduct& product,
                                              std::string& reason) {
  ConvOperation conv;
  conv.shape = product.shape;
  conv.weights = std::move(product.weights);
  conv.weight_zero_point = product.weight_zero_point;
  conv.stage.output = kernels::Output::f32;
  conv.bias.assign(static_cast<std::size_t>(conv.shape.out_channels), 0);
  conv.multiplier.assign(conv.bias.size(), 1.0f);
  if (!accumulator_fits(lowering, conv, reason)) return std::nullopt;
  return conv;
}

TensorId emit_word_sum(Lowering& lowering, const Node& node, const IntegerProduct& product,
                       ConvOperation conv, const Shape& shape, Layout layout) {
  const Layout plane_layout = product.transposed ? Layout::plain : layout;
  for (const int which : {1, 0}) lowering.plane(product.activation, plane_layout, which);
  const TensorId high = plane_product(lowering, node, product, conv, shape, layout, 1);
  const TensorId low = plane_product(lowering, node, product, std::move(conv), shape, layout, 0);
  return emit_addition(lowering, node, high, low, shape, layout);
}

bool lower_word_product(Lowering& lowering, const Node& node, const Node& last,
                        IntegerProduct& product, Layout layout, std::string& reason) {
  std::optional<ConvOperation> conv = word_convolution(lowering, product, reason);
  if (!conv) return false;
  const TensorId sum = emit_word_sum(lowering, node, product, std::move(*conv),
                                     lowering.shape(node.outputs[0]), layout);
  emit_float_result(lowering, node, last, product, scales_of(lowering, product), sum, layout);
  return true;
}

bool lower_word_activations(Lowering& lowering, const Node& node, const Node& last,
                            IntegerProduct& product, ValueId second,
                            const ActivationMatMulOperation& matmul, std::string& reason) {
  const auto columns = static_cast<std::size_t>(product.shape.out_channels);
  const Shape& shape = lowering.shape(node.outputs[0]);
  ConvOperation conv;
  conv.shape = product.shape;
  conv.stage.output = kernels::Output::f32;
  conv.bias.assign(columns, 0);
  conv.multiplier.assign(columns, 1.0f);
  conv.weight_zero_point.assign(columns, 128);  // of the largest magnitude
  if (!fits_any_weights(conv, product.shape.in_channels, reason)) return false;
  std::vector<Plane> rows = planes_of(lowering, product.activation);
  const std::vector<Plane> others = planes_of(lowering, second);
  const auto zero_point = [&](const Plane& plane) {
    return lowering.program().tensor(plane.bytes).zero_point();
  };
  TensorId sum = no_tensor;
  for (Plane& a : rows) {
    conv.src_zero_point = zero_point(a);
    if (product.transposed) a.bytes = transposed_bytes(lowering, node, a.bytes);
    for (const Plane& b : others) {
      conv.multiplier.assign(columns, a.factor * b.factor);
      conv.weight_zero_point.assign(columns, zero_point(b) - 128);
      ActivationMatMulOperation part = matmul;
      part.product = conv;
      const TensorId own =
          lowering.new_tensor(fmt::format("{} of bytes times {}", node.name, a.factor * b.factor),
                              ElementType::f32, shape, Layout::plain);
      lowering.program().tensor(own).sums = true;
      Operation& operation = lowering.emit(node, std::move(part), {a.bytes, b.bytes}, own);
      operation.macs = saturating_product({static_cast<std::int64_t>(matmul.matrix_a.size()),
                                           conv.shape.out_pixels(), conv.shape.out_channels,
                                           conv.shape.in_channels});
      operation.sources.clear();
      sum = sum == no_tensor ? own : emit_addition(lowering, node, sum, own, shape, Layout::plain);
    }
  }
  product.weight_scale.assign(columns, lowering.value(second).grid->scale[0]);
  emit_float_result(lowering, node, last, product, scales_of(lowering, product), sum,
                    Layout::plain);
  return true;
}

}  // namespace intact
