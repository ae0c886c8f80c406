// Windows, Fourier transforms and MelWeightMatrix: values by hand, and operands that do not fit.
#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Floats = std::vector<float>;

void expect_near(const Tensor& given, const Shape& shape, const Floats& wanted) {
  ASSERT_EQ(given.shape(), shape);
  const Floats values = values_of<float>(given);
  ASSERT_EQ(values.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(values[i], wanted[i], 1e-6) << i;
}

Tensor number(std::int64_t value) {
  return int64s({}, {value});
}

TEST(Windows, PeriodicAndSymmetric) {
  expect_near(Op("HannWindow")(number(4)), {4}, {0, 0.5f, 1, 0.5f});
  expect_near(Op("HannWindow").with("periodic", 0)(number(3)), {3}, {0, 1, 0});
  expect_near(Op("HannWindow").with("periodic", 0)(number(1)), {1}, {1});
  expect_near(Op("HannWindow")(number(0)), {0}, {});
  expect_near(Op("HammingWindow")(number(2)), {2}, {4.0f / 46, 1});
  expect_near(Op("BlackmanWindow")(number(2)), {2}, {0, 1});
  EXPECT_EQ(Op("HannWindow").with("output_datatype", 11)(number(2)).type(), ElementType::f64);
  EXPECT_EQ(error_of([] { Op("HannWindow")(number(-1)); }),
            "HannWindow 'n' (opset 18): the size is -1; it must not be negative");
}

TEST(Dft, TransformsAlongAnAxis) {
  const Tensor x = floats({1, 4, 1}, {1, 2, 3, 4});
  const Tensor y = Op("DFT")(x);
  expect_near(y, {1, 4, 2}, {10, 0, -2, 2, -2, 0, -2, -2});
  expect_near(Op("DFT").with("inverse", 1)(y), {1, 4, 2}, {1, 0, 2, 0, 3, 0, 4, 0});
  expect_near(Op("DFT").with("onesided", 1)(x), {1, 3, 2}, {10, 0, -2, 2, -2, 0});
  expect_near(Op("DFT").with("axis", 0)(floats({2, 2, 1}, {1, 2, 3, 4})), {2, 2, 2},
              {4, 0, 6, 0, -2, 0, -2, 0});
  expect_near(Op("DFT").at(20)(floats({2, 2, 1}, {1, 2, 3, 4}), Tensor{}, number(0)), {2, 2, 2},
              {4, 0, 6, 0, -2, 0, -2, 0});
}

TEST(Dft, LengthCutsAndContinuesWithZeros) {
  const Tensor x = floats({1, 3, 1}, {1, 2, 3});
  expect_near(Op("DFT")(x, number(2)), {1, 2, 2}, {3, 0, -1, 0});
  expect_near(Op("DFT")(x, number(4)), {1, 4, 2}, {6, 0, -2, -2, 2, 0, -2, 2});
}

TEST(Dft, RefusesWhatDoesNotFit) {
  const Tensor x = floats({1, 2, 1}, {1, 2}), pairs = floats({1, 1, 2}, {1, 2});
  EXPECT_THROW(Op("DFT")(floats({1, 3}, {1, 2, 3})), Error);
  EXPECT_THROW(Op("DFT").with("axis", 2)(x), Error);
  EXPECT_THROW(Op("DFT")(x, number(0)), Error);
  EXPECT_THROW(Op("DFT")(x, number(std::int64_t{1} << 40)), Unsupported);
  EXPECT_THROW(Op("DFT").with("onesided", 1)(pairs), Error);
  EXPECT_THROW(Op("DFT").with("onesided", 1).with("inverse", 1)(x), Unsupported);
}

TEST(Stft, TransformsFrames) {
  const Tensor x = floats({1, 4, 1}, {1, 2, 3, 4});
  expect_near(Op("STFT")(x, number(2), Tensor{}, number(2)), {1, 2, 2, 2},
              {3, 0, -1, 0, 7, 0, -1, 0});
  expect_near(Op("STFT")(x, number(1), floats({2}, {1, 0})), {1, 3, 2, 2},
              {1, 0, 1, 0, 2, 0, 2, 0, 3, 0, 3, 0});
  EXPECT_THROW(Op("STFT")(x, number(0), floats({2}, {1, 0})), Error);
  EXPECT_THROW(Op("STFT")(x, number(1)), Error);
  EXPECT_THROW(Op("STFT")(x, number(1), Tensor{}, number(5)), Error);
  EXPECT_THROW(Op("STFT")(x, number(1), floats({2}, {1, 0}), number(3)), Error);
}

TEST(MelWeightMatrix, TrianglesBetweenTheEdges) {
  const auto matrix = [](float upper) {
    return Op("MelWeightMatrix")(number(2), number(8), number(8000), floats({}, {0}),
                                 floats({}, {upper}));
  };
  const Tensor result = matrix(4000);
  ASSERT_EQ(result.shape(), (Shape{5, 2}));
  // Edges at 0, 427, 1114 and 2220 Hz, rounded down to the bins 0, 0, 1 and 2.
  EXPECT_EQ(values_of<float>(result), (Floats{1, 0, 0, 1, 0, 0, 0, 0, 0, 0}));
  EXPECT_THROW(matrix(40000), Error);
}

}  // namespace
}  // namespace intact
