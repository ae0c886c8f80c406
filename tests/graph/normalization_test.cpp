// Normalizations against values computed by hand.
#include <cmath>

#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;

void expect_near(const Tensor& actual, const std::vector<float>& expected) {
  ASSERT_EQ(static_cast<std::size_t>(actual.size()), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual.data<float>()[i], expected[i], 1e-6) << "element " << i;
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

void expect_rounded(const Tensor& actual, const std::vector<float>& expected) {
  ASSERT_EQ(actual.size(), static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_FLOAT_EQ(actual.data<float>()[i], expected[i]) << "element " << i;
}

TEST(BatchNormalization, of_a_batch_updates_the_statistics) {
  const auto results = Op("BatchNormalization", 3)
                           .at(15)
                           .with("training_mode", 1)
                           .with("momentum", 0.75f)
                           .with("epsilon", 0.0f)
                           .all({floats({2, 1, 2}, {1, 3, 5, 7}), floats({1}, {1}),
                                 floats({1}, {10}), floats({1}, {8}), floats({1}, {1})});
  const float root = std::sqrt(5.0f);
  expect_rounded(results[0], {10 - 3 / root, 10 - 1 / root, 10 + 1 / root, 10 + 3 / root});
  expect_rounded(results[1], {8 * 0.75f + 4 * 0.25f});
  expect_rounded(results[2], {1 * 0.75f + 5 * 0.25f});
}

}  // namespace
}  // namespace intact
