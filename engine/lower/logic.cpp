// Comparisons, Where and conversions of element types. Bytes of one grid are compared, and chosen
// from, as they are; a comparison of a grid with one number is a table.
#include <algorithm>
#include <optional>

#include "engine/element_kind.hpp"
#include "engine/lower/broadcast.hpp"
#include "engine/lower/reasons.hpp"

namespace intact {
namespace {

using kernels::Relation;

/// What the kernels compute for an operator: a relation, of the operands in this order or the other
/// one.
struct Comparison {
  Relation relation;
  bool swapped = false;
};

std::optional<Comparison> comparison_of(const Node& node) {
  if (node.domain != "" || node.version < 7) return std::nullopt;
  if (node.op == "Equal") return Comparison{Relation::equal};
  if (node.op == "Less") return Comparison{Relation::less};
  if (node.op == "LessOrEqual") return Comparison{Relation::less_or_equal};
  if (node.op == "Greater") return Comparison{Relation::less, true};
  if (node.op == "GreaterOrEqual") return Comparison{Relation::less_or_equal, true};
  if (node.op == "And") return Comparison{Relation::both};
  if (node.op == "Or") return Comparison{Relation::either};
  if (node.op == "Xor") return Comparison{Relation::one};
  return std::nullopt;
}

bool has_comparison(ElementType type) {
  return type == ElementType::boolean || type == ElementType::s32 || type == ElementType::s64 ||
         type == ElementType::f32;
}

/// The result is a byte grid's bytes, floats, or elements without a grid.
void set_precision(const Lowering& lowering, Operation& operation, ValueId operand) {
  if (lowering.on_byte_grid(operand)) return;
  const Value& value = lowering.value(operand);
  operation.precision = value.type == ElementType::f32 ? Precision::floating : Precision::shape;
  if (operation.precision == Precision::floating)
    operation.reason = "input '" + value.name +
                       "' has no grid; a QuantizeLinear and DequantizeLinear pair before it would "
                       "give it one";
}

// --- comparisons

bool holds(Relation relation, float a, float b) {
  if (relation == Relation::equal) return a == b;
  return relation == Relation::less ? a < b : a <= b;
}

/// The number that all elements of a float constant are.
std::optional<float> number(const Lowering& lowering, ValueId id) {
  const Value& value = lowering.value(id);
  if (!value.is_constant() || value.type != ElementType::f32 || value.constant.size() != 1)
    return std::nullopt;
  return lowering.real_constant_of(id).data<float>()[0];
}

/// A grid compared with one number: each byte has its answer.
bool lower_as_table(Lowering& lowering, const Node& node, Comparison comparison) {
  const std::size_t side = lowering.is_constant(node.inputs[0]) ? 1 : 0;
  const ValueId x = node.inputs[side];
  const auto bound = number(lowering, node.inputs[1 - side]);
  if (!bound || lowering.is_constant(x) || !lowering.on_byte_grid(x) ||
      lowering.shape(x) != lowering.shape(node.outputs[0]))
    return false;
  const Grid& grid = *lowering.value(x).grid;
  TableOperation table;
  for (int q = 0; q < 256; ++q) {
    const float real = static_cast<float>(q - stored_zero_point(grid)) * grid.scale[0];
    const bool x_first = (side == 0) != comparison.swapped;
    table.bytes.push_back(
        holds(comparison.relation, x_first ? real : *bound, x_first ? *bound : real));
  }
  const Layout layout = lowering.layout_of(x);
  const TensorId source = lowering.bytes(x, layout);
  const TensorId target = lowering.new_tensor(lowering.value(node.outputs[0]).name,
                                              ElementType::boolean, lowering.shape(x), layout);
  lowering.bind(node.outputs[0], target);
  lowering.emit(node, std::move(table), {source}, target);
  return true;
}

/// Both operands as bytes of one grid, as reals, or as their own type.
bool lower_comparison(Lowering& lowering, const Node& node, Comparison comparison) {
  ValueId a = node.inputs[0], b = node.inputs[1];
  const Value &first = lowering.value(a), &second = lowering.value(b);
  if (first.type != second.type || !has_comparison(first.type)) return false;
  if (lower_as_table(lowering, node, comparison)) return true;
  if (comparison.swapped) std::swap(a, b);
  const bool bytes =
      lowering.on_byte_grid(a) && lowering.on_byte_grid(b) && first.grid == second.grid;
  const auto stored = [&](ValueId id, Layout layout) {
    return bytes || first.type != ElementType::f32 ? lowering.stored(id, layout)
                                                   : lowering.real(id, layout);
  };
  const Shape& out = lowering.shape(node.outputs[0]);
  const BroadcastLayouts layouts = broadcast_layouts(lowering, {a, b}, out);
  const std::vector<TensorId> inputs = {stored(a, layouts.operands[0]),
                                        stored(b, layouts.operands[1])};
  const TensorId target = lowering.new_tensor(lowering.value(node.outputs[0]).name,
                                              ElementType::boolean, out, layouts.result);
  lowering.bind(node.outputs[0], target);
  Operation& operation = lowering.emit(node, CompareOperation{comparison.relation}, inputs, target);
  if (!bytes) operation.precision = Precision::shape;
  return true;
}

// --- Where

bool lower_where(Lowering& lowering, const Node& node) {
  const ValueId y = node.outputs[0];
  const Value& result = lowering.value(y);
  const std::size_t width = element_size(result.type);
  if (width != 1 && width != 4 && width != 8) return false;
  const bool bytes = lowering.on_byte_grid(y);
  for (const std::size_t i : {1u, 2u}) {
    const Value& operand = lowering.value(node.inputs[i]);
    if (operand.type != result.type) return false;
    if (bytes && (!lowering.on_byte_grid(node.inputs[i]) || operand.grid != result.grid))
      return false;
  }
  if (!bytes && result.grid) return false;
  const BroadcastLayouts layouts = broadcast_layouts(lowering, node.inputs, lowering.shape(y));
  std::vector<TensorId> inputs;
  for (std::size_t i = 0; i < 3; ++i) {
    const bool real = i > 0 && !bytes && result.type == ElementType::f32;
    inputs.push_back(real ? lowering.real(node.inputs[i], layouts.operands[i])
                          : lowering.stored(node.inputs[i], layouts.operands[i]));
  }
  const TensorId target =
      lowering.new_tensor(result.name, bytes ? ElementType::u8 : result.type, lowering.shape(y),
                          layouts.result, bytes ? result.grid : std::nullopt);
  lowering.bind(y, target);
  Operation& operation = lowering.emit(node, SelectOperation{}, std::move(inputs), target);
  if (bytes) return true;
  const bool first = lowering.on_byte_grid(node.inputs[1]);
  const bool second =
      first || (lowering.is_constant(node.inputs[1]) && !lowering.on_byte_grid(node.inputs[2]));
  const ValueId blamed = node.inputs[second ? 2 : 1];
  set_precision(lowering, operation, blamed);
  if (operation.precision == Precision::floating && lowering.is_constant(blamed))
    operation.reason = float_constant_reason(lowering.value(blamed).name);
  if (first && lowering.on_byte_grid(node.inputs[2])) {
    operation.precision = Precision::floating;
    operation.reason = "'" + lowering.value(node.inputs[1]).name + "' and '" +
                       lowering.value(node.inputs[2]).name +
                       "' lie on different grids and the result on none; equal grids, or a "
                       "QuantizeLinear and DequantizeLinear pair behind it, would help";
  }
  return true;
}

// --- conversions

/// Not from reals to integers, where out of range means something.
bool lower_cast(Lowering& lowering, const Node& node) {
  const ValueId x = node.inputs[0], y = node.outputs[0];
  const Value &from = lowering.value(x), &to = lowering.value(y);
  if (lowering.is_constant(x) || from.grid || to.grid || !element_kind(from.type) ||
      !element_kind(to.type) || (from.type == ElementType::f32 && to.type != ElementType::boolean))
    return false;
  const Layout layout = lowering.layout_of(x);
  const TensorId source = lowering.stored(x, layout);
  const TensorId target = lowering.new_tensor(to.name, to.type, lowering.shape(y), layout);
  lowering.bind(y, target);
  Operation& operation = lowering.emit(node, CastOperation{}, {source}, target);
  operation.precision = to.type == ElementType::f32 ? Precision::floating : Precision::shape;
  if (to.type == ElementType::f32)
    operation.reason =
        "it makes floats of integers that lie on no grid; a DequantizeLinear in its "
        "place gives them one";
  return true;
}

}  // namespace

bool lower_logic(Lowering& lowering, const Node& node) {
  if (node.is("Where")) return lower_where(lowering, node);
  if (node.is("Cast")) return lower_cast(lowering, node);
  if (const auto comparison = comparison_of(node))
    return lower_comparison(lowering, node, *comparison);
  return false;
}

}  // namespace intact
