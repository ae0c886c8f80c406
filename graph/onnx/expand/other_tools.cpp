// Quantizers of other tools: Quant of Brevitas and QONNX, FakeQuantize of OpenVINO, and the
// QuantizeLinear of AMD's tools under their own names. All of them round to a grid, which
// QuantizeLinear and DequantizeLinear name; what is no grid is written element by element.
#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/convert.hpp"
#include "graph/element_numbers.hpp"
#include "graph/half.hpp"
#include "graph/onnx/expand/families.hpp"

namespace intact {
namespace {

/// Constants in f64 that broadcast to the quantized tensor: several entries run along one axis.
struct Entries {
  std::vector<double> values;
  /// Axis of the tensor, counted from the last (-1), of several entries.
  std::int64_t axis = -1;

  double at(std::size_t i) const { return values[values.size() == 1 ? 0 : i]; }
};

/// Nothing for computed operands, and for entries that run along several axes.
std::optional<Entries> entries_of(const Expansion& e, std::size_t operand) {
  const Tensor* constant = e.constant(e.operand(operand));
  if (constant == nullptr || constant->size() == 0) return std::nullopt;
  const Shape& shape = constant->shape();
  Entries entries;
  int axes = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    ++axes;
    entries.axis = static_cast<std::int64_t>(i) - static_cast<std::int64_t>(shape.size());
  }
  if (axes > 1) return std::nullopt;
  const Tensor wide = convert(*constant, ElementType::f64);
  entries.values.assign(wide.data<double>().begin(), wide.data<double>().end());
  return entries;
}

/// Integers `low` to `high`, those of a smaller range than the type's too.
struct Levels {
  ElementType type;
  std::vector<double> scale, zero_point;
  std::int64_t axis = -1;
  double low, high;

