// Pools and MaxUnpool against values computed by hand.
#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;

void expect_near(const Tensor& actual, const std::vector<float>& expected) {
  ASSERT_EQ(static_cast<std::size_t>(actual.size()), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual.data<float>()[i], expected[i], 1e-6) << "element " << i;
}

const Tensor image = floats({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});

void expect_near(const Tensor& given, const Shape& shape, const Floats& wanted) {
  ASSERT_EQ(given.shape(), shape);
  const Floats values = values_of<float>(given);
  ASSERT_EQ(values.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(values[i], wanted[i], 1e-6) << i;
}

TEST(MaxPool, GivesIndicesInEitherOrder) {
  Op pool("MaxPool", 2);
  pool.with("kernel_shape", Ints{2, 2});
  const auto rows = pool.all({image});
  EXPECT_EQ(values_of<float>(rows[0]), (std::vector<float>{5, 6, 8, 9}));
  EXPECT_EQ(values_of<std::int64_t>(rows[1]), (Ints{4, 5, 7, 8}));
  EXPECT_EQ(values_of<std::int64_t>(pool.with("storage_order", 1).all({image})[1]),
            (Ints{4, 7, 5, 8}));
}

TEST(MaxPool, PaddingNeverWins) {
  const Tensor x = Tensor::from<std::int8_t>({1, 1, 2}, std::vector<std::int8_t>{-5, -7});
  const Tensor y = Op("MaxPool").with("kernel_shape", Ints{2}).with("pads", Ints{1, 1})(x);
  EXPECT_EQ(values_of<std::int8_t>(y), (std::vector<std::int8_t>{-5, -5, -7}));
}

TEST(AveragePool, DivisorCountsPaddingOnRequest) {
  Op pool("AveragePool");
  pool.with("kernel_shape", Ints{2}).with("pads", Ints{1, 0});
  const Tensor x = floats({1, 1, 2}, {4, 8});
  expect_near(pool(x), {4, 6});
  expect_near(pool.with("count_include_pad", 1)(x), {2, 6});
}

TEST(AveragePool, CeilModeCountsOnlyUpToThePaddedExtent) {
  Op pool("AveragePool");
  pool.with("kernel_shape", Ints{3}).with("strides", Ints{2}).with("ceil_mode", 1);
  const Tensor x = floats({1, 1, 4}, {1, 2, 3, 5});
  expect_near(pool(x), {2, 4});
  // One position of padding behind: the last window has 3, 5 and it, and none beyond.
  expect_near(pool.with("pads", Ints{1, 1}).with("count_include_pad", 1)(x), {1, 10.0F / 3, 2.5F});
}

TEST(AveragePool, Dilations) {
  expect_near(Op("AveragePool")
                  .with("kernel_shape", Ints{2})
                  .with("dilations", Ints{2})(floats({1, 1, 4}, {1, 2, 5, 8})),
              {3, 5});
}

TEST(GlobalPool, ReducesAllSpatialAxes) {
  expect_near(Op("GlobalAveragePool")(image), {5});
  expect_near(Op("GlobalMaxPool")(image), {9});
  EXPECT_EQ(Op("GlobalAveragePool")(image).shape(), (Shape{1, 1, 1, 1}));
}

TEST(LpPool, IsTheNormOfTheWindow) {
  expect_near(Op("LpPool").with("kernel_shape", Ints{2}).with("p", 2)(floats({1, 1, 2}, {3, -4})),
              {5});
}

TEST(Pool, RefusesWrongAttributes) {
  EXPECT_EQ(error_of([] { Op("MaxPool").infer(image); }),
            "MaxPool 'n' (opset 18): the attribute kernel_shape is missing");
  EXPECT_EQ(error_of([] { Op("MaxPool").with("kernel_shape", Ints{2}).infer(image); }),
            "MaxPool 'n' (opset 18): the kernel [2] has 1 axes; the input [1,1,3,3] has 2 spatial "
            "axes");
  EXPECT_NE(error_of([] {
              Op("AveragePool").with("kernel_shape", Ints{4, 1}).infer(image);
            }).find("reaches over 4 positions, but the padded input has 3"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              Op("AveragePool").with("kernel_shape", Ints{0, 1}).infer(image);
            }).find("must have extents from 1"),
            std::string::npos);
}

TEST(MaxUnpool, PutsElementsWhereTheyCameFrom) {
  Op unpool("MaxUnpool");
  unpool.with("kernel_shape", std::vector<std::int64_t>{2, 2})
      .with("strides", std::vector<std::int64_t>{2, 2});
  const Tensor x = floats({1, 1, 1, 2}, {1, 2});
  const Tensor at = int64s({1, 1, 1, 2}, {5, 3});
  expect_near(unpool(x, at), {1, 1, 2, 4}, {0, 0, 0, 2, 0, 1, 0, 0});
  expect_near(unpool(x, at, list({1, 1, 2, 5})), {1, 1, 2, 5}, {0, 0, 0, 2, 0, 0, 1, 0, 0, 0});
  EXPECT_EQ(error_of([&] {
              unpool(x, int64s({1, 1, 1, 2}, {8, 0}));
            }),
            "MaxUnpool 'n' (opset 18): index 8 is outside of the 8 elements of [1,1,2,4]");
  EXPECT_THROW(unpool(x, at, list({1, 1, 2, 3})), Error);
  EXPECT_THROW(unpool(x, int64s({1}, {0})), Error);
  unpool.with("strides", std::vector<std::int64_t>{1, std::int64_t{1} << 62});
  EXPECT_THROW(unpool(floats({1, 1, 1, 4}, {1, 2, 3, 4}), int64s({1, 1, 1, 4}, {0, 0, 0, 0})),
               Error);
}

}  // namespace
}  // namespace intact
