// Spellings of scales, zero points and attributes.
#include "spelling.hpp"

namespace intact::testing {
namespace {

constexpr ElementType u8 = ElementType::u8, s8 = ElementType::s8, f16 = ElementType::f16;

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

// --- half precision: scales that it holds exactly

ValueId half_constant(ModelBuilder& b, const std::string& name, float value) {
  return b.constant(name, convert(Tensor::scalar(value), f16));
}

ValueId cast(ModelBuilder& b, const std::string& name, ValueId x, std::int64_t to) {
  return b.node("Cast", name, {x}, {{"to", to}});
}

constexpr std::int64_t to_f32 = 1, to_f16 = 10;

ValueId half_pair(ModelBuilder& b, const std::string& name, ValueId x, float scale,
                  std::uint8_t zero) {
  const ValueId z = b.scalar(name + ".z", zero);
  const ValueId q =
      b.node("QuantizeLinear", name + ".q", {x, half_constant(b, name + ".s", scale), z});
  return b.node("DequantizeLinear", name + ".dq", {q, half_constant(b, name + ".t", scale), z});
}

/// A whole convolution in half precision.
FoldCase half_model() {
  FoldCase fold{
      "half_model", [](ModelBuilder& b) -> FoldModel {
        const ValueId x = half_pair(b, "x", b.input("image", f16, {1, 4, 6, 5}), 1.0f / 64, 128);
        const ValueId w = b.node(
            "DequantizeLinear", "w.dq",
            {b.constant("w", integers(s8, {6, 4, 3, 3}, 2)), half_constant(b, "w.s", 1.0f / 128)});
        const ValueId y = half_pair(b, "y", b.node("Conv", "conv", {x, w}), 0.125f, 128);
        b.graph().value(y).type = f16;
        return {{y}, {convert(random_floats({1, 4, 6, 5}, 3, -1.9f, 1.9f), f16)}};
      }};
  fold.opset = 19;
  return fold;
}

std::vector<FoldCase> half_precision() {
  std::vector<FoldCase> cases = {
      before_conv("half_pair_between_casts", 19,
                  [](ModelBuilder& b, ValueId x) {
                    const ValueId half = cast(b, "in", x, to_f16);
                    return cast(b, "out", half_pair(b, "x", half, 1.0f / 64, 128), to_f32);
                  }),
      before_conv("float_pair_behind_cast", 13,
                  [](ModelBuilder& b, ValueId x) {
                    return pair(b, "x", cast(b, "out", cast(b, "in", x, to_f16), to_f32),
                                {u8, {1.0f / 64}, {128}});
                  }),
      before_conv("casts_behind_pair", 13,
                  [](ModelBuilder& b, ValueId x) {
                    const ValueId y = pair(b, "x", x, {u8, {1.0f / 64}, {128}});
                    return cast(b, "out", cast(b, "in", y, to_f16), to_f32);
                  }),
      behind_conv("half_pair_behind", 19,
                  [](ModelBuilder& b, ValueId y) {
                    return std::vector{
                        cast(b, "out", half_pair(b, "y", cast(b, "in", y, to_f16), 0.125f, 121),
                             to_f32)};
                  }),
      in_float(half_model(), "'image' is f16 in the file; make it f32, or quantize it", 2),
  };
  for (FoldCase& fold : cases) fold.half_precision = true;
  return cases;
}

// --- 8-bit floats: read, and left in float

FoldCase float8_pair(const std::string& name, ElementType type) {
  FoldCase fold = before_conv(name, 19, [=](ModelBuilder& b, ValueId x) {
    const ValueId zero = b.constant("zero", Tensor(type, {}));
    const ValueId scale = b.scalar("scale", 0.021f);
    const ValueId q = b.node("QuantizeLinear", "q", {x, scale, zero});
    return b.node("DequantizeLinear", "dq", {q, scale, zero});
  });
  return in_float(std::move(fold), "quantize it to 8-bit integers", 4);
}

FoldCase float8_weights() {
  FoldCase fold = conv_with("weights_float8", 19, [](ModelBuilder& b, const Shape& shape) {
    const Tensor w = convert(random_floats(shape, 2, -400, 400), ElementType::f8e4m3fn);
    return b.node("DequantizeLinear", "w.dq", {b.constant("w", w), b.scalar("w.s", 0.002f)});
  });
  return in_float(std::move(fold), "input 'w.dq.0' has no grid");
}

std::vector<FoldCase> eight_bit_floats() {
  return {float8_pair("activation_e4m3fn", ElementType::f8e4m3fn),
          float8_pair("activation_e4m3fnuz", ElementType::f8e4m3fnuz),
          float8_pair("activation_e5m2", ElementType::f8e5m2),
          float8_pair("activation_e5m2fnuz", ElementType::f8e5m2fnuz), float8_weights()};
}

}  // namespace

std::vector<FoldCase> spelling_parameter_cases() {
  std::vector<FoldCase> cases;
  for (const auto list : {operand_forms, attributes, half_precision, eight_bit_floats})
    for (FoldCase& fold : list()) cases.push_back(std::move(fold));
  return cases;
}

}  // namespace intact::testing
