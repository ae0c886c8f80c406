// Element-wise operators: values by hand, broadcasting, types, refusals.
#include <cmath>
#include <limits>

#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Floats = std::vector<float>;
using Ints = std::vector<std::int64_t>;
using Bools = std::vector<bool>;

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

TEST(Elementwise, ComparisonsAndLogicGiveBooleans) {
  const Tensor a = list({1, 2, 3}), b = list({3, 2, 1});
  EXPECT_EQ(values_of<bool>(Op("Equal")(a, b)), (Bools{false, true, false}));
  EXPECT_EQ(values_of<bool>(Op("Greater")(a, b)), (Bools{false, false, true}));
  EXPECT_EQ(values_of<bool>(Op("GreaterOrEqual")(a, b)), (Bools{false, true, true}));
  EXPECT_EQ(values_of<bool>(Op("Less")(a, b)), (Bools{true, false, false}));
  EXPECT_EQ(values_of<bool>(Op("LessOrEqual")(a, b)), (Bools{true, true, false}));
  const Tensor p = booleans({4}, {true, true, false, false});
  const Tensor q = booleans({4}, {true, false, true, false});
  EXPECT_EQ(values_of<bool>(Op("And")(p, q)), (Bools{true, false, false, false}));
  EXPECT_EQ(values_of<bool>(Op("Or")(p, q)), (Bools{true, true, true, false}));
  EXPECT_EQ(values_of<bool>(Op("Xor")(p, q)), (Bools{false, true, true, false}));
  EXPECT_EQ(values_of<bool>(Op("Not")(p)), (Bools{false, false, true, true}));
  EXPECT_THROW(Op("And")(a, b), Error);
}

TEST(Elementwise, ShiftsByTheWidthGiveZero) {
  const Tensor x = vec<std::uint8_t>({16, 4, 255}), n = vec<std::uint8_t>({1, 2, 8});
  EXPECT_EQ(values_of<std::uint8_t>(Op("BitShift").with("direction", "RIGHT")(x, n)),
            (std::vector<std::uint8_t>{8, 1, 0}));
  EXPECT_EQ(values_of<std::uint8_t>(Op("BitShift").with("direction", "LEFT")(x, n)),
            (std::vector<std::uint8_t>{32, 16, 0}));
  EXPECT_THROW(Op("BitShift")(x, n), Error);
  EXPECT_EQ(values_of<std::uint8_t>(Op("BitwiseXor")(x, n)),
            (std::vector<std::uint8_t>{17, 6, 247}));
}

// --- functions of one tensor
// ----------------------------------------------------------------------

TEST(Unary, RoundsHalfToEven) {
  EXPECT_EQ(values_of<float>(Op("Round")(vec<float>({0.5f, 1.5f, 2.5f, -0.5f, -1.5f}))),
            (Floats{0, 2, 2, 0, -2}));
}

TEST(Unary, RoundsOnceFromDouble) {
  for (const float x : {0.3f, -1.7f, 4.25f})
    EXPECT_EQ(Op("Sigmoid")(vec<float>({x})).data<float>()[0],
              static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x)))));
}

TEST(Unary, ActivationsAtChosenPoints) {
  const Tensor x = vec<float>({-4, -1, 0, 1, 4});
  EXPECT_EQ(values_of<float>(Op("Relu")(x)), (Floats{0, 0, 0, 1, 4}));
  EXPECT_EQ(values_of<float>(Op("LeakyRelu").with("alpha", 0.25f)(x)),
            (Floats{-1, -0.25f, 0, 1, 4}));
  EXPECT_EQ(values_of<float>(Op("HardSwish")(x)),
            (Floats{0, static_cast<float>(-1.0 / 3.0), 0, static_cast<float>(2.0 / 3.0), 4}));
  EXPECT_EQ(values_of<float>(Op("HardSigmoid").with("alpha", 0.25f)(x)),
            (Floats{0, 0.25f, 0.5f, 0.75f, 1}));
  EXPECT_EQ(values_of<float>(Op("ThresholdedRelu")(x)), (Floats{0, 0, 0, 0, 4}));
  EXPECT_EQ(values_of<float>(Op("Softsign")(x)), (Floats{-0.8f, -0.5f, 0, 0.5f, 0.8f}));
  EXPECT_FLOAT_EQ(Op("Elu")(x).data<float>()[1], -0.63212056f);
  EXPECT_FLOAT_EQ(Op("Selu")(x).data<float>()[1], -1.1113307f);
  EXPECT_FLOAT_EQ(Op("Celu").with("alpha", 2.0f)(x).data<float>()[1], -0.78693868f);
  EXPECT_FLOAT_EQ(Op("Softplus")(x).data<float>()[3], 1.3132616f);
  EXPECT_FLOAT_EQ(Op("Gelu")(x).data<float>()[3], 0.84134475f);
  EXPECT_FLOAT_EQ(Op("Gelu").with("approximate", "tanh")(x).data<float>()[3], 0.84119199f);
  EXPECT_FLOAT_EQ(Op("Mish")(x).data<float>()[3], 0.86509836f);
  EXPECT_FLOAT_EQ(Op("Swish")(x).data<float>()[3], 0.73105860f);
  EXPECT_FLOAT_EQ(Op("Swish").with("alpha", 1.702f)(x).data<float>()[3], 0.84579575f);
}

