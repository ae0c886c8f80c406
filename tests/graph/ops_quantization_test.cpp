// Quantization operators, quantized compositions and their refusals, by hand.
#include <cmath>
#include <limits>

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

TEST(QLinearConv, RequantizesPerChannel) {
  const Tensor x = bytes({1, 1, 2}, {12, 14});
  const Tensor w = signeds({2, 1, 1}, {3, -2});
  const Tensor bias = Tensor::from<std::int32_t>({2}, std::vector<std::int32_t>{1, 2});
  const Tensor y = Op("QLinearConv")(x, one(0.5F), zero_at(10), w, floats({2}, {1, 0.25F}),
                                     signeds({2}, {0, 0}), one(0.5F), zero_at(100), bias);
  // Accumulators 7 13 and -2 -6; times 1 and 0.25.
  EXPECT_EQ(values_of<std::uint8_t>(y), (Bytes{107, 113, 100, 98}));
}

TEST(QLinearConv, RefusesOtherSizesAndTypes) {
  const Tensor x = bytes({1, 1, 2}, {12, 14}), w = signeds({2, 1, 1}, {3, -2});
  EXPECT_EQ(error_of([&] {
              Op("QLinearConv")
                  .infer(x, one(0.5F), zero_at(10), w, floats({3}, {1, 1, 1}), signeds({2}, {0, 0}),
                         one(0.5F), zero_at(100));
            }),
            "QLinearConv 'n' (opset 18): the scale (operand 4) has shape [3]; it must have one "
            "element, or 2 for axis 0");
  EXPECT_EQ(error_of([&] {
              Op("QLinearConv")
                  .infer(x, one(0.5F), signeds({}, {10}), w, one(1), signeds({}, {0}), one(0.5F),
                         zero_at(100));
            }),
            "QLinearConv 'n' (opset 18): operand 2 has type s8 and operand 0 has u8; they must be "
            "equal");
  EXPECT_NE(error_of([&] {
              Op("QLinearConv")
                  .infer(x, floats({2}, {1, 1}), zero_at(10), w, one(1), signeds({}, {0}),
                         one(0.5F), zero_at(100));
            }).find("operand 1) has shape [2]; it must have one element"),
            std::string::npos);
}

TEST(QLinearMatMul, PerColumnScales) {
  const Tensor a = bytes({1, 2}, {3, 5}), b = signeds({2, 2}, {1, 2, 3, 4});
  const Tensor y = Op("QLinearMatMul")(a, one(1), zero_at(1), b, floats({2}, {1, 0.5F}),
                                       signeds({2}, {0, 0}), one(2), zero_at(0));
  // (2 4) times (1 2; 3 4) = 14 20; times (1, 0.5) / 2.
  EXPECT_EQ(values_of<std::uint8_t>(y), (Bytes{7, 5}));
}

TEST(Microsoft, AddMulAndActivations) {
  const Tensor a = bytes({2}, {10, 20}), b = bytes({1}, {4});
  EXPECT_EQ(values_of<std::uint8_t>(Op("QLinearAdd")
                                        .in("com.microsoft")(a, one(1), zero_at(0), b, one(0.5F),
                                                             zero_at(2), one(2), zero_at(1))),
            (Bytes{7, 11}));  // 11 / 2 and 21 / 2 are ties
  EXPECT_EQ(values_of<std::uint8_t>(
                Op("QLinearMul")
                    .in("com.microsoft")(a, one(1), Tensor(), b, one(0.5F), Tensor(), one(1))),
            (Bytes{20, 40}));
  EXPECT_EQ(values_of<std::uint8_t>(
                Op("QLinearLeakyRelu")
                    .in("com.microsoft")
                    .with("alpha", 0.5F)(a, one(1), zero_at(14), one(1), zero_at(100))),
            (Bytes{98, 106}));
  EXPECT_EQ(values_of<std::uint8_t>(
                Op("QLinearSigmoid")
                    .in("com.microsoft")(a, one(1), zero_at(10), one(1.0F / 256), zero_at(0))),
            (Bytes{128, 255}));
}

