// Products of com.microsoft whose weights are integers and whose result is float:
// MatMulIntegerToFloat and DynamicQuantizeMatMul.
#include "graph/onnx/expand/integer.hpp"

#include "graph/onnx/expand/families.hpp"

namespace intact {
namespace {

constexpr std::int64_t to_f32 = 1;  ///< ONNX's number of the type

void expand_integer_to_float(Expansion& e) {
  const QuantizedValue a{e.operand(0), e.operand(2), e.optional(4)};
  const QuantizedValue b{e.operand(1), e.operand(3), e.optional(5)};
  e.give(0, e.add_optional(integer_product(e, a, b), e.optional(6)));
}

void expand_dynamic_matmul(Expansion& e) {
  const auto a = e.add_several("DynamicQuantizeLinear", {e.operand(0)}, 3);
  const QuantizedValue b{e.operand(1), e.operand(2), e.optional(3)};
  e.give(0, e.add_optional(integer_product(e, {a[0], a[1], a[2]}, b), e.optional(4)));
}

constexpr const char* microsoft = "com.microsoft";

constexpr ExpansionRule rules[] = {
    {"MatMulIntegerToFloat", microsoft, expand_integer_to_float},
    {"DynamicQuantizeMatMul", microsoft, expand_dynamic_matmul},
};

}  // namespace

ValueId integer_product(Expansion& e, QuantizedValue a, QuantizedValue b) {
  if (e.constant(a.scale) != nullptr) {
    const ValueId reals = dequantized(e, a, -2);
    return e.main(e.add("MatMul", {reals, dequantized(e, b, -1)}));
  }
  const ValueId sums =
      e.main(e.add("MatMulInteger", {a.integers, b.integers, a.zero_point, b.zero_point}));
  const ValueId steps = e.add("Cast", {sums}, attributes_of({{"to", to_f32}}));
  return e.add("Mul", {steps, e.add("Mul", {a.scale, b.scale})});
}

std::span<const ExpansionRule> integer_rules() {
  return rules;
}

}  // namespace intact
