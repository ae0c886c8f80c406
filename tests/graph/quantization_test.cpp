// Quantization operators, quantized compositions and their refusals, by hand.
#include <cmath>
#include <limits>

#include "graph/convert.hpp"
#include "graph/half.hpp"
#include "graph/reals.hpp"
#include "tests/graph/evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;
using Bytes = std::vector<std::uint8_t>;
using Signed = std::vector<std::int8_t>;

Tensor bytes(Shape shape, Bytes values) {
  return Tensor::from<std::uint8_t>(std::move(shape), values);
}
Tensor signeds(Shape shape, Signed values) {
  return Tensor::from<std::int8_t>(std::move(shape), values);
}
Tensor one(float value) {
  return Tensor::scalar(value);
}
Tensor zero_at(std::uint8_t value) {
  return Tensor::scalar(value);
}

TEST(QuantizeLinear, RoundsHalfToEvenAndSaturates) {
  const Tensor x = floats({6}, {0.5F, 1.5F, -2.5F, 1000, -1000, 3});
  EXPECT_EQ(values_of<std::uint8_t>(Op("QuantizeLinear")(x, one(1), zero_at(10))),
            (Bytes{10, 12, 8, 255, 0, 13}));
  EXPECT_EQ(Op("QuantizeLinear")(x, one(1)).type(), ElementType::u8);
}

TEST(QuantizeLinear, DividesInFloat32) {
  // In single precision 0.5 / 0.019607844 is 25.5, a tie; the exact quotient lies below.
  EXPECT_EQ(values_of<std::uint8_t>(Op("QuantizeLinear")(floats({1}, {0.5F}), one(5.0F / 255))),
            Bytes{26});
}

TEST(QuantizeLinear, SpecialNumbers) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(values_of<std::uint8_t>(Op("QuantizeLinear")(
                floats({3}, {infinity, -infinity, std::nanf("")}), one(1), zero_at(7))),
            (Bytes{255, 0, 0}));
}

TEST(QuantizeLinear, PerAxisAndBlocked) {
  const Tensor x = floats({2, 2}, {2, 4, 6, 8});
  const Tensor zeros = signeds({2}, {0, 1});
  EXPECT_EQ(
      values_of<std::int8_t>(Op("QuantizeLinear").with("axis", 0)(x, floats({2}, {1, 2}), zeros)),
      (Signed{2, 4, 4, 5}));
  EXPECT_EQ(values_of<std::int8_t>(Op("QuantizeLinear")(x, floats({2}, {1, 2}), zeros)),
            (Signed{2, 3, 6, 5}));
  const Tensor y = Op("QuantizeLinear")
                       .at(21)
                       .with("axis", 1)
                       .with("block_size", 2)(x, floats({2, 1}, {2, 4}), signeds({2, 1}, {0, 1}));
  EXPECT_EQ(values_of<std::int8_t>(y), (Signed{1, 2, 3, 3}));
}

TEST(QuantizeLinear, OtherTypes) {
  const Tensor x = floats({2}, {100000, -100000});
  EXPECT_EQ(values_of<std::uint16_t>(Op("QuantizeLinear").with("output_dtype", 4)(x, one(1))),
            (std::vector<std::uint16_t>{65535, 0}));
  const Tensor y = Op("QuantizeLinear").with("output_dtype", 22)(x, one(1));
  EXPECT_EQ(y.type(), ElementType::s4);
  EXPECT_EQ(values_of<std::int8_t>(y), (Signed{7, -8}));
}

TEST(QuantizeLinear, EightBitFloats) {
  const ElementType type = ElementType::f8e4m3fn;
  const Tensor x = floats({7}, {2, 1000, -1000, 33, 34, 37, 0.002f});
  const Tensor zero = Tensor(type, {});
  const Tensor y = Op("QuantizeLinear").at(19)(x, one(1), zero);
  EXPECT_EQ(y.type(), type);
  EXPECT_EQ(values_of<float>(convert(y, ElementType::f32)),
            (std::vector<float>{2, 448, -448, 32, 32, 36, 1.0f / 512}));  // 34 is a tie
  const Tensor open = Op("QuantizeLinear").at(19).with("saturate", 0)(x, one(1), zero);
  EXPECT_TRUE(std::isnan(convert(open, ElementType::f32).data<float>()[1]));
  EXPECT_EQ(values_of<float>(Op("DequantizeLinear").at(19)(y, one(2), zero)),
            (std::vector<float>{4, 896, -896, 64, 64, 72, 1.0f / 256}));
  const Tensor wide = convert(floats({2}, {1e6f, -1e6f}), ElementType::f8e5m2);
  EXPECT_EQ(values_of<float>(convert(wide, ElementType::f32)), (std::vector<float>{57344, -57344}));
}

