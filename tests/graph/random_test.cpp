// Random operators: form, range and moments of what they draw, and that they repeat themselves.
#include <algorithm>
#include <array>
#include <cmath>

#include "tests/graph/evaluate.hpp"

namespace intact::testing {
namespace {

struct Statistics {
  double mean = 0, deviation = 0, least = 0, greatest = 0;
};

Statistics statistics(const Tensor& tensor) {
  const auto values = values_of<float>(tensor);
  Statistics result{0, 0, values[0], values[0]};
  for (const float x : values) {
    result.mean += x / static_cast<double>(values.size());
    result.least = std::min<double>(result.least, x);
    result.greatest = std::max<double>(result.greatest, x);
  }
  for (const float x : values)
    result.deviation += (x - result.mean) * (x - result.mean) / static_cast<double>(values.size());
  result.deviation = std::sqrt(result.deviation);
  return result;
}

const Attribute many = std::vector<std::int64_t>{100, 200};

TEST(Random, uniform_numbers_fill_their_range_evenly) {
  const Tensor drawn =
      Op("RandomUniform").with("shape", many).with("low", -2.0f).with("high", 4.0f)();
  EXPECT_EQ(drawn.shape(), (Shape{100, 200}));
  const Statistics s = statistics(drawn);
  EXPECT_GE(s.least, -2);
  EXPECT_LT(s.greatest, 4);
  EXPECT_NEAR(s.mean, 1, 0.05);
  EXPECT_NEAR(s.deviation, 6 / std::sqrt(12.0), 0.05);
}

TEST(Random, normal_numbers_have_mean_and_scale) {
  const Statistics s =
      statistics(Op("RandomNormal").with("shape", many).with("mean", 3.0f).with("scale", 0.5f)());
  EXPECT_NEAR(s.mean, 3, 0.02);
  EXPECT_NEAR(s.deviation, 0.5, 0.02);
}

TEST(Random, a_seed_gives_the_same_numbers_and_another_seed_others) {
  const auto drawn = [](float seed) {
    return values_of<float>(Op("RandomUniform").with("shape", many).with("seed", seed)());
  };
  EXPECT_EQ(drawn(1), drawn(1));
  EXPECT_NE(drawn(1), drawn(2));
  EXPECT_EQ(values_of<float>(Op("RandomUniform").with("shape", many)()),
            values_of<float>(Op("RandomUniform").with("shape", many)()));
}

TEST(Random, like_takes_shape_and_type_of_its_operand) {
  const Tensor drawn = Op("RandomNormalLike")(doubles({2, 3}, {0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(drawn.type(), ElementType::f64);
  EXPECT_EQ(drawn.shape(), (Shape{2, 3}));
  EXPECT_EQ(Op("RandomUniformLike").with("dtype", 1)(list({1, 2, 3})).type(), ElementType::f32);
  EXPECT_NE(error_of([] { Op("RandomUniformLike")(list({1})); }).find("cannot draw"),
            std::string::npos);
}

TEST(Random, bernoulli_gives_ones_as_often_as_asked) {
  const Tensor probability = floats({4}, {0, 0.25f, 0.75f, 1});
  Tensor spread(ElementType::f32, {10000, 4});
  for (std::size_t i = 0; i < 40000; ++i)
    spread.data<float>()[i] = probability.data<float>()[i % 4];
  const auto drawn = values_of<float>(Op("Bernoulli")(spread));
  std::array<double, 4> ones = {};
  for (std::size_t i = 0; i < drawn.size(); ++i) ones[i % 4] += drawn[i];
  EXPECT_EQ(ones[0], 0);
  EXPECT_NEAR(ones[1], 2500, 150);
  EXPECT_NEAR(ones[2], 7500, 150);
  EXPECT_EQ(ones[3], 10000);
  EXPECT_EQ(Op("Bernoulli").with("dtype", 9)(probability).type(), ElementType::boolean);
}

TEST(Random, multinomial_draws_classes_by_their_logarithmic_probability) {
  const float never = -std::numeric_limits<float>::infinity();
  const Tensor drawn = Op("Multinomial")
                           .with("sample_size", 20000)(floats(
                               {2, 3}, {std::log(1.0f), never, std::log(3.0f), never, 7, never}));
  EXPECT_EQ(drawn.type(), ElementType::s32);
  EXPECT_EQ(drawn.shape(), (Shape{2, 20000}));
  const auto classes = values_of<std::int32_t>(drawn);
  std::array<int, 3> first = {};
  for (std::size_t i = 0; i < 20000; ++i) ++first[static_cast<std::size_t>(classes[i])];
  EXPECT_NEAR(first[0], 5000, 300);
  EXPECT_EQ(first[1], 0);
  for (std::size_t i = 20000; i < 40000; ++i) ASSERT_EQ(classes[i], 1);
}

TEST(Random, is_never_folded) {
  for (const char* op : {"RandomUniform", "RandomNormal", "Bernoulli", "Multinomial"})
    EXPECT_TRUE(find_definition(op, "")->random) << op;
}

}  // namespace
}  // namespace intact::testing