TEST(Microsoft, PoolsInEitherLayout) {
  const Tensor first = bytes({1, 2, 1, 2}, {1, 3, 10, 30}),
               last = bytes({1, 1, 2, 2}, {1, 10, 3, 30});
  const auto pool = [](const char* op, int channels_last) {
    return Op(op).in("com.microsoft").with("channels_last", channels_last);
  };
  const Tensor a =
      pool("QLinearGlobalAveragePool", 0)(first, one(1), zero_at(0), one(1), zero_at(0));
  const Tensor b =
      pool("QLinearGlobalAveragePool", 1)(last, one(1), zero_at(0), one(1), zero_at(0));
  EXPECT_EQ(a.shape(), (Shape{1, 2, 1, 1}));
  EXPECT_EQ(b.shape(), (Shape{1, 1, 1, 2}));
  EXPECT_EQ(values_of<std::uint8_t>(a), (Bytes{2, 20}));
  EXPECT_EQ(values_of<std::uint8_t>(b), (Bytes{2, 20}));
  EXPECT_EQ(values_of<std::uint8_t>(pool("QLinearAveragePool", 1)
                                        .with("kernel_shape", Ints{1, 2})(last, one(1), zero_at(0),
                                                                          one(1), zero_at(5))),
            (Bytes{7, 25}));
}

TEST(Microsoft, ConcatSoftmaxReduceMean) {
  EXPECT_EQ(values_of<std::uint8_t>(Op("QLinearConcat")
                                        .in("com.microsoft")
                                        .with("axis", 0)(one(2), zero_at(1), bytes({1}, {6}),
                                                         one(1), zero_at(0), bytes({1}, {5}),
                                                         one(4), zero_at(3))),
            (Bytes{4, 5}));
  EXPECT_EQ(values_of<std::uint8_t>(Op("QLinearSoftmax")
                                        .in("com.microsoft")
                                        .with("axis", 0)
                                        .with("opset", 13)(bytes({2}, {9, 9}), one(1), zero_at(0),
                                                           one(1.0F / 256), zero_at(0))),
            (Bytes{128, 128}));
  const Tensor mean =
      Op("QLinearReduceMean")
          .in("com.microsoft")
          .with("axes", Ints{1})
          .with("keepdims", 0)(bytes({1, 3}, {1, 2, 6}), one(1), zero_at(0), one(1), zero_at(0));
  EXPECT_EQ(mean.shape(), Shape{1});
  EXPECT_EQ(values_of<std::uint8_t>(mean), Bytes{3});
}

TEST(Microsoft, QGemm) {
  const Tensor a = bytes({1, 2}, {3, 5}), b = signeds({2, 1}, {1, 2});
  const Tensor c = Tensor::from<std::int32_t>({1}, std::vector<std::int32_t>{4});
  Op gemm("QGemm");
  gemm.in("com.microsoft");
  const Tensor real = gemm(a, one(0.5F), zero_at(1), b, one(0.5F), signeds({}, {0}), c);
  EXPECT_EQ(real.type(), ElementType::f32);
  EXPECT_EQ(values_of<float>(real), std::vector<float>{3.5F});  // (2 + 8 + 4) / 4
  EXPECT_EQ(values_of<std::uint8_t>(gemm(a, one(0.5F), zero_at(1), b, one(0.5F), signeds({}, {0}),
                                         c, one(0.5F), zero_at(10))),
            Bytes{17});
}

TEST(Microsoft, ErrorsNameTheNode) {
  EXPECT_EQ(error_of([] {
              Op("QLinearConcat")
                  .in("com.microsoft")
                  .infer(one(1), zero_at(0), bytes({1}, {1}), one(1), zero_at(0), bytes({1}, {1}));
            }),
            "com.microsoft.QLinearConcat 'n' (opset 18): 6 operands are given; it takes 2 for the "
            "output and then 3 for each tensor");
}

}  // namespace
}  // namespace intact
