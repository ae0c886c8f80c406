// Grids from ranges, weights and biases.
#include "quantize/grids/grids.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "graph/reals.hpp"
#include "tests/graph/model_builder.hpp"

namespace intact::testing {
namespace {

TEST(ActivationGrid, CoversTheRangeAndHoldsZero) {
  for (const Range range :
       {Range{-1, 3}, Range{-0.1f, 0.7f}, Range{-5, 0.001f}, Range{-1e30f, 2e30f}}) {
    const Grid grid = activation_grid(range);
    check_grid(grid, "test");
    EXPECT_EQ(grid.type, ElementType::u8);
    const double scale = static_cast<double>(grid.scale[0]), zero = grid.zero_point[0];
    EXPECT_FLOAT_EQ(grid.scale[0], (range.max - range.min) / 255);
    EXPECT_GE(zero, 0);
    EXPECT_LE(zero, 255);
    EXPECT_LE(std::abs(-zero * scale - static_cast<double>(range.min)), 0.51 * scale);
    EXPECT_LE(std::abs((255 - zero) * scale - static_cast<double>(range.max)), 0.51 * scale);
  }
}

TEST(ActivationGrid, WidensOneSidedRangesToZero) {
  EXPECT_EQ(activation_grid({2, 5.1f}), (Grid{ElementType::u8, {5.1f / 255}, {0}, std::nullopt}));
  EXPECT_EQ(activation_grid({-5.1f, -2}),
            (Grid{ElementType::u8, {5.1f / 255}, {255}, std::nullopt}));
}

TEST(ActivationGrid, DegenerateRangesHaveScaleOne) {
  const Grid unit{ElementType::u8, {1.0f}, {0}, std::nullopt};
  EXPECT_EQ(activation_grid({0, 0}), unit);
  EXPECT_EQ(activation_grid({-1e-30f, 1e-30f}), unit);
  EXPECT_EQ(activation_grid({3, 3}).scale[0], 3.0f / 255);
}

TEST(WeightGrid, LargestMagnitudeOfEachChannelIs127) {
  const Tensor weights =
      Tensor::from<float>({2, 3}, std::vector<float>{1, -2, 0.5f, -0.25f, 0.125f, 0});
  const QuantizedWeights rows = quantize_weights(weights, 0, {}, 1);
  EXPECT_EQ(rows.grid.axis, 0);
  EXPECT_EQ(rows.grid.scale, (std::vector<float>{2.0f / 127, 0.25f / 127}));
  EXPECT_EQ(rows.grid.zero_point, (std::vector<std::int32_t>{0, 0}));
  const auto q = rows.integers.data<std::int8_t>();
  EXPECT_EQ(std::vector<int>(q.begin(), q.end()), (std::vector<int>{64, -127, 32, -127, 64, 0}));

  const QuantizedWeights columns = quantize_weights(weights, 1, {}, 1);
  EXPECT_EQ(columns.grid.scale, (std::vector<float>{1.0f / 127, 2.0f / 127, 0.5f / 127}));
  const QuantizedWeights all = quantize_weights(weights, std::nullopt, {}, 1);
  EXPECT_TRUE(all.grid.per_tensor());
  EXPECT_EQ(all.grid.scale, (std::vector<float>{2.0f / 127}));
}

TEST(WeightGrid, ChannelsOfZerosHaveScaleOne) {
  const Tensor weights = Tensor::from<float>({2, 2}, std::vector<float>{0, 0, 1e-30f, 0});
  const QuantizedWeights quantized = quantize_weights(weights, 0, {}, 1);
  EXPECT_EQ(quantized.grid.scale, (std::vector<float>{1, 1}));
  for (const std::int8_t q : quantized.integers.data<std::int8_t>()) EXPECT_EQ(q, 0);
}

TEST(BiasGrid, LiesOnTheAccumulatorsGrid) {
  const Tensor weights = random_floats({4, 8}, 1);
  const Tensor bias = random_floats({4}, 2, -3, 3);
  const float input_scale = 0.01f;
  const QuantizedWeights w = quantize_weights(weights, 0, bias.data<float>(), input_scale);
  const QuantizedWeights b = quantize_bias(bias, 0, input_scale, w.grid);
  EXPECT_EQ(b.grid.type, ElementType::s32);
  EXPECT_EQ(b.grid.axis, 0);
  const Tensor real = dequantize(b.integers, b.grid);
  for (std::size_t c = 0; c < 4; ++c) {
    EXPECT_EQ(b.grid.scale[c], input_scale * w.grid.scale[c]);
    EXPECT_EQ(b.grid.zero_point[c], 0);
    EXPECT_NEAR(real.data<float>()[c], bias.data<float>()[c],
                0.51 * static_cast<double>(b.grid.scale[c]));
  }
}

TEST(BiasGrid, TinyWeightsAreWidenedUntilTheBiasFits) {
  // Without widening the first bias would be 0.5 / (0.01 * 1e-9) = 5e10 steps.
  const Tensor weights = Tensor::from<float>({3, 1}, std::vector<float>{1.27e-7f, 1.27f, 0});
  const Tensor bias = Tensor::from<float>({3}, std::vector<float>{0.5f, 0.5f, -2});
  const QuantizedWeights w = quantize_weights(weights, 0, bias.data<float>(), 0.01f);
  const QuantizedWeights b = quantize_bias(bias, 0, 0.01f, w.grid);
  EXPECT_GT(w.grid.scale[0], 1e-9f);
  EXPECT_FLOAT_EQ(w.grid.scale[1], 0.01f);
  const Tensor real = dequantize(b.integers, b.grid);
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_LE(std::abs(std::int64_t{b.integers.data<std::int32_t>()[c]}), (1 << 30) + 128);
    EXPECT_NEAR(real.data<float>()[c], bias.data<float>()[c], 1e-4);
  }
  const QuantizedWeights all = quantize_weights(weights, std::nullopt, bias.data<float>(), 0.01f);
  EXPECT_FLOAT_EQ(all.grid.scale[0], 0.01f);
}

}  // namespace
}  // namespace intact::testing
