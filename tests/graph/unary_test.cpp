// Element-wise operators of one tensor: values by hand, rounding, types.
#include <cmath>

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

TEST(Unary, IntegersKeepTheirType) {
  EXPECT_EQ(values_of<std::int64_t>(Op("Abs")(list({-3, 3}))), (Ints{3, 3}));
  EXPECT_EQ(values_of<std::int64_t>(Op("Neg")(list({-3, 3}))), (Ints{3, -3}));
  EXPECT_EQ(values_of<std::int64_t>(Op("Sign")(list({-3, 0, 5}))), (Ints{-1, 0, 1}));
  EXPECT_EQ(values_of<std::int64_t>(Op("Relu")(list({-3, 3}))), (Ints{0, 3}));
  EXPECT_THROW(Op("Sqrt")(list({4})), Error);
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
