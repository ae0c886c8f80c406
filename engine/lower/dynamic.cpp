// Integer operators of dynamically quantized models. DynamicQuantizeLinear finds its grid at run
// time; ConvInteger and MatMulInteger behind it multiply bytes with constant weights and give
// 32-bit sums, which the Cast behind them turns into floats. The product with the scale behind the
// Cast, the bias behind that and clamps belong to the same kernel, each rounded as the file has it,
// so that the next range, and with it every byte behind, is that of the file.
#include <algorithm>
#include <optional>

#include "engine/lower/integer_product.hpp"

namespace intact {
namespace {

bool is_byte(ElementType type) {
  return type == ElementType::u8 || type == ElementType::s8;
}

bool lower_dynamic_quantize(Lowering& lowering, const Node& node) {
  const ValueId x = node.inputs[0], y = node.outputs[0];
  if (node.outputs.size() != 3 || lowering.is_constant(x)) return false;
  Layout layout = lowering.layout_of(x);
  for (const int index : lowering.consumers(y))
    if (lowering.graph().nodes[static_cast<std::size_t>(index)].is("ConvInteger"))
      layout = Layout::channels_last;
  const TensorId source = lowering.real(x, lowering.layout_of(x));
  std::vector<TensorId> outputs;
  for (std::size_t i = 0; i < 3; ++i) {
    const ValueId id = node.outputs[i];
    if (id == no_value) {
      outputs.push_back(no_tensor);
      continue;
    }
    const Value& value = lowering.value(id);
    outputs.push_back(
        lowering.new_tensor(value.name, value.type, *value.shape, i == 0 ? layout : Layout::plain));
    lowering.bind(id, outputs.back());
  }
  lowering.emit(node, DynamicQuantizeOperation{}, {source}, outputs[0]).outputs = outputs;
  return true;
}

/// The Cast to float that alone reads the sums; null when there is none.
const Node* cast_of(const Lowering& lowering, const Node& node) {
  const Node* next = lowering.only_consumer(node.outputs[0]);
  const bool casts = next != nullptr && next->is("Cast") &&
                     lowering.value(next->outputs[0]).type == ElementType::f32;
  return casts ? next : nullptr;
}

/// The only consumer of `x` if it is `op`, and its other operand.
const Node* behind(const Lowering& lowering, ValueId x, std::string_view op, ValueId& other) {
  const Node* next = lowering.only_consumer(x);
  if (next == nullptr || !next->is(op) || next->inputs.size() != 2) return nullptr;
  other = next->inputs[0] == x ? next->inputs[1] : next->inputs[0];
  const bool fits = lowering.value(other).type == ElementType::f32 &&
                    lowering.shape(next->outputs[0]) == lowering.shape(x);
  return fits ? next : nullptr;
}

void extend_sources(Lowering& lowering, const Node& node, Tail& tail) {
  tail.sources.insert(tail.sources.end(), node.sources.begin(), node.sources.end());
  lowering.mark_done(node);
}

/// Makes `node` the last of the chain that one kernel computes.
void extend(Lowering& lowering, const Node& node, Tail& tail) {
  tail.result = node.outputs[0];
  tail.op += "+" + node.op;
  extend_sources(lowering, node, tail);
}

/// A constant of one number, or of one per channel (axis `axis` of `product`), as one per channel.
std::optional<std::vector<float>> per_channel(const Lowering& lowering, ValueId id,
                                              const Shape& product, std::size_t axis) {
  if (!lowering.is_constant(id) || lowering.value(id).type != ElementType::f32) return std::nullopt;
  const Tensor constant = real_constant(lowering.value(id));
  const auto values = constant.data<float>();
  const auto channels = static_cast<std::size_t>(product[axis]);
  if (values.size() == 1) return std::vector<float>(channels, values[0]);
  const std::size_t behind = product.size() - axis, rank = constant.shape().size();
  if (values.size() != channels || rank < behind ||
      constant.shape()[rank - behind] != product[axis])
    return std::nullopt;
  return std::vector<float>(values.begin(), values.end());
}

/// The scale of the sums: constants, or a number that only the run knows times constants.
struct SumScale {
  ValueId run_time = no_value;
  std::vector<float> constant;
  ValueId product = no_value;  ///< of the two, where the file computes it
};

std::optional<SumScale> scale_of(const Lowering& lowering, ValueId scale, const Shape& product,
                                 std::size_t axis) {
  SumScale found;
  if (auto constant = per_channel(lowering, scale, product, axis)) {
    found.constant = std::move(*constant);
    return found;
  }
  const auto known = [&](ValueId id) {
    return !lowering.is_constant(id) && lowering.written_at(id) >= 0 &&
           lowering.value(id).type == ElementType::f32 && element_count(lowering.shape(id)) == 1;
  };
  const Node* node = lowering.producer(scale);
  if (node != nullptr && node->is("Mul"))
    for (const std::size_t i : {0, 1}) {
      auto constant = per_channel(lowering, node->inputs[1 - i], product, axis);
      if (!constant || !known(node->inputs[i])) continue;
      found.run_time = node->inputs[i];
      found.constant = std::move(*constant);
      found.product = scale;
      return found;
    }
  if (!known(scale)) return std::nullopt;
  found.run_time = scale;
  found.constant.assign(static_cast<std::size_t>(product[axis]), 1.0f);
  return found;
}

/// The product of the scales has no operation of its own when nobody else reads it.
void take_scale_product(Lowering& lowering, ValueId id, Tail& tail) {
  if (id == no_value || lowering.only_consumer(id) == nullptr) return;
  const int written = lowering.written_at(id);
  if (written < 0) {  // it stands behind the integer product in the file
    extend_sources(lowering, *lowering.producer(id), tail);
    return;
  }
  Operation& operation = lowering.program().operations[static_cast<std::size_t>(written)];
  if (!std::holds_alternative<FloatBinaryOperation>(operation.kind)) return;
  tail.sources.insert(tail.sources.end(), operation.sources.begin(), operation.sources.end());
  operation.inputs.clear();
  operation.outputs.clear();
}

/// The product with the scale of the sums. (The order of the factors changes no bit.)
void take_scale(Lowering& lowering, Tail& tail, ConvOperation& conv, std::vector<TensorId>& inputs,
                std::size_t axis) {
  ValueId operand = no_value;
  const Node* product = behind(lowering, tail.result, "Mul", operand);
  if (product == nullptr) return;
  auto scale = scale_of(lowering, operand, lowering.shape(tail.result), axis);
  if (!scale) return;
  conv.multiplier = std::move(scale->constant);
  if (scale->run_time != no_value) {
    inputs.push_back(lowering.real(scale->run_time, Layout::plain));
    conv.scale_at_run_time = true;
  }
  take_scale_product(lowering, scale->product, tail);
  extend(lowering, *product, tail);
}

/// The addition of a constant per channel.
void take_bias(Lowering& lowering, Tail& tail, ConvOperation& conv, std::size_t axis) {
  ValueId operand = no_value;
  const Node* addition = behind(lowering, tail.result, "Add", operand);
  if (addition == nullptr) return;
  auto bias = per_channel(lowering, operand, lowering.shape(tail.result), axis);
  if (!bias) return;
  conv.float_bias = std::move(*bias);
  conv.bias_apart = true;
  extend(lowering, *addition, tail);
}

/// Relu and Clip behind what has been taken.
void take_clamps(Lowering& lowering, Tail& tail) {
  const Node& last = *lowering.producer(tail.result);
  Tail clamps = lowering.take_float_tail(last);
  clamps.op = tail.op + clamps.op.substr(last.op.size());
  clamps.sources.erase(clamps.sources.begin(),
                       clamps.sources.begin() + static_cast<std::ptrdiff_t>(last.sources.size()));
  clamps.sources.insert(clamps.sources.begin(), tail.sources.begin(), tail.sources.end());
  tail = std::move(clamps);
}

/// Weights as s8 in the file's order, and their zero points per output channel (none: all zero).
bool read_integer_weights(const Lowering& lowering, const Node& node, ConvOperation& conv) {
  const Value& weights = lowering.value(node.inputs[1]);
  if (!weights.is_constant() || !is_byte(weights.constant.type())) return false;
  const int shift = weights.constant.type() == ElementType::u8 ? 128 : 0;
  conv.weights = signed_weights(lowering, weights.constant);
  const auto channels = static_cast<std::size_t>(conv.shape.out_channels);
  std::vector<std::int32_t> zeros(channels, -shift);
  if (node.has_input(3)) {
    const Value& given = lowering.value(node.inputs[3]);
    if (!given.is_constant()) return false;
    const auto count = static_cast<std::size_t>(given.constant.size());
    if (count != 1 && count != channels) return false;
    for (std::size_t c = 0; c < channels; ++c) {
      const std::size_t k = count == 1 ? 0 : c;
      zeros[c] +=
          shift ? given.constant.data<std::uint8_t>()[k] : given.constant.data<std::int8_t>()[k];
    }
  }
  if (std::any_of(zeros.begin(), zeros.end(), [](std::int32_t zero) { return zero != 0; }))
    conv.weight_zero_point = std::move(zeros);
  return true;
}

/// Shape and weights of the product; false for forms that the reference has to evaluate.
bool read_integer_product(const Lowering& lowering, const Node& node, ConvOperation& conv) {
  const Shape& x = lowering.shape(node.inputs[0]);
  const Shape& w = lowering.shape(node.inputs[1]);
  const Shape& y = lowering.shape(node.outputs[0]);
  if (node.is("ConvInteger")) {
    if (x.size() > 5) return false;
    conv.shape = conv_shape(x, y, node.attributes.integer("group", 1),
                            long_axes_last(conv_geometry(node, x, w)));
    if (!read_integer_weights(lowering, node, conv)) return false;
    conv.weights = taps_outside(conv.weights, conv.shape);
    return true;
  }
  if (w.size() != 2 || x.empty() || w[0] == 0 || w[1] == 0) return false;
  conv.shape.in_channels = w[0];
  conv.shape.out_channels = w[1];
  conv.shape.in = conv.shape.out = {1, 1, element_count(x) / w[0]};
  if (!read_integer_weights(lowering, node, conv)) return false;
  conv.weights = transposed(conv.weights, w[0], w[1]);
  return true;
}

/// The zero point of the bytes: absent, or one u8 that is known at run time or before.
bool has_one_zero_point(const Lowering& lowering, const Node& node) {
  return !node.has_input(2) || element_count(lowering.shape(node.inputs[2])) == 1;
}

bool lower_integer_operator(Lowering& lowering, const Node& node) {
  const ValueId x = node.inputs[0];
  const Node* cast = cast_of(lowering, node);
  if (cast == nullptr || lowering.value(x).type != ElementType::u8 || lowering.is_constant(x) ||
      !has_one_zero_point(lowering, node))
    return false;
  ConvOperation conv;
  if (!read_integer_product(lowering, node, conv)) return false;
  const auto channels = static_cast<std::size_t>(conv.shape.out_channels);
  conv.bias.assign(channels, 0);
  conv.multiplier.assign(channels, 1.0f);
  conv.stage.output = kernels::Output::f32;  // what the proof needs to know
  std::string reason;
  if (!accumulator_fits(lowering, conv, reason)) return false;

  const Layout layout = node.is("ConvInteger") ? Layout::channels_last : Layout::plain;
  std::vector<TensorId> inputs = {lowering.bytes(x, layout)};
  conv.zero_point_at_run_time = node.has_input(2);
  if (conv.zero_point_at_run_time) inputs.push_back(lowering.plain(node.inputs[2]));
  Tail tail = Lowering::no_tail(node);
  extend(lowering, *cast, tail);
  const std::size_t axis = node.is("ConvInteger") ? 1 : lowering.shape(tail.result).size() - 1;
  take_scale(lowering, tail, conv, inputs, axis);
  take_bias(lowering, tail, conv, axis);
  take_clamps(lowering, tail);
  conv.stage = lowering.stage_of(tail);
  const std::int64_t macs = multiply_adds(conv.shape);
  const TensorId output = lowering.result_tensor(tail, layout);
  lowering.emit(node, tail, std::move(conv), std::move(inputs), output).macs = macs;
  return true;
}

}  // namespace

bool lower_dynamic(Lowering& lowering, const Node& node) {
  if (node.is("DynamicQuantizeLinear")) return lower_dynamic_quantize(lowering, node);
  if (node.is("ConvInteger") || node.is("MatMulInteger"))
    return lower_integer_operator(lowering, node);
  return false;
}

}  // namespace intact
