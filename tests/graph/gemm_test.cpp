// Matrix products and determinants against values computed by hand.
#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Floats = std::vector<float>;

template <class T>
Tensor tensor(Shape shape, std::vector<T> values) {
  return Tensor::from<T>(std::move(shape), values);
}

Tensor ones(Shape shape) {
  Tensor result(ElementType::f32, std::move(shape));
  for (float& x : result.data<float>()) x = 1;
  return result;
}

void expect_near(const Tensor& given, const Shape& shape, const Floats& wanted) {
  ASSERT_EQ(given.shape(), shape);
  const Floats values = values_of<float>(given);
  ASSERT_EQ(values.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(values[i], wanted[i], 1e-6) << i;
}

TEST(MatMul, BroadcastsBatchesAndVectors) {
  const Tensor a = floats({2, 1, 2}, {1, 2, 3, 4}), b = floats({2, 2}, {1, 10, 100, 1000});
  const Tensor y = Op("MatMul")(a, b);
  EXPECT_EQ(y.shape(), (Shape{2, 1, 2}));
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{201, 2010, 403, 4030}));
  const Tensor v = floats({2}, {1, 1});
  EXPECT_EQ(Op("MatMul")(v, v).shape(), Shape{});
  EXPECT_EQ(values_of<float>(Op("MatMul")(b, v)), (std::vector<float>{11, 1100}));
  EXPECT_EQ(values_of<float>(Op("MatMul")(v, b)), (std::vector<float>{101, 1010}));
}

TEST(MatMul, LargeIntegersStayExact) {
  const std::int64_t large = (1LL << 60) + 1;
  EXPECT_EQ(
      values_of<std::int64_t>(Op("MatMul")(int64s({1, 2}, {large, -1}), int64s({2, 1}, {1, 5}))),
      std::vector<std::int64_t>{large - 5});
}

TEST(MatMul, RefusesOtherInnerExtents) {
  EXPECT_EQ(
      error_of([] {
        Op("MatMul").infer(ones({2, 3}), ones({4, 2}));
      }),
      "MatMul 'n' (opset 18): the operands have shapes [2,3] and [4,2]; the inner extents 3 and "
      "4 must be equal");
}

TEST(MatMulInteger, ZeroPointsPerRowAndColumn) {
  const Tensor a = tensor<std::uint8_t>({2, 2}, {1, 2, 3, 4});
  const Tensor b = tensor<std::int8_t>({2, 2}, {1, 2, 3, 4});
  const Tensor y = Op("MatMulInteger")(a, b, tensor<std::uint8_t>({2}, {1, 3}),
                                       tensor<std::int8_t>({2}, {1, 2}));
  // Steps (0 1; 0 1) times (0 0; 2 2).
  EXPECT_EQ(values_of<std::int32_t>(y), (std::vector<std::int32_t>{2, 2, 2, 2}));
  EXPECT_NE(error_of([&] {
              Op("MatMulInteger").infer(a, b, tensor<std::uint8_t>({3}, {1, 3, 4}));
            }).find("has shape [3]; it must have one element, or 2 for axis 0"),
            std::string::npos);
}

TEST(Gemm, TransposesScalesAndBroadcasts) {
  const Tensor a = floats({2, 1}, {1, 2}), b = floats({3, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor y = Op("Gemm")
                       .with("transA", 1)
                       .with("transB", 1)
                       .with("alpha", 2.0F)
                       .with("beta", 0.5F)(a, b, floats({3}, {2, 4, 6}));
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{11, 24, 37}));
  EXPECT_EQ(error_of([&] {
              Op("Gemm").infer(ones({2, 3}), ones({3, 4}), ones({5}));
            }),
            "Gemm 'n' (opset 18): shapes [2,4] and [5] do not broadcast: extents 4 and 5; aligned "
            "from the right, extents must be equal or 1");
}

TEST(Det, OfBatches) {
  const Tensor x = floats({2, 2, 2}, {1, 2, 3, 4, 0, 2, 3, 4});
  expect_near(Op("Det")(x), {2}, {-2, -6});
  expect_near(Op("Det")(floats({2, 2}, {1, 2, 2, 4})), {}, {0});
  EXPECT_THROW(Op("Det")(floats({1, 2}, {1, 2})), Error);
}

}  // namespace
}  // namespace intact
