// Element-wise operators of several tensors: values by hand, broadcasting, types, refusals.
#include <cmath>
#include <limits>

#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Floats = std::vector<float>;
using Ints = std::vector<std::int64_t>;

template <class T>
Tensor vec(std::vector<T> values) {
  return Tensor::from<T>({static_cast<std::int64_t>(values.size())}, values);
}

TEST(Elementwise, BroadcastsBothOperands) {
  const Tensor column = floats({2, 1}, {10, 20}), row = floats({3}, {1, 2, 3});
  const Tensor sum = Op("Add")(column, row);
  EXPECT_EQ(sum.shape(), (Shape{2, 3}));
  EXPECT_EQ(values_of<float>(sum), (Floats{11, 12, 13, 21, 22, 23}));
  EXPECT_EQ(values_of<float>(Op("Sub")(row, column)), (Floats{-9, -8, -7, -19, -18, -17}));
}

TEST(Elementwise, RefusesShapesThatDoNotBroadcast) {
  const std::string text = error_of([] { Op("Mul")(floats({2}, {1, 2}), floats({3}, {1, 2, 3})); });
  EXPECT_NE(text.find("Mul 'n' (opset 18)"), std::string::npos) << text;
  EXPECT_NE(text.find("[2]"), std::string::npos) << text;
  EXPECT_NE(text.find("[3]"), std::string::npos) << text;
}

TEST(Elementwise, RefusesOperandsOfDifferentTypes) {
  const std::string text = error_of([] { Op("Add")(floats({1}, {1}), list({1})); });
  EXPECT_NE(text.find("s64"), std::string::npos) << text;
  EXPECT_NE(text.find("f32"), std::string::npos) << text;
}

TEST(Elementwise, RefusesAMissingOperand) {
  EXPECT_THROW(Op("Add")(floats({1}, {1})), Error);
  EXPECT_THROW(Op("Where")(booleans({1}, {true}), Tensor{}, floats({1}, {1})), Error);
}

TEST(Elementwise, ComputesInDoubleWhenAnOperandIsDouble) {
  const Tensor result = Op("Mul")(doubles({1}, {1.0 / 3.0}), floats({}, {3.0f}));
  EXPECT_EQ(values_of<double>(result), (std::vector<double>{1.0 / 3.0 * 3.0}));
  EXPECT_EQ(values_of<double>(Op("Exp")(doubles({1}, {0.5}))),
            (std::vector<double>{std::exp(0.5)}));
}

TEST(Elementwise, IntegersTruncateAndWrap) {
  EXPECT_EQ(values_of<std::int64_t>(Op("Div")(list({-7, 7, -7}), list({2, -2, -2}))),
            (Ints{-3, -3, 3}));
  const std::int64_t low = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(values_of<std::int64_t>(Op("Div")(list({low}), list({-1}))), Ints{low});
  EXPECT_EQ(values_of<std::int64_t>(Op("Sub")(list({low}), list({1}))),
            Ints{std::numeric_limits<std::int64_t>::max()});
  EXPECT_EQ(values_of<std::uint8_t>(Op("Mul")(vec<std::uint8_t>({20}), vec<std::uint8_t>({20}))),
            std::vector<std::uint8_t>{400 - 256});
  EXPECT_NE(error_of([] { Op("Div")(list({1}), list({0})); }).find("divided by zero"),
            std::string::npos);
}

TEST(Elementwise, ModFollowsDivisorOrDividend) {
  const Tensor a = list({-4, 7, 5, 4, -7, 8}), b = list({2, -3, 8, -2, 3, 5});
  EXPECT_EQ(values_of<std::int64_t>(Op("Mod")(a, b)), (Ints{0, -2, 5, 0, 2, 3}));
  EXPECT_EQ(values_of<std::int64_t>(Op("Mod").with("fmod", 1)(a, b)), (Ints{0, 1, 5, 0, -1, 3}));
  EXPECT_EQ(values_of<float>(Op("Mod").with("fmod", 1)(vec<float>({-4.5f}), vec<float>({2.0f}))),
            Floats{-0.5f});
  EXPECT_THROW(Op("Mod")(vec<float>({1}), vec<float>({1})), Error);
}

TEST(Elementwise, PowTakesExponentsOfAnotherType) {
  EXPECT_EQ(values_of<float>(Op("Pow")(vec<float>({2, 3}), list({3, -1}))),
            (Floats{8.0f, 1.0f / 3.0f}));
  EXPECT_EQ(values_of<std::int64_t>(Op("Pow")(list({3, -2}), list({39, 3}))),
            (Ints{4052555153018976267, -8}));
  EXPECT_EQ(values_of<std::int64_t>(Op("Pow")(list({4}), vec<float>({0.5f}))), Ints{2});
}

TEST(Elementwise, VariadicOperatorsTakeOneOrMore) {
  const Tensor a = vec<float>({1, 5, 3}), b = vec<float>({4, 2, 6}), c = floats({1}, {3.5f});
  EXPECT_EQ(values_of<float>(Op("Max")(a, b, c)), (Floats{4, 5, 6}));
  EXPECT_EQ(values_of<float>(Op("Min")(a, b, c)), (Floats{1, 2, 3}));
  EXPECT_EQ(values_of<float>(Op("Sum")(a, b, c)), (Floats{8.5f, 10.5f, 12.5f}));
  EXPECT_EQ(values_of<float>(Op("Mean")(a, b)), (Floats{2.5f, 3.5f, 4.5f}));
  EXPECT_EQ(values_of<float>(Op("Max")(a)), values_of<float>(a));
}

TEST(Elementwise, MaximumOfNanIsNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const char* op : {"Max", "Min"}) {
    EXPECT_TRUE(std::isnan(Op(op)(vec<float>({nan}), vec<float>({1})).data<float>()[0])) << op;
    EXPECT_TRUE(std::isnan(Op(op)(vec<float>({1}), vec<float>({nan})).data<float>()[0])) << op;
  }
}

TEST(Elementwise, PReluTakesOneSlopePerChannel) {
  const Tensor x = floats({1, 2, 2}, {-1, 2, -3, 4});
  EXPECT_EQ(values_of<float>(Op("PRelu")(x, floats({2, 1}, {0.5f, 2}))), (Floats{-0.5f, 2, -6, 4}));
  EXPECT_EQ(values_of<float>(Op("PRelu").at(6)(x, floats({2}, {0.5f, 2}))),
            (Floats{-0.5f, 2, -6, 4}));
  EXPECT_THROW(Op("PRelu")(floats({1}, {1}), floats({2}, {1, 1})), Error);
}

TEST(Elementwise, WhereBroadcastsThreeOperands) {
  const Tensor condition = booleans({2, 1}, {true, false});
  const Tensor result = Op("Where")(condition, list({1, 2}), int64s({}, {9}));
  EXPECT_EQ(result.shape(), (Shape{2, 2}));
  EXPECT_EQ(values_of<std::int64_t>(result), (Ints{1, 2, 9, 9}));
}

}  // namespace
}  // namespace intact
