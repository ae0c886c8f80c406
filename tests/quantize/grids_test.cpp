// Grids from ranges, weights and biases.
#include "quantize/grids/grids.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "graph/reals.hpp"
#include "quantized.hpp"

namespace intact::testing {
namespace {

TEST(ActivationGrid, CoversTheRangeAndHoldsZero) {
  for (const ValueRange range : {ValueRange{-1, 3}, ValueRange{-0.1f, 0.7f}, ValueRange{-5, 0.001f},
                                 ValueRange{-1e30f, 2e30f}}) {
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

TEST(ActivationGrid, SignedAndSymmetric) {
  const ActivationFormat s8{ElementType::s8, false}, symmetric{ElementType::s8, true},
      middle{ElementType::u8, true};
  EXPECT_EQ(activation_grid({0, 5.1f}, s8),
            (Grid{ElementType::s8, {5.1f / 255}, {-128}, std::nullopt}));
  EXPECT_EQ(activation_grid({-2, 1}, s8).zero_point[0], 170 - 128);
  EXPECT_EQ(activation_grid({-2, 1}, symmetric),
            (Grid{ElementType::s8, {2.0f / 127}, {0}, std::nullopt}));
  EXPECT_EQ(activation_grid({-1, 2}, middle),
            (Grid{ElementType::u8, {2.0f / 127}, {128}, std::nullopt}));
  EXPECT_EQ(activation_grid({0, 0}, middle).zero_point[0], 128);
  EXPECT_EQ(activation_grid({0, 0}, s8).zero_point[0], -128);
}

TEST(WeightGrid, LargestMagnitudeOfEachChannelIs127OrLittleLess) {
  const Tensor weights = random_floats({4, 500}, 1);
  for (const std::optional<int> axis : {std::optional<int>(0), std::optional<int>()}) {
    const QuantizedWeights quantized = quantize_weights(weights, axis, {}, 1);
    EXPECT_EQ(quantized.grid.axis, axis);
    EXPECT_EQ(quantized.grid.scale.size(), axis ? 4u : 1u);
    const Tensor back = dequantize(quantized.integers, quantized.grid);
    int largest = 0;
    for (std::size_t i = 0; i < 2000; ++i) {
      largest = std::max(largest, std::abs(int{quantized.integers.data<std::int8_t>()[i]}));
      EXPECT_NEAR(back.data<float>()[i], weights.data<float>()[i], 1.0 / 120 / 2);
    }
    EXPECT_GE(largest, 120);
    EXPECT_LE(largest, 127);
  }
}

TEST(WeightGrid, NarrowWeightsEndAt63) {
  const QuantizedWeights quantized =
      quantize_weights(random_floats({4, 500}, 1), 0, {}, 1, narrow_weights);
  int largest = 0;
  for (const std::int8_t q : quantized.integers.data<std::int8_t>())
    largest = std::max(largest, std::abs(int{q}));
  EXPECT_LE(largest, 63);
  EXPECT_GE(largest, 58);
}

TEST(WeightGrid, WeightsOnAGridComeBackExactly) {
  // Whole numbers of steps of 0.01 with a different largest one in each channel.
  for (const int largest : {1, 3, 50, 63, 64, 100, 127}) {
    Tensor weights(ElementType::f32, {40, 2});
    for (int i = 0; i < 40; ++i) {
      weights.data<float>()[static_cast<std::size_t>(2 * i)] =
          0.01f * static_cast<float>(i % (largest + 1));
      weights.data<float>()[static_cast<std::size_t>(2 * i + 1)] =
          -0.01f * static_cast<float>(largest);
    }
    weights.data<float>()[0] = 0.01f * static_cast<float>(largest);
    const QuantizedWeights quantized = quantize_weights(weights, 1, {}, 1);
    const Tensor back = dequantize(quantized.integers, quantized.grid);
    EXPECT_LE(largest_difference(back, weights), 1e-6) << largest;
  }
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
  EXPECT_GE(w.grid.scale[1], 0.0099f);
  EXPECT_LE(w.grid.scale[1], 0.02f);
  const Tensor real = dequantize(b.integers, b.grid);
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_LE(std::abs(std::int64_t{b.integers.data<std::int32_t>()[c]}), (1 << 30) + 128);
    EXPECT_NEAR(real.data<float>()[c], bias.data<float>()[c], 1e-4);
  }
  const QuantizedWeights all = quantize_weights(weights, std::nullopt, bias.data<float>(), 0.01f);
  EXPECT_LE(all.grid.scale[0], 0.02f);
}

}  // namespace
}  // namespace intact::testing