/// Every finite number survives the way to float and back.
TEST(EightBitFloats, RoundTrip) {
  for (const ElementType type : {ElementType::f8e4m3fn, ElementType::f8e4m3fnuz,
                                 ElementType::f8e5m2, ElementType::f8e5m2fnuz})
    for (int bits = 0; bits < 256; ++bits) {
      const float value = float8_to_float(static_cast<std::uint8_t>(bits), type);
      if (std::isfinite(value)) {
        EXPECT_EQ(float_to_float8(value, type), bits) << element_name(type) << " " << value;
      } else if (std::isinf(value)) {
        EXPECT_EQ(float_to_float8(value, type, false), bits) << element_name(type);
      }
    }
}

TEST(QuantizeLinear, RefusesWrongScales) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(error_of([&] {
              Op("QuantizeLinear").infer(x, floats({2}, {1, 2}));
            }),
            "QuantizeLinear 'n' (opset 18): the scale (operand 1) has shape [2]; it must have one "
            "element, or 3 for axis 1");
  EXPECT_EQ(error_of([&] { Op("QuantizeLinear")(x, one(0)); }),
            "QuantizeLinear 'n' (opset 18): scale 0 is 0; a scale must be finite and positive");
  EXPECT_NE(error_of([&] {
              Op("QuantizeLinear").with("axis", 5).infer(x, floats({3}, {1, 2, 3}));
            }).find("axis 5 is out of range"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              Op("QuantizeLinear").infer(x, floats({3}, {1, 2, 3}), bytes({2}, {1, 2}));
            }).find("the zero point (operand 2) has shape [2]"),
            std::string::npos);
}

TEST(DequantizeLinear, PerAxisAndBiases) {
  EXPECT_EQ(values_of<float>(Op("DequantizeLinear")
                                 .with("axis", 0)(signeds({2, 1}, {3, -3}), floats({2}, {0.5F, 2}),
                                                  signeds({2}, {1, -1}))),
            (std::vector<float>{1, -4}));
  const Tensor bias = Tensor::from<std::int32_t>({1}, std::vector<std::int32_t>{-70000});
  EXPECT_EQ(values_of<float>(Op("DequantizeLinear")(bias, one(0.5F))), std::vector<float>{-35000});
}

TEST(DynamicQuantizeLinear, IncludesZeroInTheRange) {
  const auto results = Op("DynamicQuantizeLinear", 3).all({floats({2}, {1, 5.1F})});
  EXPECT_EQ(values_of<float>(results[1])[0], 5.1F / 255);
  EXPECT_EQ(values_of<std::uint8_t>(results[2])[0], 0);
  EXPECT_EQ(values_of<std::uint8_t>(results[0]), (Bytes{50, 255}));
  const auto zeros = Op("DynamicQuantizeLinear", 3).all({floats({2}, {0, 0})});
  EXPECT_EQ(values_of<float>(zeros[1])[0], 1);
}

Node grid_node(const char* op) {
  Node node;
  node.op = op;
  node.domain = "intact";
  node.name = "n";
  node.inputs = {0};
  node.outputs = {1};
  node.grid = Grid{ElementType::u8, {0.5F}, {2}, std::nullopt};
  return node;
}
Tensor evaluate(const Node& node, const Tensor& x) {
  const Tensor operands[] = {x};
  return definition_of(node).evaluate({node, operands})[0];
}

TEST(Grid, RoundIsBytesAndBack) {
  const Tensor x = floats({4}, {0.6F, -3, 200, 0.25F});
  EXPECT_EQ(values_of<float>(evaluate(grid_node("Round"), x)),
            (std::vector<float>{0.5F, -1, 126.5F, 0}));
  const Tensor q = evaluate(grid_node("Bytes"), x);
  EXPECT_EQ(values_of<std::uint8_t>(q), (Bytes{3, 0, 255, 2}));
  EXPECT_EQ(values_of<float>(evaluate(grid_node("FromBytes"), q)),
            (std::vector<float>{0.5F, -1, 126.5F, 0}));
  EXPECT_EQ(evaluate(grid_node("Round"), doubles({1}, {0.6})).type(), ElementType::f64);
}

TEST(Grid, RefusesATensorThatDoesNotFit) {
  Node node = grid_node("Round");
  node.grid = Grid{ElementType::s8, {1, 2}, {0, 0}, 1};
  EXPECT_NE(error_of([&] {
              evaluate(node, floats({2, 3}, {1, 2, 3, 4, 5, 6}));
            }).find("a tensor of shape [2,3] cannot lie on the grid (s8, 2 scales along axis 1)"),
            std::string::npos);
}

}  // namespace
}  // namespace intact
