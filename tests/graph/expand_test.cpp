// Operators that other tools add to ONNX, written in ONNX's own: by hand, one node each.
#include <cmath>

#include "tests/graph/file_op.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Bytes = std::vector<std::uint8_t>;
using Ints = std::vector<std::int64_t>;

Tensor bytes(Shape shape, Bytes values) {
  return Tensor::from<std::uint8_t>(std::move(shape), values);
}
Tensor signeds(Shape shape, std::vector<std::int8_t> values) {
  return Tensor::from<std::int8_t>(std::move(shape), values);
}
Tensor one(float value) {
  return Tensor::scalar(value);
}
Tensor zero_at(std::uint8_t value) {
  return Tensor::scalar(value);
}
void expect_near(const Tensor& actual, const std::vector<double>& expected) {
  ASSERT_EQ(static_cast<std::size_t>(actual.size()), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(static_cast<double>(actual.data<float>()[i]), expected[i], 1e-6) << "element " << i;
}
const Tensor none;

TEST(QLinearConv, RequantizesPerChannel) {
  const Tensor x = bytes({1, 1, 2}, {12, 14});
  const Tensor w = signeds({2, 1, 1}, {3, -2});
  const Tensor bias = Tensor::from<std::int32_t>({2}, std::vector<std::int32_t>{1, 2});
  const Tensor y = FileOp("QLinearConv")(x, one(0.5F), zero_at(10), w, floats({2}, {1, 0.25F}),
                                     signeds({2}, {0, 0}), one(0.5F), zero_at(100), bias);
  // Accumulators 7 13 and -2 -6; times 1 and 0.25.
  EXPECT_EQ(values_of<std::uint8_t>(y), (Bytes{107, 113, 100, 98}));
}

TEST(QLinearMatMul, PerColumnScales) {
  const Tensor a = bytes({1, 2}, {3, 5}), b = signeds({2, 2}, {1, 2, 3, 4});
  const Tensor y = FileOp("QLinearMatMul")(a, one(1), zero_at(1), b, floats({2}, {1, 0.5F}),
                                       signeds({2}, {0, 0}), one(2), zero_at(0));
  // (2 4) times (1 2; 3 4) = 14 20; times (1, 0.5) / 2.
  EXPECT_EQ(values_of<std::uint8_t>(y), (Bytes{7, 5}));
}

TEST(Microsoft, AddMulAndActivations) {
  const Tensor a = bytes({2}, {10, 20}), b = bytes({1}, {4});
  EXPECT_EQ(values_of<std::uint8_t>(FileOp("QLinearAdd")
                                        .in("com.microsoft")(a, one(1), zero_at(0), b, one(0.5F),
                                                             zero_at(2), one(2), zero_at(1))),
            (Bytes{7, 11}));  // 11 / 2 and 21 / 2 are ties
  EXPECT_EQ(values_of<std::uint8_t>(
                FileOp("QLinearMul")
                    .in("com.microsoft")(a, one(1), Tensor(), b, one(0.5F), Tensor(), one(1))),
            (Bytes{20, 40}));
  EXPECT_EQ(values_of<std::uint8_t>(
                FileOp("QLinearLeakyRelu")
                    .in("com.microsoft")
                    .with("alpha", 0.5F)(a, one(1), zero_at(14), one(1), zero_at(100))),
            (Bytes{98, 106}));
  EXPECT_EQ(values_of<std::uint8_t>(
                FileOp("QLinearSigmoid")
                    .in("com.microsoft")(a, one(1), zero_at(10), one(1.0F / 256), zero_at(0))),
            (Bytes{128, 255}));
}

TEST(Microsoft, PoolsInEitherLayout) {
  const Tensor first = bytes({1, 2, 1, 2}, {1, 3, 10, 30}),
               last = bytes({1, 1, 2, 2}, {1, 10, 3, 30});
  const auto pool = [](const char* op, int channels_last) {
    return FileOp(op).in("com.microsoft").with("channels_last", channels_last);
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
  EXPECT_EQ(values_of<std::uint8_t>(FileOp("QLinearConcat")
                                        .in("com.microsoft")
                                        .with("axis", 0)(one(2), zero_at(1), bytes({1}, {6}),
                                                         one(1), zero_at(0), bytes({1}, {5}),
                                                         one(4), zero_at(3))),
            (Bytes{4, 5}));
  EXPECT_EQ(values_of<std::uint8_t>(FileOp("QLinearSoftmax")
                                        .in("com.microsoft")
                                        .with("axis", 0)
                                        .with("opset", 13)(bytes({2}, {9, 9}), one(1), zero_at(0),
                                                           one(1.0F / 256), zero_at(0))),
            (Bytes{128, 128}));
  const Tensor mean =
      FileOp("QLinearReduceMean")
          .in("com.microsoft")
          .with("axes", Ints{1})
          .with("keepdims", 0)(bytes({1, 3}, {1, 2, 6}), one(1), zero_at(0), one(1), zero_at(0));
  EXPECT_EQ(mean.shape(), Shape{1});
  EXPECT_EQ(values_of<std::uint8_t>(mean), Bytes{3});
}

TEST(Microsoft, QGemm) {
  const Tensor a = bytes({1, 2}, {3, 5}), b = signeds({2, 1}, {1, 2});
  const Tensor c = Tensor::from<std::int32_t>({1}, std::vector<std::int32_t>{4});
  FileOp gemm("QGemm");
  gemm.in("com.microsoft");
  const Tensor real = gemm(a, one(0.5F), zero_at(1), b, one(0.5F), signeds({}, {0}), c);
  EXPECT_EQ(real.type(), ElementType::f32);
  EXPECT_EQ(values_of<float>(real), std::vector<float>{3.5F});  // (2 + 8 + 4) / 4
  EXPECT_EQ(values_of<std::uint8_t>(gemm(a, one(0.5F), zero_at(1), b, one(0.5F), signeds({}, {0}),
                                         c, one(0.5F), zero_at(10))),
            Bytes{17});
}

FileOp microsoft(const char* op, int outputs = 1) {
  return FileOp(op, outputs).in("com.microsoft");
}

TEST(Fused, IntegerProducts) {
  const Tensor a = Tensor::from<std::uint8_t>({1, 2}, std::vector<std::uint8_t>{3, 5});
  const Tensor b = Tensor::from<std::int8_t>({2, 2}, std::vector<std::int8_t>{1, 2, 3, 4});
  // Steps (2 4) times b = 14 20.
  expect_near(
      microsoft("MatMulIntegerToFloat")(a, b, Tensor::scalar(0.5F), floats({2}, {1, 2}),
                                        Tensor::scalar<std::uint8_t>(1), none, floats({2}, {1, 0})),
      {8, 20});
  // 0 and 255 span the grid with scale 1.
  expect_near(
      microsoft("DynamicQuantizeMatMul")(floats({1, 2}, {255, 1.4F}), b, Tensor::scalar(1.0F)),
      {258, 514});
}

TEST(Fused, MatMulGemmConv) {
  expect_near(microsoft("FusedMatMul")
                  .with("transB", 1)
                  .with("alpha", 2.0F)(floats({1, 2}, {1, 2}), floats({2, 2}, {1, 10, 100, 1000})),
              {42, 4200});
  expect_near(microsoft("FusedGemm")
                  .with("activation", "LeakyRelu")
                  .with("activation_alpha", 0.5F)(floats({1, 1}, {2}), floats({1, 2}, {3, -3}),
                                                  floats({2}, {1, 1})),
              {7, -2.5});
  expect_near(microsoft("FusedConv")
                  .with("activation", "Relu")(floats({1, 1, 2}, {1, 5}), floats({1, 1, 1}, {1}),
                                              none, floats({1, 1, 2}, {-3, -3})),
              {0, 2});
}

TEST(Fused, GeluAndSkipLayerNormalization) {
  expect_near(microsoft("BiasGelu")(floats({2}, {1, -1}), floats({2}, {-1, 2})),
              {0, 0.5 * (1 + std::erf(std::sqrt(0.5)))});
  const auto y = microsoft("SkipLayerNormalization", 4)
                     .with("epsilon", 0.0F)
                     .all({floats({1, 2}, {1, 2}), floats({1, 2}, {0, 1}), floats({2}, {1, 2})});
  expect_near(y[0], {-1, 2});
  expect_near(y[3], {1, 3});
}

}  // namespace
}  // namespace intact
