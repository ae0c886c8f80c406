// Reductions, ArgMax and ArgMin against values computed by hand.
#include <cmath>

#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;

void expect_near(const Tensor& actual, const std::vector<float>& expected) {
  ASSERT_EQ(static_cast<std::size_t>(actual.size()), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual.data<float>()[i], expected[i], 1e-6) << "element " << i;
}

TEST(Reduce, AxesComeAsAttributeOrOperand) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor by_attribute = Op("ReduceMean").at(11).with("axes", Ints{-1})(x);
  EXPECT_EQ(by_attribute.shape(), (Shape{2, 1}));
  expect_near(by_attribute, {2, 5});
  const Tensor by_operand = Op("ReduceMean").at(18).with("keepdims", 0)(x, list({0}));
  EXPECT_EQ(by_operand.shape(), Shape{3});
  expect_near(by_operand, {2.5F, 3.5F, 4.5F});
  EXPECT_EQ(Op("ReduceMean").with("keepdims", 0)(x).shape(), Shape{});
}

TEST(Reduce, NoAxesMayMeanNoReduction) {
  const Tensor x = floats({2}, {1, -2});
  expect_near(Op("ReduceSum").with("noop_with_empty_axes", 1)(x, list({})), {1, -2});
  expect_near(Op("ReduceSum")(x, list({})), {-1});
}

TEST(Reduce, EachKind) {
  const Tensor x = floats({3}, {1, -2, 3});
  expect_near(Op("ReduceSum")(x), {2});
  expect_near(Op("ReduceProd")(x), {-6});
  expect_near(Op("ReduceMax")(x), {3});
  expect_near(Op("ReduceMin")(x), {-2});
  expect_near(Op("ReduceL1")(x), {6});
  expect_near(Op("ReduceL2")(x), {std::sqrt(14.0F)});
  expect_near(Op("ReduceSumSquare")(x), {14});
  expect_near(Op("ReduceLogSum")(x), {std::log(2.0F)});
  expect_near(Op("ReduceLogSumExp")(floats({2}, {1000, 1000})), {1000 + std::log(2.0F)});
}

TEST(Reduce, IntegersStayExact) {
  const std::int64_t large = (1LL << 60) + 1;
  EXPECT_EQ(values_of<std::int64_t>(Op("ReduceSum")(int64s({2}, {large, 2}))), Ints{large + 2});
  EXPECT_EQ(values_of<std::int64_t>(Op("ReduceMax")(int64s({2}, {large, large - 1}))), Ints{large});
}

TEST(Reduce, RefusesWrongAxes) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(error_of([&] { Op("ReduceSum").infer(x, list({2})); }),
            "ReduceSum 'n' (opset 18): axis 2 is out of range; for rank 2 it must lie in [-2, 1]");
  EXPECT_EQ(error_of([&] {
              Op("ReduceSum").infer(x, list({1, -1}));
            }),
            "ReduceSum 'n' (opset 18): axis -1 is given twice; axes must differ");
}

TEST(ArgMax, FirstOrLastOfEqualOnes) {
  const Tensor x = floats({2, 3}, {5, 1, 5, 2, 2, 0});
  EXPECT_EQ(values_of<std::int64_t>(Op("ArgMax").with("axis", 1)(x)), (Ints{0, 0}));
  EXPECT_EQ(values_of<std::int64_t>(Op("ArgMax").with("axis", 1).with("select_last_index", 1)(x)),
            (Ints{2, 1}));
  EXPECT_EQ(values_of<std::int64_t>(Op("ArgMin").with("keepdims", 0)(x)), (Ints{1, 0, 1}));
  EXPECT_NE(error_of([] {
              Op("ArgMax").infer(Tensor(ElementType::f32, {0, 2}));
            }).find("no elements along axis 0"),
            std::string::npos);
}

}  // namespace
}  // namespace intact