  bool fits() const {
    const auto inside = [&](double zero) {
      return zero == std::nearbyint(zero) && zero >= lowest(type) && zero <= highest(type);
    };
    return std::ranges::all_of(zero_point, inside) && std::ranges::all_of(scale, [](double s) {
             const auto narrow = static_cast<float>(s);
             return narrow > 0 && std::isfinite(narrow);
           });
  }
};

Tensor floats_of(const std::vector<double>& values) {
  Tensor tensor(ElementType::f32,
                values.size() == 1 ? Shape{} : Shape{static_cast<std::int64_t>(values.size())});
  for (std::size_t i = 0; i < values.size(); ++i)
    tensor.data<float>()[i] = static_cast<float>(values[i]);
  return tensor;
}

/// The axis of several entries as QuantizeLinear counts it, from the front.
Attributes axis_attribute(const Expansion& e, const Levels& levels) {
  if (levels.scale.size() == 1) return {};
  const int rank = e.needed_rank(e.operand(0));
  if (levels.axis + rank < 0)
    refuse(e.node(), "its scales have more axes than the tensor of rank {}", rank);
  return attributes_of({{"axis", levels.axis + rank}});
}

/// x in the range of the levels, where that is smaller than the type's.
ValueId clamped(Expansion& e, ValueId x, const Levels& levels) {
  if (levels.low == lowest(levels.type) && levels.high == highest(levels.type)) return x;
  const auto bound = [&](double level) {
    std::vector<double> reals;
    for (std::size_t i = 0; i < levels.scale.size(); ++i)
      reals.push_back((level - levels.zero_point[i]) * levels.scale[i]);
    return reals;
  };
  const auto low = bound(levels.low), high = bound(levels.high);
  if (low.size() == 1)
    return e.add("Clip",
                 {x, e.number(static_cast<float>(low[0])), e.number(static_cast<float>(high[0]))});
  // Bounds along an axis take part in broadcasting: ones behind them.
  Shape shape(static_cast<std::size_t>(-levels.axis), 1);
  shape[0] = static_cast<std::int64_t>(low.size());
  const ValueId above = e.add("Max", {x, e.constant_of("low", floats_of(low).reshaped(shape))});
  return e.add("Min", {above, e.constant_of("high", floats_of(high).reshaped(shape))});
}

/// Output 0 is x rounded to the levels, which stand for reals on the grid `target`.
void give_rounded(Expansion& e, const Levels& levels, const Levels& target) {
  const Attributes axis = axis_attribute(e, levels);
  const auto grid = [&](const Levels& l) {
    return std::pair(e.constant_of("scale", floats_of(l.scale)),
                     e.constant_of("zero_point", convert(floats_of(l.zero_point), l.type)));
  };
  const auto [scale, zero_point] = grid(levels);
  const ValueId x = clamped(e, e.operand(0), levels);
  const ValueId integers = e.main(e.add("QuantizeLinear", {x, scale, zero_point}, axis));
  const auto [scale_out, zero_point_out] =
      &levels == &target ? std::pair(scale, zero_point) : grid(target);
  e.give(0, e.add("DequantizeLinear", {integers, scale_out, zero_point_out}, axis));
}

ElementType type_for(std::int64_t bits, bool is_signed) {
  if (bits <= 8) return is_signed ? ElementType::s8 : ElementType::u8;
  return is_signed ? ElementType::s16 : ElementType::u16;
}

// Quant: x, scale, zero point, number of bits; the last three are floats.

/// The first and the last integer of `bits` bits.
std::pair<double, double> integer_range(const Expansion& e, double bits) {
  const bool narrow = e.node().attributes.integer("narrow", 0) != 0;
  if (e.node().attributes.integer("signed", 1) != 0)
    return {-std::exp2(bits - 1) + (narrow ? 1 : 0), std::exp2(bits - 1) - 1};
  return {0, std::exp2(bits) - (narrow ? 2 : 1)};
}

double bits_of(const Expansion& e) {
  const auto bits = entries_of(e, 3);
  if (!bits || bits->values.size() != 1)
    refuse_unsupported(e.node(), "the number of bits has to be one constant");
  const double value = bits->values[0];
  if (value != std::nearbyint(value) || value < 1 || value > 32)
    refuse(e.node(), "the number of bits is {}; it must be an integer from 1 to 32", value);
  return value;
}

std::optional<Levels> levels_of_quant(const Expansion& e, double bits) {
  const auto scale = entries_of(e, 1), zero_point = entries_of(e, 2);
  if (!scale || !zero_point || bits > 16) return std::nullopt;
  const std::size_t count = std::max(scale->values.size(), zero_point->values.size());
  if (std::min(scale->values.size(), zero_point->values.size()) != 1 &&
      (scale->values.size() != zero_point->values.size() || scale->axis != zero_point->axis))
    return std::nullopt;
  const auto [low, high] = integer_range(e, bits);
  Levels levels{
      type_for(static_cast<std::int64_t>(bits), e.node().attributes.integer("signed", 1) != 0),
      {},
      {},
      scale->values.size() > 1 ? scale->axis : zero_point->axis,
      low,
      high};
  for (std::size_t i = 0; i < count; ++i) {
    levels.scale.push_back(scale->at(i));
    levels.zero_point.push_back(zero_point->at(i));
  }
  return levels.fits() ? std::optional(levels) : std::nullopt;
}

enum class Rounding { even, down, up, to_zero, from_zero, half_from_zero, half_to_zero };

Rounding rounding_of(const Node& node) {
  std::string mode = node.attributes.text("rounding_mode", "ROUND");
  std::ranges::transform(mode, mode.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  if (mode == "ROUND" || mode == "HALF_EVEN") return Rounding::even;
  if (mode == "FLOOR") return Rounding::down;
  if (mode == "CEIL") return Rounding::up;
  if (mode == "DOWN" || mode == "ROUND_TO_ZERO") return Rounding::to_zero;
  if (mode == "UP") return Rounding::from_zero;
  if (mode == "HALF_UP") return Rounding::half_from_zero;
  if (mode == "HALF_DOWN") return Rounding::half_to_zero;
  refuse(node,
         "rounding_mode is '{}'; it must be ROUND, CEIL, FLOOR, UP, DOWN, HALF_UP or HALF_DOWN",
         mode);
}

ValueId rounded(Expansion& e, ValueId x, Rounding rounding) {
  // Those that are symmetric round the magnitude.
  const auto magnitude = [&](const char* op, float shift) {
    ValueId size = e.add("Abs", {x});
    if (shift != 0) size = e.add("Add", {size, e.number(shift)});
    return e.add("Mul", {e.add("Sign", {x}), e.add(op, {size})});
  };
  switch (rounding) {
    case Rounding::even:
      return e.add("Round", {x});
    case Rounding::down:
      return e.add("Floor", {x});
    case Rounding::up:
      return e.add("Ceil", {x});
    case Rounding::to_zero:
      return magnitude("Floor", 0);
    case Rounding::from_zero:
      return magnitude("Ceil", 0);
    case Rounding::half_from_zero:
      return magnitude("Floor", 0.5f);
    case Rounding::half_to_zero:
      return magnitude("Ceil", -0.5f);
  }
  return x;
}

void expand_quant(Expansion& e) {
  const double bits = bits_of(e);
  const Rounding rounding = rounding_of(e.node());
  if (rounding == Rounding::even)
    if (const auto levels = levels_of_quant(e, bits)) return give_rounded(e, *levels, *levels);
  const auto [low, high] = integer_range(e, bits);
  const ValueId scale = e.operand(1), zero_point = e.operand(2);
  const ValueId steps = e.add("Add", {e.add("Div", {e.operand(0), scale}), zero_point});
  const ValueId inside =
      e.add("Clip", {steps, e.number(static_cast<float>(low)), e.number(static_cast<float>(high))});
  const ValueId integers = e.main(rounded(e, inside, rounding));
  e.give(0, e.add("Mul", {e.add("Sub", {integers, zero_point}), scale}));
}

/// The scale or its negative, which lie on a grid where the scale is known.
void expand_bipolar_quant(Expansion& e) {
  const ValueId scale = e.operand(1);
  const ValueId positive = e.add("GreaterOrEqual", {e.operand(0), e.number(0)});
  const ValueId y = e.main(e.add("Where", {positive, scale, e.add("Neg", {scale})}));
  const auto entries = entries_of(e, 1);
  if (!entries || entries->values.size() != 1) return e.give(0, y);
  const Tensor known = floats_of(entries->values);
  if (!(known.data<float>()[0] > 0)) return e.give(0, y);
  const ValueId step = e.constant_of("scale", known);
  const ValueId zero = e.constant_of("zero_point", Tensor::scalar(std::int8_t{0}));
  e.give(0, e.add("DequantizeLinear", {e.add("QuantizeLinear", {y, step, zero}), step, zero}));
}

// FakeQuantize: x, its lowest and highest real, and those that they become.

/// A zero point may be this far from an integer: the bounds are floats.
constexpr double zero_tolerance = 1e-3;

/// The levels between the bounds at two operands; nothing when 0 is none of them.
std::optional<Levels> levels_between(const Expansion& e, std::size_t lower, std::size_t upper,
                                     std::int64_t count) {
  const auto low = entries_of(e, lower), high = entries_of(e, upper);
  if (!low || !high || low->values.size() != high->values.size() || low->axis != high->axis)
    return std::nullopt;
  const auto last = static_cast<double>(count - 1);
  const bool words = count > 256;
  Levels levels{words ? ElementType::u16 : ElementType::u8, {}, {}, low->axis, 0, last};
  for (std::size_t i = 0; i < low->values.size(); ++i) {
    const double scale = (high->values[i] - low->values[i]) / last;
    const double zero = -low->values[i] / scale, whole = std::nearbyint(zero);
    if (!(std::fabs(zero - whole) <= zero_tolerance)) return std::nullopt;
    levels.scale.push_back(scale);
    levels.zero_point.push_back(whole);
  }
  // Symmetric ranges, those of weights, have zero points of 0.
  const double middle = std::floor(static_cast<double>(count) / 2);
  if (std::ranges::all_of(levels.zero_point, [&](double zero) { return zero == middle; })) {
    levels.type = words ? ElementType::s16 : ElementType::s8;
    levels.low -= middle;
    levels.high -= middle;
    std::ranges::fill(levels.zero_point, 0.0);
  }
  return levels.fits() ? std::optional(levels) : std::nullopt;
}

void expand_fake_quantize(Expansion& e) {
  const std::int64_t count = e.node().attributes.integer("levels", 0);
  if (count < 2 || count > 65536)
    refuse(e.node(), "levels is {}; it must be from 2 to 65536", count);
  const auto in = levels_between(e, 1, 2, count), out = levels_between(e, 3, 4, count);
  if (in && out && in->type == out->type && in->scale.size() == out->scale.size() &&
      in->axis == out->axis)
    return give_rounded(e, *in, *out);
  const ValueId low = e.operand(1), high = e.operand(2),
                last = e.number(static_cast<float>(count - 1));
  const ValueId inside = e.add("Min", {e.add("Max", {e.operand(0), low}), high});
  const ValueId share = e.add("Div", {e.add("Sub", {inside, low}), e.add("Sub", {high, low})});
  const ValueId level = e.main(e.add("Round", {e.add("Mul", {share, last})}));
  const ValueId range = e.add("Sub", {e.operand(4), e.operand(3)});
  e.give(0, e.add("Add", {e.add("Mul", {e.add("Div", {level, last}), range}), e.operand(3)}));
}

// QuantizeLinear and DequantizeLinear of AMD's tools, whose zero point may have more types.

bool is_standard(ElementType type) {
  switch (type) {
    case ElementType::u4:
    case ElementType::s4:
    case ElementType::u8:
    case ElementType::s8:
    case ElementType::u16:
    case ElementType::s16:
    case ElementType::undefined:
      return true;
    default:
      return false;
  }
}

ValueId cast(Expansion& e, ValueId x, ElementType type) {
  return e.add("Cast", {x}, attributes_of({{"to", std::int64_t{element_number(type)}}}));
}

/// The same operator of operator set 21, whose scales are f32.
void give_standard(Expansion& e, const char* op, ElementType type) {
  ValueId scale = e.operand(1);
  if (const Tensor* given = e.constant(scale); given != nullptr && is_half(given->type()))
    scale = e.constant_of("scale", convert(*given, ElementType::f32));
  const ValueId y = e.main(e.add(op, {e.operand(0), scale, e.optional(2)}, e.node().attributes));
  e.set_version(y, 21);
  if (type != ElementType::undefined) e.walk().graph.value(y).type = type;
  e.give(0, y);
}

void expand_extended_quantize(Expansion& e) {
  const ElementType type = e.has(2) ? e.type(e.operand(2)) : ElementType::u8;
  if (is_standard(type)) return give_standard(e, "QuantizeLinear", type);
  if (e.rank(e.operand(1)).value_or(0) != 0 && e.extent(e.operand(1), 0) != 1)
    refuse_unsupported(e.node(), "several scales with a zero point of type {} are not supported",
                       element_name(type));
  ValueId steps = e.add("Div", {e.operand(0), e.operand(1)});
  if (is_integer(type)) steps = e.add("Round", {steps});
  // In double, which holds all 32-bit integers.
  steps = e.add("Add", {cast(e, steps, ElementType::f64), cast(e, e.operand(2), ElementType::f64)});
  const bool is_signed = type == ElementType::s32;
  const auto bound = [&](double value) { return e.constant_of("bound", Tensor::scalar(value)); };
  if (is_signed || type == ElementType::u32)
    steps = e.add("Clip", {steps, bound(is_signed ? -std::exp2(31) : 0),
                           bound(std::exp2(is_signed ? 31 : 32) - 1)});
  e.give(0, e.main(cast(e, steps, type)));
}

void expand_extended_dequantize(Expansion& e) {
  const ElementType type = e.has(2) ? e.type(e.operand(2)) : e.type(e.operand(0));
  if (is_standard(type) || type == ElementType::s32)
    return give_standard(e, "DequantizeLinear", ElementType::undefined);
  const ValueId steps = e.add(
      "Sub", {cast(e, e.operand(0), ElementType::f64), cast(e, e.operand(2), ElementType::f64)});
  const ValueId reals = e.add("Mul", {cast(e, steps, ElementType::f32), e.operand(1)});
  e.give(0, e.main(reals));
}

constexpr const char *vitis = "com.vai.quantize", *quark = "com.amd.quark";

constexpr ExpansionRule rules[] = {
    {"Quant", "onnx.brevitas", expand_quant},
    {"Quant", "qonnx.custom_op.general", expand_quant},
    {"Quant", "finn.custom_op.general", expand_quant},
    {"IntQuant", "qonnx.custom_op.general", expand_quant},
    {"BipolarQuant", "onnx.brevitas", expand_bipolar_quant},
    {"BipolarQuant", "qonnx.custom_op.general", expand_bipolar_quant},
    {"BipolarQuant", "finn.custom_op.general", expand_bipolar_quant},
    {"FakeQuantize", "org.openvinotoolkit", expand_fake_quantize},
    {"VitisQuantizeLinear", vitis, expand_extended_quantize},
    {"VitisDequantizeLinear", vitis, expand_extended_dequantize},
    {"ExtendedQuantizeLinear", quark, expand_extended_quantize},
    {"ExtendedDequantizeLinear", quark, expand_extended_dequantize},
};

}  // namespace

std::span<const ExpansionRule> other_tool_rules() {
  return rules;
}

}  // namespace intact
