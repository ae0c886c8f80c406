// Pools, normalizations, softmax and reductions against values computed by hand.
#include <cmath>

#include "tests/graph/evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;

void expect_near(const Tensor& actual, const std::vector<float>& expected) {
  ASSERT_EQ(static_cast<std::size_t>(actual.size()), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual.data<float>()[i], expected[i], 1e-6) << "element " << i;
}

const Tensor image = floats({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});

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

TEST(BatchNormalization, ScalesPerChannel) {
  const Tensor x = floats({1, 2, 1}, {3, 10});
  const Tensor y = Op("BatchNormalization")
                       .with("epsilon", 0.0F)(x, floats({2}, {2, 1}), floats({2}, {1, 0}),
                                              floats({2}, {1, 6}), floats({2}, {4, 16}));
  expect_near(y, {3, 1});
  EXPECT_EQ(
      error_of([&] {
        Op("BatchNormalization")
            .infer(x, floats({1}, {2}), floats({2}, {1, 0}), floats({2}, {1, 6}),
                   floats({2}, {4, 16}));
      }),
      "BatchNormalization 'n' (opset 18): a per-channel operand has shape [1]; it must be [2]");
}

TEST(LayerNormalization, GivesMeanAndInverseDeviation) {
  const auto results =
      Op("LayerNormalization", 3)
          .with("epsilon", 0.0F)
          .all({floats({2, 2}, {1, 3, 10, 2}), floats({2}, {1, 2}), floats({2}, {0, 1})});
  expect_near(results[0], {-1, 3, 1, -1});
  expect_near(results[1], {2, 6});
  expect_near(results[2], {1, 0.25F});
  EXPECT_EQ(results[1].shape(), (Shape{2, 1}));
}

TEST(InstanceNormalization, NormalizesEachChannelOfEachImage) {
  const Tensor y = Op("InstanceNormalization")
                       .with("epsilon", 0.0F)(floats({1, 2, 2}, {1, 3, 10, 30}),
                                              floats({2}, {1, 2}), floats({2}, {0, 5}));
  expect_near(y, {-1, 1, 3, 7});
}

TEST(GroupNormalization, HasOneScalePerGroupUntil21) {
  const Tensor x = floats({1, 2, 2}, {1, 3, 1, 3});
  expect_near(Op("GroupNormalization")
                  .with("num_groups", 1)
                  .with("epsilon", 0.0F)(x, floats({1}, {3}), floats({1}, {1})),
              {-2, 4, -2, 4});
  expect_near(Op("GroupNormalization")
                  .at(21)
                  .with("num_groups", 1)
                  .with("epsilon", 0.0F)(x, floats({2}, {3, 1}), floats({2}, {1, 0})),
              {-2, 4, -1, 1});
}

TEST(RmsNormalization, DividesByTheRootOfTheMeanSquare) {
  const Tensor x = floats({2, 2}, {1, 7, -2, 2});
  expect_near(Op("RMSNormalization").at(23).with("epsilon", 0.0F)(x, floats({2}, {5, 10})),
              {1, 14, -5, 10});
  expect_near(
      Op("RMSNormalization").at(23).with("axis", 0).with("epsilon", 10.5F)(x, floats({1}, {5})),
      {1, 7, -2, 2});
  EXPECT_THROW(Op("RMSNormalization").at(23)(x, floats({3}, {1, 2, 3})), Error);
}

TEST(Lrn, SumsSquaresOfNeighbouringChannels) {
  const Tensor y = Op("LRN")
                       .with("size", 3)
                       .with("alpha", 3.0F)
                       .with("beta", 1.0F)(floats({1, 3, 1}, {1, 2, 3}));
  expect_near(y, {1.0F / 6, 2.0F / 15, 3.0F / 14});
}

TEST(LpNormalization, DividesByTheNorm) {
  expect_near(Op("LpNormalization")(floats({1, 2}, {3, -4})), {0.6F, -0.8F});
  expect_near(Op("LpNormalization").with("p", 1)(floats({1, 2}, {3, -1})), {0.75F, -0.25F});
}

TEST(Softmax, ChangedItsAxesWithOpset13) {
  const Tensor x = floats({1, 2, 2}, {0, 0, 0, 0});
  expect_near(Op("Softmax").at(11)(x), {0.25F, 0.25F, 0.25F, 0.25F});
  expect_near(Op("Softmax").at(13)(x), {0.5F, 0.5F, 0.5F, 0.5F});
}

TEST(Softmax, LargeNumbersDoNotOverflow) {
  expect_near(Op("Softmax")(floats({2}, {10000, 10000})), {0.5F, 0.5F});
  expect_near(Op("LogSoftmax")(floats({2}, {10000, 10000})), {-std::log(2.0F), -std::log(2.0F)});
  expect_near(Op("Hardmax")(floats({3}, {1, 7, 7})), {0, 1, 0});
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
