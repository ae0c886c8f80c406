// A factor and an addend per channel: BatchNormalization that no convolution before it could take,
// and Mul, Div, Add and Sub by constant vectors, in chains of any length. On a byte grid the chain
// is one pass from bytes to bytes.
#include <algorithm>
#include <cmath>

#include "engine/lower/lowering.hpp"
#include "graph/channel_affine.hpp"

namespace intact {
namespace {

struct Chain {
  ValueId x = no_value;
  Layout layout = Layout::plain;
  std::vector<double> factor, addend;  ///< [channels]
  std::vector<const Node*> nodes;
  bool scales = false;  ///< not only Add, which lower_sum takes
};

Layout layout_of_axis(const Shape& shape, std::size_t axis) {
  return axis == 1 && shape.size() > 2 ? Layout::channels_last : Layout::plain;
}

/// The axis along which a constant that broadcasts to `shape` has all its elements, if that axis is
/// the innermost one of a layout; nothing for other constants.
std::optional<std::size_t> vector_axis(const Shape& constant, const Shape& shape) {
  if (constant.size() > shape.size()) return std::nullopt;
  const std::size_t missing = shape.size() - constant.size();
  for (std::size_t i = 0; i < constant.size(); ++i) {
    const std::size_t axis = missing + i;
    const bool innermost = axis + 1 == shape.size() || (axis == 1 && shape.size() > 2);
    if (constant[i] == shape[axis] && element_count(constant) == shape[axis] && innermost)
      return axis;
  }
  return std::nullopt;
}

/// Applies y = f * x + s behind the chain so far.
void append(Chain& chain, std::size_t c, double f, double s) {
  chain.factor[c] *= f;
  chain.addend[c] = chain.addend[c] * f + s;
}

bool begin(Chain& chain, ValueId x, const Shape& shape, std::size_t axis) {
  const Layout layout = layout_of_axis(shape, axis);
  const auto channels = static_cast<std::size_t>(shape[axis]);
  if (chain.x == no_value) {
    chain.x = x;
    chain.layout = layout;
    chain.factor.assign(channels, 1.0);
    chain.addend.assign(channels, 0.0);
  }
  return chain.layout == layout && chain.factor.size() == channels;
}

bool append_normalization(const Lowering& lowering, const Node& node, Chain& chain) {
  const auto affine = constant_batch_normalization(lowering.graph(), node);
  const Shape& shape = lowering.shape(node.outputs[0]);
  if (!affine || shape.size() < 2 || static_cast<std::size_t>(shape[1]) != affine->factor.size() ||
      !begin(chain, node.inputs[0], shape, 1))
    return false;
  for (std::size_t c = 0; c < chain.factor.size(); ++c)
    append(chain, c, affine->factor[c], affine->shift[c]);
  chain.scales = true;
  return true;
}

bool append_arithmetic(const Lowering& lowering, const Node& node, Chain& chain) {
  const bool multiplies = node.is("Mul"), divides = node.is("Div"), subtracts = node.is("Sub");
  if ((!multiplies && !divides && !subtracts && !node.is("Add")) || node.version < 7) return false;
  const std::size_t side = lowering.is_constant(node.inputs[0]) ? 0 : 1;
  const Value& constant = lowering.value(node.inputs[side]);
  const ValueId x = node.inputs[1 - side];
  if (!lowering.is_constant(node.inputs[side]) || lowering.is_constant(x) || constant.grid ||
      constant.type != ElementType::f32 || (divides && side == 0))
    return false;
  const Shape& shape = lowering.shape(node.outputs[0]);
  const auto axis = vector_axis(constant.constant.shape(), shape);
  if (lowering.shape(x) != shape || !axis || !begin(chain, x, shape, *axis)) return false;
  const auto numbers = constant.constant.data<float>();
  for (std::size_t c = 0; c < chain.factor.size(); ++c) {
    const double v = static_cast<double>(numbers[c]);
    if (multiplies || divides)
      append(chain, c, divides ? 1.0 / v : v, 0);
    else if (subtracts)
      append(chain, c, side == 0 ? -1.0 : 1.0, side == 0 ? v : -v);
    else
      append(chain, c, 1.0, v);
  }
  chain.scales = chain.scales || !node.is("Add");
  return true;
}

bool append_node(const Lowering& lowering, const Node& node, Chain& chain) {
  const ValueId result = node.outputs[0];
  if (node.inputs.empty() || !lowering.value(result).shape ||
      lowering.value(result).type != ElementType::f32)
    return false;
  return append_normalization(lowering, node, chain) || append_arithmetic(lowering, node, chain);
}

/// The node and what follows it as long as it is affine and read by nothing else.
Chain read_chain(const Lowering& lowering, const Node& node) {
  Chain chain;
  for (const Node* next = &node; next != nullptr;) {
    Chain longer = chain;
    if (!append_node(lowering, *next, longer)) break;
    chain = std::move(longer);
    chain.nodes.push_back(next);
    if (lowering.value(next->outputs[0]).grid) break;
    next = lowering.only_consumer(next->outputs[0]);
  }
  return chain;
}

std::vector<float> in_units(const std::vector<double>& numbers, double unit) {
  constexpr auto limit = static_cast<double>(largest_ratio);
  std::vector<float> result;
  for (const double x : numbers)
    result.push_back(static_cast<float>(std::clamp(x * unit, -limit, limit)));
  return result;
}

bool all_finite(const Chain& chain) {
  const auto finite = [](double x) { return std::isfinite(x); };
  return std::all_of(chain.factor.begin(), chain.factor.end(), finite) &&
         std::all_of(chain.addend.begin(), chain.addend.end(), finite);
}

}  // namespace

bool lower_affine(Lowering& lowering, const Node& node) {
  Chain chain = read_chain(lowering, node);
  if (chain.nodes.empty() || !chain.scales || !all_finite(chain) ||
      lowering.value(chain.x).type != ElementType::f32)
    return false;
  const bool on_bytes = lowering.on_byte_grid(chain.x);
  const Node& last = *chain.nodes.back();
  // Of floats only BatchNormalization, which has no other kernel.
  if (!lowering.on_stored_grid(chain.x) &&
      (chain.nodes.size() > 1 || !node.is("BatchNormalization")))
    return false;
  AffineOperation operation;
  const TensorId input =
      on_bytes ? lowering.bytes(chain.x, chain.layout) : lowering.real(chain.x, chain.layout);
  Tail tail = on_bytes ? lowering.take_tail(last) : lowering.take_float_tail(last);
  const double unit = 1.0 / static_cast<double>(tail.grid ? tail.grid->scale[0] : 1.0f);
  if (on_bytes) operation.zero_point = stored_zero_point(*lowering.value(chain.x).grid);
  const double step = on_bytes ? static_cast<double>(lowering.value(chain.x).grid->scale[0]) : 1.0;
  operation.factor = in_units(chain.factor, step * unit);
  operation.addend = in_units(chain.addend, unit);
  operation.stage = lowering.stage_of(tail);
  for (std::size_t i = chain.nodes.size() - 1; i-- > 0;) {
    const Node& inner = *chain.nodes[i];
    if (i > 0) lowering.mark_done(inner);
    tail.sources.insert(tail.sources.begin(), inner.sources.begin(), inner.sources.end());
    tail.op = inner.op + "+" + tail.op;
  }
  if (chain.nodes.size() > 1) lowering.mark_done(last);
  const TensorId output = lowering.result_tensor(tail, chain.layout);
  if (on_bytes)
    lowering.emit(node, tail, std::move(operation), {input}, output);
  else
    lowering.emit_float(node, tail, std::move(operation), {input}, output);
  return true;
}

}  // namespace intact