TEST(Unary, SoftplusOfLargeNumbersStaysFinite) {
  EXPECT_EQ(values_of<float>(Op("Softplus")(vec<float>({1000, -1000}))), (Floats{1000, 0}));
}

TEST(Unary, IntegersKeepTheirType) {
  EXPECT_EQ(values_of<std::int64_t>(Op("Abs")(list({-3, 3}))), (Ints{3, 3}));
  EXPECT_EQ(values_of<std::int64_t>(Op("Neg")(list({-3, 3}))), (Ints{3, -3}));
  EXPECT_EQ(values_of<std::int64_t>(Op("Sign")(list({-3, 0, 5}))), (Ints{-1, 0, 1}));
  EXPECT_EQ(values_of<std::int64_t>(Op("Relu")(list({-3, 3}))), (Ints{0, 3}));
  EXPECT_THROW(Op("Sqrt")(list({4})), Error);
}

TEST(Unary, ClipTakesBoundsAsAttributesThenAsOperands) {
  const Tensor x = vec<float>({-3, 0.5f, 9});
  EXPECT_EQ(values_of<float>(Op("Clip").at(6).with("min", 0.0f).with("max", 6.0f)(x)),
            (Floats{0, 0.5f, 6}));
  EXPECT_EQ(values_of<float>(Op("Clip").at(13)(x, floats({}, {0}), floats({}, {6}))),
            (Floats{0, 0.5f, 6}));
  EXPECT_EQ(values_of<float>(Op("Clip").at(13)(x, Tensor{}, floats({}, {6}))),
            (Floats{-3, 0.5f, 6}));
  EXPECT_EQ(values_of<float>(Op("Clip").at(13)(x)), (Floats{-3, 0.5f, 9}));
  EXPECT_EQ(values_of<float>(Op("Clip").at(13)(x, floats({}, {7}), floats({}, {6}))),
            (Floats{6, 6, 6}));
  EXPECT_EQ(values_of<std::int64_t>(Op("Clip")(list({-9, 9}), int64s({}, {-1}), int64s({}, {1}))),
            (Ints{-1, 1}));
  EXPECT_THROW(Op("Clip").at(13)(x, floats({2}, {0, 0})), Error);
}

TEST(Unary, HalfPrecisionComputesInSingleAndRoundsBack) {
  const Tensor half =
      Op("Cast").with("to", 10)(vec<float>({1.0f, 2049.0f, 65520.0f, 5.9604645e-8f}));
  EXPECT_EQ(half.type(), ElementType::f16);
  EXPECT_EQ(values_of<std::uint16_t>(half),
            (std::vector<std::uint16_t>{0x3c00, 0x6800, 0x7c00, 1}));
  const Tensor sum = Op("Add")(half, half);
  EXPECT_EQ(values_of<float>(Op("Cast").with("to", 1)(sum)),
            (Floats{2, 4096, INFINITY, 1.1920929e-7f}));
}

TEST(Unary, CastsTruncateSaturateAndWrap) {
  const Tensor x = vec<float>({-1.9f, 1.9f, 3e9f, NAN});
  EXPECT_EQ(values_of<std::int32_t>(Op("Cast").with("to", 6)(x)),
            (std::vector<std::int32_t>{-1, 1, 2147483647, 0}));
  EXPECT_EQ(values_of<bool>(Op("Cast").with("to", 9)(list({0, 2}))), (Bools{false, true}));
  EXPECT_EQ(values_of<std::int8_t>(Op("Cast").with("to", 3)(list({255}))),
            std::vector<std::int8_t>{-1});
  EXPECT_EQ(values_of<float>(Op("CastLike")(list({3}), x)), Floats{3});
  EXPECT_THROW(Op("Cast").with("to", 8)(x), Unsupported);
  EXPECT_THROW(Op("Cast").with("to", 99)(x), Unsupported);
  EXPECT_THROW(Op("Cast")(x), Error);
}

TEST(Unary, BrainFloatsRoundHalfToEven) {
  const Tensor x = Op("Cast").with("to", 16)(vec<float>({1.0f, 1.00390625f, 1.01171875f}));
  EXPECT_EQ(values_of<float>(Op("Cast").with("to", 1)(x)), (Floats{1.0f, 1.0f, 1.015625f}));
}

TEST(Unary, TestsOfSpecialNumbers) {
  const Tensor x = vec<float>({NAN, INFINITY, -INFINITY, 1});
  EXPECT_EQ(values_of<bool>(Op("IsNaN")(x)), (Bools{true, false, false, false}));
  EXPECT_EQ(values_of<bool>(Op("IsInf")(x)), (Bools{false, true, true, false}));
  EXPECT_EQ(values_of<bool>(Op("IsInf").with("detect_negative", 0)(x)),
            (Bools{false, true, false, false}));
}

TEST(Unary, DropoutKeepsEverything) {
  const Tensor x = vec<float>({1, 2});
  const auto now = Op("Dropout", 2).at(13).all({x});
  EXPECT_EQ(values_of<float>(now[0]), (Floats{1, 2}));
  EXPECT_EQ(values_of<bool>(now[1]), (Bools{true, true}));
  EXPECT_EQ(values_of<float>(Op("Dropout", 2).at(7).all({x})[1]), (Floats{1, 1}));
  EXPECT_THROW(Op("Dropout")(x, floats({}, {0.5f}), booleans({}, {true})), Unsupported);
}

}  // namespace
}  // namespace intact
