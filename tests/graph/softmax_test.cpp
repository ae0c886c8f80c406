// Softmax and its relatives against values computed by hand.
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

}  // namespace
}  // namespace intact
