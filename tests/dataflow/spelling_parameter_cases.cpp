// Spellings of scales, zero points and attributes.
#include "spelling.hpp"

namespace intact::testing {
namespace {

ValueId constant_node(ModelBuilder& b, const std::string& name, const Tensor& value) {
  return b.node("Constant", name, {}, {{"value", value}});
}

using Parameters = std::function<std::vector<ValueId>(ModelBuilder&, const std::string&)>;

/// x -> Q -> DQ -> Conv -> pair, with these operands behind the first one of Q and DQ.
FoldCase parameters(const std::string& name, int opset, const Parameters& operands,
                    const AttributeList& quantize_attributes = {},
                    const AttributeList& dequantize_attributes = {}) {
  return before_conv(name, opset, [=](ModelBuilder& b, ValueId x) {
    const auto with = [&](const std::string& prefix, ValueId first) {
      std::vector<ValueId> all = operands(b, prefix);
      all.insert(all.begin(), first);
      return all;
    };
    const ValueId q = b.node("QuantizeLinear", "q", with("q", x), quantize_attributes);
    return b.node("DequantizeLinear", "dq", with("d", q), dequantize_attributes);
  });
}

std::vector<FoldCase> operand_forms() {
  const Tensor scale = Tensor::scalar(0.019f), zero = Tensor::scalar(std::uint8_t{126});
  const auto both = [=](const std::function<ValueId(ModelBuilder&, const std::string&)>& s) {
    return [=](ModelBuilder& b, const std::string& p) {
      return std::vector{s(b, p), b.constant(p + ".z", zero)};
    };
  };
  return {
      parameters("scale_of_one_element", 13,
                 [=](ModelBuilder& b, const std::string& p) {
                   return std::vector{b.constant(p + ".s", scale.reshaped({1})),
                                      b.constant(p + ".z", zero.reshaped({1}))};
                 }),
      parameters("scale_of_one_element_zero_point_scalar", 13,
                 both([=](ModelBuilder& b, const std::string& p) {
                   return b.constant(p + ".s", scale.reshaped({1}));
                 })),
      parameters("scale_with_useless_axis", 13, both([=](ModelBuilder& b, const std::string& p) {
                   return b.constant(p + ".s", scale);
                 }),
                 {{"axis", std::int64_t{0}}}, {{"axis", std::int64_t{0}}}),
      parameters("no_zero_point", 13,
                 [=](ModelBuilder& b, const std::string& p) {
                   return std::vector{b.constant(p + ".s", scale)};
                 }),
      parameters(
          "constant_nodes", 13,
          [=](ModelBuilder& b, const std::string& p) {
            return std::vector{constant_node(b, p + ".s", scale), constant_node(b, p + ".z", zero)};
          }),
      parameters("constant_behind_identity", 13, both([=](ModelBuilder& b, const std::string& p) {
                   return b.node("Identity", p + ".i", {constant_node(b, p + ".s", scale)});
                 })),
      parameters(
          "scale_is_a_product", 13, both([](ModelBuilder& b, const std::string& p) {
            return b.node("Mul", p + ".m", {b.scalar(p + ".a", 0.0095f), b.scalar(p + ".b", 2.0f)});
          })),
      parameters("scale_is_a_quotient", 13, both([](ModelBuilder& b, const std::string& p) {
                   const ValueId range = b.node(
                       "Sub", p + ".sub", {b.scalar(p + ".h", 2.4f), b.scalar(p + ".l", -2.4f)});
                   return b.node("Div", p + ".div", {range, b.scalar(p + ".n", 255.0f)});
                 })),
      parameters(
          "scale_is_squeezed", 13, both([=](ModelBuilder& b, const std::string& p) {
            return b.node("Squeeze", p + ".q", {b.constant(p + ".s", scale.reshaped({1, 1}))});
          })),
      parameters(
          "scale_is_cast", 13, both([](ModelBuilder& b, const std::string& p) {
            return b.node("Cast", p + ".c", {b.scalar(p + ".s", 0.019)}, {{"to", std::int64_t{1}}});
          })),
      parameters("zero_point_is_cast", 13,
                 [=](ModelBuilder& b, const std::string& p) {
                   return std::vector{b.constant(p + ".s", scale),
                                      b.node("Cast", p + ".c", {b.scalar(p + ".z", 126.0f)},
                                             {{"to", std::int64_t{2}}})};
                 }),
  };
}

std::vector<FoldCase> attributes() {
  const Parameters scale = [](ModelBuilder& b, const std::string& p) {
    return std::vector{b.scalar(p + ".s", 0.025f)};
  };
  const Parameters unsigned_grid = [](ModelBuilder& b, const std::string& p) {
    return std::vector{b.scalar(p + ".s", 0.019f), b.scalar(p + ".z", std::uint8_t{126})};
  };
  const auto integer = [](const char* name, std::int64_t value) -> AttributeList {
    return {{name, value}};
  };
  return {
      parameters("saturate", 19, unsigned_grid, integer("saturate", 1)),
      parameters("saturate_off", 19, unsigned_grid, integer("saturate", 0)),
      parameters("output_dtype_u8", 21, unsigned_grid, integer("output_dtype", 2)),
      parameters("output_dtype_s8_without_zero_point", 21, scale, integer("output_dtype", 3)),
      parameters("output_dtype_default", 21, unsigned_grid, integer("output_dtype", 0)),
      parameters("block_size_0", 21, unsigned_grid, integer("block_size", 0),
                 integer("block_size", 0)),
      parameters("output_dtype_of_dequantize", 23, unsigned_grid, {}, integer("output_dtype", 1)),
      parameters("precision", 23, unsigned_grid, integer("precision", 1)),
      parameters("float_everything", 25, unsigned_grid,
                 {{"precision", std::int64_t{1}}, {"saturate", std::int64_t{1}}},
                 integer("output_dtype", 1)),
  };
}

}  // namespace

std::vector<FoldCase> spelling_parameter_cases() {
  std::vector<FoldCase> cases;
  for (const auto list : {operand_forms, attributes})
    for (FoldCase& fold : list()) cases.push_back(std::move(fold));
  return cases;
}

}  // namespace intact::testing
