// Scales and zero points come in more shapes than DequantizeLinear takes.
#include "graph/onnx/expand/grids.hpp"

#include <algorithm>

#include "graph/convert.hpp"

namespace intact {
namespace {

/// The number of entries where it is fixed in the file.
std::optional<std::int64_t> count_of(const Expansion& e, ValueId id) {
  const Tensor* constant = e.constant(id);
  if (constant != nullptr) return constant->size();
  if (e.rank(id) == 0) return 1;
  if (e.rank(id) == 1) return e.extent(id, 0);
  return std::nullopt;
}

/// One entry `count` times.
Tensor repeated(const Tensor& entry, std::int64_t count) {
  Tensor wide(ElementType::f64, {count});
  const double value = convert(entry, ElementType::f64).data<double>()[0];
  std::ranges::fill(wide.data<double>(), value);
  return convert(wide, entry.type());
}

/// Entries along one axis: constants of more axes lose those of extent 1. Null when more than one
/// axis is left.
bool as_vector(Expansion& e, ValueId& id) {
  const Tensor* constant = e.constant(id);
  if (constant == nullptr) return !e.rank(id) || *e.rank(id) <= 1;
  if (constant->rank() <= 1) return true;
  const Shape& shape = constant->shape();
  if (std::ranges::count_if(shape, [](std::int64_t extent) { return extent != 1; }) > 1)
    return false;
  id = e.constant_of("vector", constant->reshaped({constant->size()}));
  return true;
}

/// Scale and zero point with the same number of entries.
void match(Expansion& e, ValueId& scale, ValueId& zero_point) {
  if (zero_point == no_value) return;
  const auto scales = count_of(e, scale), zeros = count_of(e, zero_point);
  const Tensor *known_scale = e.constant(scale), *known_zero = e.constant(zero_point);
  if (scales == 1 && zeros && *zeros > 1 && known_scale != nullptr)
    scale = e.constant_of("scale", repeated(*known_scale, *zeros));
  else if (zeros == 1 && scales && *scales > 1 && known_zero != nullptr)
    zero_point = e.constant_of("zero_point", repeated(*known_zero, *scales));
  else if (zeros == 1 && scales == 1 && known_zero != nullptr)
    zero_point = known_zero->rank() == 0 ? zero_point
                                         : e.constant_of("zero_point", known_zero->reshaped({}));
}

/// scale * (q - zero_point), operator by operator.
ValueId affine(Expansion& e, QuantizedValue value) {
  const Attributes to_float = attributes_of({{"to", std::int64_t{1}}});
  ValueId steps = e.add("Cast", {value.integers}, to_float);
  if (value.zero_point != no_value)
    steps = e.add("Sub", {steps, e.add("Cast", {value.zero_point}, to_float)});
  return e.add("Mul", {steps, value.scale});
}

/// Half-precision scales as f32, which holds them exactly: a grid has scales of f32.
void widen(Expansion& e, ValueId& scale) {
  const Tensor* constant = e.constant(scale);
  if (constant != nullptr &&
      (constant->type() == ElementType::f16 || constant->type() == ElementType::bf16))
    scale = e.constant_of("scale", convert(*constant, ElementType::f32));
}

}  // namespace

QuantizedValue quantized_at(const Expansion& e, QuantizedPlace place) {
  return {e.operand(place.integers), e.operand(place.scale), e.optional(place.zero_point)};
}

ValueId dequantized(Expansion& e, QuantizedValue value, int axis) {
  widen(e, value.scale);
  if (!as_vector(e, value.scale) ||
      (value.zero_point != no_value && !as_vector(e, value.zero_point)))
    return affine(e, value);
  match(e, value.scale, value.zero_point);
  Attributes attributes;
  if (count_of(e, value.scale) != 1) {
    const std::optional<int> rank = e.rank(value.integers);
    attributes.set("axis", std::int64_t{axis < 0 && rank ? axis + *rank : axis});
  }
  return e.add("DequantizeLinear", {value.integers, value.scale, value.zero_point}, attributes);
}

ValueId dequantized_bias(Expansion& e, ValueId bias, ValueId scale_a, ValueId scale_b, float factor,
                         int axis) {
  if (bias == no_value) return no_value;
  widen(e, scale_a);
  widen(e, scale_b);
  const Tensor *a = e.constant(scale_a), *b = e.constant(scale_b);
  const bool constants = a != nullptr && b != nullptr && a->size() == 1 &&
                         a->type() == ElementType::f32 && b->type() == ElementType::f32;
  if (constants) {
    // In the order in which kernels multiply, so that both name the same grid.
    Tensor scale = b->clone();
    for (float& entry : scale.data<float>()) entry = factor * (a->data<float>()[0] * entry);
    return dequantized(e, {bias, e.constant_of("bias_scale", std::move(scale)), no_value}, axis);
  }
  ValueId scale = e.add("Mul", {scale_a, scale_b});
  if (factor != 1) scale = e.add("Mul", {scale, e.number(factor)});
  return affine(e, {bias, scale, no_value});
}

ValueId quantized(Expansion& e, ValueId reals, std::size_t scale, ElementType fallback) {
  ValueId scale_id = e.operand(scale), zero_point = e.optional(scale + 1);
  widen(e, scale_id);
  match(e, scale_id, zero_point);
  if (zero_point == no_value && is_integer(fallback))
    zero_point = e.constant_of("zero_point", convert(Tensor::scalar(0.0), fallback));
  const ElementType type = zero_point == no_value ? ElementType::u8 : e.type(zero_point);
  const ValueId integers = e.add("QuantizeLinear", {reals, scale_id, zero_point});
  e.walk().graph.value(integers).type = type;
  return integers;
}

}  // namespace intact
