// Integer products: weights, bias and multipliers as the kernels want them (docs/numerics.md).
#include "engine/lower/integer_product.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/checked.hpp"

namespace intact {

int weight_shift(ElementType type) {
  return type == ElementType::u8 ? 128 : 0;
}

ProductWeights signed_weights(const Lowering& lowering, const Tensor& constant) {
  return {lowering.weights().identity(constant), [constant] {
            const auto* raw = static_cast<const std::uint8_t*>(constant.raw());
            const std::uint8_t flip = weight_shift(constant.type()) != 0 ? 0x80 : 0;
            ProductWeights::Values values(static_cast<std::size_t>(constant.size()));
            std::int8_t* const target = values.data();
            for (std::size_t i = 0, count = values.size(); i < count; ++i)
              target[i] = static_cast<std::int8_t>(raw[i] ^ flip);
            return values;
          }};
}

bool weights_are_bytes(const Value& weights, std::string& reason) {
  if (element_size(weights.grid->type) == 1) return true;
  reason = fmt::format("the weights '{}' lie on the grid {}; quantize the weights to 8 bits",
                       weights.name, to_string(*weights.grid));
  return false;
}

bool read_weights(const Lowering& lowering, const Node& node, ValueId weights, int axis,
                  IntegerProduct& product, std::string& reason) {
  if (!lowering.on_stored_grid(product.activation)) {
    reason = lowering.no_grid_reason(node, 0);
    return false;
  }
  const Value& value = lowering.value(weights);
  if (!value.grid) {
    reason = lowering.no_grid_reason(node, 1);
    return false;
  }
  const Grid& grid = *value.grid;
  if (!weights_are_bytes(value, reason)) return false;
  if (grid.block != 0) {
    reason = fmt::format(
        "the weights '{}' have scales per block, for which {} has no integer kernel; quantize "
        "them with one scale per output channel, along axis {}",
        value.name, node.op, axis);
    return false;
  }
  const auto on_axis = static_cast<std::size_t>(value.constant.shape()[axis]);
  if (!grid.per_tensor() && (*grid.axis != axis || grid.scale.size() != on_axis)) {
    reason = fmt::format(
        "the scales of the weights '{}' run along axis {}; quantize the weights along axis {}, "
        "that of the output channels",
        value.name, *grid.axis, axis);
    return false;
  }
  product.weights = signed_weights(lowering, value.constant);
  const auto channels = static_cast<std::size_t>(product.shape.out_channels);
  product.weight_scale.resize(channels);
  product.weight_zero_point.resize(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const std::size_t k = c % grid.scale.size();
    product.weight_scale[c] = grid.scale[k];
    product.weight_zero_point[c] = grid.zero_point[k] - weight_shift(grid.type);
  }
  const auto& zeros = product.weight_zero_point;
  if (std::all_of(zeros.begin(), zeros.end(), [](std::int32_t z) { return z == 0; }))
    product.weight_zero_point.clear();
  return true;
}

namespace {

/// An int32 bias on the accumulator's own grid stays in integers; any other is added as float.
/// Scales count as equal when they differ by float rounding of the product only.
void place_bias(const Lowering& lowering, const IntegerProduct& product, float scale_x,
                float divisor, ConvOperation& conv) {
  if (product.bias == no_value) return;
  const auto channels = static_cast<std::size_t>(product.shape.out_channels);
  const Value& bias = lowering.value(product.bias);
  const auto at = [&](std::size_t c) { return bias.constant.size() == 1 ? 0 : c; };
  const bool scaled = product.factor != 1.0f || product.bias_factor != 1.0f;
  if (!scaled && bias.grid && bias.grid->type == ElementType::s32) {
    const auto integers = bias.constant.data<std::int32_t>();
    bool same = true;
    for (std::size_t c = 0; c < channels && same; ++c) {
      const std::size_t k = bias.grid->scale.size() == 1 ? 0 : c;
      const float accumulator_scale = scale_x * product.weight_scale[c];
      same = bias.grid->zero_point[k] == 0 &&
             std::abs(bias.grid->scale[k] - accumulator_scale) <= 2.5e-7f * accumulator_scale;
    }
    if (same) {
      for (std::size_t c = 0; c < channels; ++c) conv.bias[c] = integers[at(c)];
      return;
    }
  }
  const Tensor real = real_constant(bias);
  conv.float_bias.resize(channels);
  for (std::size_t c = 0; c < channels; ++c)
    conv.float_bias[c] = real.data<float>()[at(c)] * product.bias_factor / divisor;
}

/// The largest |accumulator| of a channel and of any prefix of its sum, and |t| that the epilogue
/// sees. `magnitude`: the sum of |weight| over its `depth` terms.
bool channel_fits(const ConvOperation& conv, std::size_t c, std::int64_t depth,
                  std::int64_t magnitude, std::string& reason) {
  // Kernels sum products with the raw bytes first and correct for zero points at the end: both
  // parts must fit, each alone and together.
  const std::int64_t zero = conv.weight_zero_point.empty() ? 0 : conv.weight_zero_point[c];
  const std::int64_t raw = 255 * (magnitude + std::abs(zero) * depth);
  const std::int64_t bound = 2 * raw + std::abs(std::int64_t{conv.bias[c]});
  if (bound >= std::int64_t{1} << 31) {
    reason = fmt::format(
        "the 32-bit accumulator of channel {} could overflow ({} terms); fewer terms, or "
        "weights of smaller magnitude and zero point, would fit",
        c, depth);
    return false;
  }
  const double t = static_cast<double>(bound) * std::abs(conv.multiplier[c]) +
                   (conv.float_bias.empty() ? 0.0 : std::abs(conv.float_bias[c]));
  if (conv.stage.output == kernels::Output::u8 && !(t < static_cast<double>(largest_rescaled))) {
    reason = fmt::format(
        "the scales of channel {} differ so much that the rescaled sum could overflow; scales that "
        "differ less would fit",
        c);
    return false;
  }
  return true;
}

}  // namespace

bool fits_any_weights(const ConvOperation& conv, std::int64_t depth, std::string& reason) {
  constexpr std::int64_t most_terms = std::int64_t{1} << 31;  // magnitudes stay within 64 bits
  depth = std::min(depth, most_terms);
  for (std::size_t c = 0; c < static_cast<std::size_t>(conv.shape.out_channels); ++c)
    if (!channel_fits(conv, c, depth, 128 * depth, reason)) return false;
  return true;
}

Tail product_tail(const Lowering& lowering, const Node& last, const IntegerProduct& product) {
  if (product.addend != no_value) return Lowering::no_tail(last);
  return lowering.peek_tail(product.addition ? *product.addition : last);
}

namespace {

/// The operation but for its weights, with the tail behind `last`.
ConvOperation without_weights(const Lowering& lowering, const Node& last,
                              const IntegerProduct& product) {
  const Grid& grid = *lowering.value(product.activation).grid;
  const float scale_x = grid.scale[0];
  const auto channels = static_cast<std::size_t>(product.shape.out_channels);
  const Tail preview = product_tail(lowering, last, product);
  const float divisor = preview.grid ? preview.grid->scale[0] : 1.0f;

  ConvOperation conv;
  conv.shape = product.shape;
  conv.src_zero_point = stored_zero_point(grid);
  conv.weight_zero_point = product.weight_zero_point;
  conv.bias.assign(channels, 0);
  conv.multiplier.resize(channels);
  for (std::size_t c = 0; c < channels; ++c)
    conv.multiplier[c] = scale_x * product.weight_scale[c] * product.factor / divisor;
  place_bias(lowering, product, scale_x, divisor, conv);
  conv.stage = lowering.stage_of(preview);
  if (product.addition) {
    const Grid& added = *lowering.value(product.residual).grid;
    kernels::Residual& residual = conv.residual.emplace();
    residual.zero_point = stored_zero_point(added);
    residual.multiplier = added.scale[0] / divisor;
    residual.dst_zero_point = conv.stage.zero_point;
    residual.dst_lower = conv.stage.lower;
    residual.dst_upper = conv.stage.upper;
    residual.inner_rounding = false;
  }
  return conv;
}

/// The Add that alone reads the result of `last`, when its sum is rounded to bytes and its other
/// operand is on a byte grid and complete before `node` runs.
void find_residual(const Lowering& lowering, const Node& node, const Node& last,
                   IntegerProduct& product) {
  const Node* next = lowering.only_consumer(last.outputs[0]);
  if (product.addend != no_value || next == nullptr || !next->is("Add")) return;
  const ValueId other = next->inputs[next->inputs[0] == last.outputs[0] ? 1 : 0];
  if (lowering.is_constant(other) || !lowering.on_byte_grid(other) ||
      lowering.shape(other) != lowering.shape(last.outputs[0]))
    return;
  const Node* writer = lowering.producer(other);
  const Tail tail = lowering.peek_tail(*next);
  if ((writer != nullptr && writer > &node) || !tail.grid) return;
  constexpr float largest_residual = 1e8f;  // with largest_rescaled below 2^31
  if (!(255 * (lowering.value(other).grid->scale[0] / tail.grid->scale[0]) < largest_residual))
    return;
  product.addition = next;
  product.residual = other;
}

}  // namespace

TensorId transposed_bytes(Lowering& lowering, const Node& node, TensorId from) {
  const StoredTensor& source = lowering.program().tensor(from);
  const std::int64_t k = source.shape[0], m = source.shape[1];
  CopyOperation copy;
  copy.extents = {m, k};
  copy.src_strides = {1, source.pitch()};
  copy.dst_strides = {k, 1};
  const std::string name = source.name + " transposed";
  const TensorId to =
      lowering.new_tensor(name, ElementType::u8, {m, k}, Layout::plain, source.grid);
  Operation& operation = lowering.emit(node, std::move(copy), {from}, to);
  operation.name = name;
  operation.op = "Transpose";
  operation.sources.clear();
  return to;
}

namespace {

/// The addend times its factor, as floats.
TensorId scaled_addend(Lowering& lowering, const Node& node, const IntegerProduct& product) {
  const Value& value = lowering.value(product.addend);
  if (product.bias_factor == 1.0f) return lowering.real(product.addend, Layout::plain);
  if (value.is_constant()) {
    Tensor scaled = real_constant(value).clone();
    for (float& x : scaled.data<float>()) x *= product.bias_factor;
    const TensorId tensor =
        lowering.new_tensor(value.name, ElementType::f32, scaled.shape(), Layout::plain);
    lowering.program().tensor(tensor).constant = scaled;
    return tensor;
  }
  const TensorId factor =
      lowering.new_tensor(node.name + " beta", ElementType::f32, {}, Layout::plain);
  lowering.program().tensor(factor).constant = Tensor::scalar(product.bias_factor);
  const TensorId real = lowering.real(product.addend, Layout::plain);
  const TensorId scaled = lowering.new_tensor(value.name + " times beta", ElementType::f32,
                                              *value.shape, Layout::plain);
  Operation& operation = lowering.emit_float(node, FloatBinaryOperation{kernels::FloatBinary::mul},
                                             {real, factor}, scaled);
  operation.sources.clear();
  return scaled;
}

/// The product as floats of its own, and the float addition behind it with the node's tail.
void emit_with_addend(Lowering& lowering, const Node& node, const IntegerProduct& product,
                      OperationKind kind, std::vector<TensorId> inputs, std::int64_t macs) {
  const TensorId addend = scaled_addend(lowering, node, product);
  const TensorId sum = lowering.new_tensor(node.name + " product", ElementType::f32,
                                           lowering.shape(node.outputs[0]), Layout::plain);
  lowering.emit(node, std::move(kind), std::move(inputs), sum).macs = macs;
  Tail tail = lowering.take_float_tail(node);
  tail.sources.erase(tail.sources.begin(),
                     tail.sources.begin() + static_cast<std::ptrdiff_t>(node.sources.size()));
  tail.op.replace(0, node.op.size(), "Add");
  const TensorId output = lowering.result_tensor(tail, Layout::plain);
  Operation& operation = lowering.emit_float(
      node, tail, FloatBinaryOperation{kernels::FloatBinary::add, tail.lower, tail.upper},
      {sum, addend}, output);
  operation.name = node.name + " plus C";
  operation.reason = fmt::format(
      "the operand C of {} is not a constant per column; one number per column would become "
      "the bias",
      node.op);
}

/// The product with its tail behind `last`, as one operation.
void emit_with_tail(Lowering& lowering, const Node& node, const Node& last, Tail tail,
                    OperationKind kind, std::vector<TensorId> inputs, Layout layout,
                    std::int64_t macs) {
  if (&last != &node) {
    lowering.mark_done(last);
    tail.sources.insert(tail.sources.begin(), node.sources.begin(), node.sources.end());
    tail.op = node.op + "+" + tail.op;
  }
  const TensorId output = lowering.result_tensor(tail, layout);
  lowering.emit(node, tail, std::move(kind), std::move(inputs), output).macs = macs;
}

/// The tail behind the product, its residual addition included; marked as done.
Tail take_product_tail(Lowering& lowering, const Node& last, const IntegerProduct& product) {
  if (!product.addition) return lowering.take_tail(last);
  Tail tail = lowering.take_tail(*product.addition);
  lowering.mark_done(*product.addition);
  tail.sources.insert(tail.sources.begin(), last.sources.begin(), last.sources.end());
  tail.op = last.op + "+" + tail.op;
  return tail;
}

}  // namespace

TensorId activation_bytes(Lowering& lowering, const Node& node, const IntegerProduct& product,
                          Layout layout) {
  const TensorId bytes =
      lowering.bytes(product.activation, product.transposed ? Layout::plain : layout);
  return product.transposed ? transposed_bytes(lowering, node, bytes) : bytes;
}

void emit_product(Lowering& lowering, const Node& node, const Node& last,
                  const IntegerProduct& product, OperationKind kind, std::vector<TensorId> inputs,
                  Layout layout, std::int64_t macs) {
  if (product.addend != no_value)
    emit_with_addend(lowering, node, product, std::move(kind), std::move(inputs), macs);
  else
    emit_with_tail(lowering, node, last, take_product_tail(lowering, last, product),
                   std::move(kind), std::move(inputs), layout, macs);
}

namespace {

/// The sum of |weight| of each output channel.
WeightCache::Block magnitudes(const Lowering& lowering, const ConvOperation& conv,
                              std::size_t channels, std::size_t depth) {
  std::string key = conv.weights.identity();
  extend_key(key, fmt::format("magnitudes/{}", channels));
  return lowering.weights().get(key, channels * sizeof(std::int64_t), [&](void* target) {
    const ProductWeights::Values weights = conv.weights.values();
    auto* const sums = static_cast<std::int64_t*>(target);
    for (std::size_t c = 0; c < channels; ++c) {
      std::int64_t sum = 0;
      const std::int8_t* const row = weights.data() + c * depth;
      for (std::size_t k = 0; k < depth; ++k) sum += std::abs(int{row[k]});
      sums[c] = sum;
    }
  });
}

}  // namespace

bool accumulator_fits(const Lowering& lowering, const ConvOperation& conv, std::string& reason) {
  const auto channels = static_cast<std::size_t>(conv.shape.out_channels);
  const std::int64_t depth = conv.shape.taps() * conv.shape.group_in_channels();
  if (std::string unproven; fits_any_weights(conv, depth, unproven)) return true;
  const WeightCache::Block sums =
      magnitudes(lowering, conv, channels, static_cast<std::size_t>(depth));
  for (std::size_t c = 0; c < channels; ++c)
    if (!channel_fits(conv, c, depth, reinterpret_cast<const std::int64_t*>(sums.get())[c], reason))
      return false;
  return true;
}

std::optional<ConvOperation> convolution_of(const Lowering& lowering, const Node& last,
                                            IntegerProduct& product, std::string& reason) {
  ConvOperation conv = without_weights(lowering, last, product);
  conv.weights = std::move(product.weights);
  if (!accumulator_fits(lowering, conv, reason)) return std::nullopt;
  return conv;
}

void emit_float_result(Lowering& lowering, const Node& node, const Node& last,
                       const IntegerProduct& product, AffineOperation affine, TensorId sum,
                       Layout layout) {
  if (product.addend != no_value)
    return emit_with_addend(lowering, node, product, std::move(affine), {sum}, 0);
  Tail tail = lowering.take_float_tail(last);
  affine.stage = lowering.stage_of(tail);
  emit_with_tail(lowering, node, last, std::move(tail), std::move(affine), {sum}, layout, 0);
}

bool lower_integer_product(Lowering& lowering, const Node& node, const Node& last,
                           IntegerProduct& product, Layout layout, std::string& reason) {
  if (lowering.on_word_grid(product.activation))
    return lower_word_product(lowering, node, last, product, layout, reason);
  find_residual(lowering, node, last, product);
  std::optional<ConvOperation> conv = convolution_of(lowering, last, product, reason);
  if (!conv) return false;
  const std::int64_t macs = multiply_adds(conv->shape);
  std::vector<TensorId> inputs = {activation_bytes(lowering, node, product, layout)};
  if (product.addition) inputs.push_back(lowering.bytes(product.residual, layout));
  emit_product(lowering, node, last, product, std::move(*conv), std::move(inputs), layout, macs);
  return true;
}

bool lower_activation_product(Lowering& lowering, const Node& node, const Node& last,
                              IntegerProduct& product, ValueId second,
                              ActivationMatMulOperation matmul, std::string& reason) {
  const Grid& grid = *lowering.value(second).grid;
  const auto columns = static_cast<std::size_t>(product.shape.out_channels);
  product.weight_scale.assign(columns, grid.scale[0]);
  product.weight_zero_point.assign(columns, stored_zero_point(grid) - 128);
  matmul.product = without_weights(lowering, last, product);
  if (!fits_any_weights(matmul.product, product.shape.in_channels, reason)) return false;
  const kernels::ConvShape& shape = product.shape;
  const std::int64_t macs =
      saturating_product({static_cast<std::int64_t>(matmul.matrix_a.size()), shape.out_pixels(),
                          shape.out_channels, shape.in_channels});
  const TensorId a = activation_bytes(lowering, node, product, Layout::plain);
  const TensorId b = lowering.bytes(second, Layout::plain);
  emit_product(lowering, node, last, product, std::move(matmul), {a, b}, Layout::plain, macs);
  return true;
}

}  // namespace intact
