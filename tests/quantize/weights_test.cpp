// Weights rounded for their inputs: layouts, columns, moments, and what rounding does to outputs.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "graph/reals.hpp"
#include "quantize/grids/grids.hpp"
#include "quantize/weights/columns.hpp"
#include "quantize/weights/layout.hpp"
#include "quantize/weights/moments.hpp"
#include "quantize/weights/rounding.hpp"
#include "tests/quantize/quantized.hpp"

namespace intact {
namespace {

Node product(const std::string& op) {
  Node node;
  node.op = op;
  node.version = 13;
  node.name = op;
  return node;
}

Tensor counting(Shape shape) {
  Tensor tensor(ElementType::f32, std::move(shape));
  float next = 0;
  for (float& value : tensor.data<float>()) value = next++;
  return tensor;
}

TEST(WeightLayout, FindsEveryElementOnce) {
  Node grouped = product("Conv"), transposed = product("Gemm");
  grouped.attributes.set("group", std::int64_t{3});
  transposed.attributes.set("transB", std::int64_t{1});
  const std::vector<std::pair<Node, Shape>> cases = {{grouped, {6, 2, 3, 3}},
                                                     {product("ConvTranspose"), {4, 5, 2, 2}},
                                                     {transposed, {7, 3}},
                                                     {product("Gemm"), {3, 7}},
                                                     {product("MatMul"), {3, 7}}};
  for (const auto& [node, shape] : cases) {
    const WeightLayout layout = weight_layout(node, shape);
    std::vector<int> seen(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t g = 0; g < layout.groups; ++g)
      for (std::size_t k = 0; k < layout.depth; ++k)
        for (std::size_t n = 0; n < layout.outputs; ++n) ++seen.at(layout.element(g, k, n));
    for (const int times : seen) EXPECT_EQ(times, 1) << node.name;
  }
}

TEST(SampleColumns, AreTheWindowsOfAConvolution) {
  Node node = product("Conv");
  node.attributes.set("pads", std::vector<std::int64_t>{1, 1, 1, 1});
  node.attributes.set("strides", std::vector<std::int64_t>{2, 1});
  const Tensor input = counting({1, 2, 4, 3});
  std::vector<float> columns;
  sample_columns(node, {1, 2, 3, 3}, input, 100, 0, columns);  // all six windows
  ASSERT_EQ(columns.size(), 6U * 18);
  std::size_t at = 0;
  for (int y = 0; y < 2; ++y)
    for (int x = 0; x < 3; ++x)
      for (int c = 0; c < 2; ++c)
        for (int i = 2 * y - 1; i <= 2 * y + 1; ++i)
          for (int j = x - 1; j <= x + 1; ++j) {
            const bool inside = i >= 0 && i < 4 && j >= 0 && j < 3;
            EXPECT_EQ(columns[at++], inside ? static_cast<float>((c * 4 + i) * 3 + j) : 0.0f);
          }
}

TEST(SampleColumns, AreThePixelsOfATransposedConvolutionAndTheRowsOfAMatrix) {
  std::vector<float> pixels, rows;
  sample_columns(product("ConvTranspose"), {2, 1, 2, 2}, counting({2, 2, 1, 2}), 100, 0, pixels);
  EXPECT_EQ(pixels, (std::vector<float>{0, 2, 1, 3, 4, 6, 5, 7}));
  sample_columns(product("MatMul"), {2, 5}, counting({2, 2, 2}), 100, 0, rows);
  EXPECT_EQ(rows, (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(SampleColumns, SpreadOverTheRows) {
  const Tensor input = counting({1000, 1});
  std::vector<float> rows;
  sample_columns(product("MatMul"), {1, 1}, input, 20, 7, rows);
  ASSERT_EQ(rows.size(), 20U);
  for (float part = 0; part < 1000; part += 200)  // every fifth of them has some
    EXPECT_TRUE(std::any_of(rows.begin(), rows.end(),
                            [&](float row) { return row >= part && row < part + 200; }));
}

/// Columns of three numbers, the first two of which vary together.
std::vector<float> related_columns(int count) {
  std::mt19937 generator(3);
  std::uniform_real_distribution<float> uniform(0, 1);
  std::vector<float> columns;
  for (int i = 0; i < count; ++i) {
    const float common = uniform(generator);
    columns.push_back(common);
    columns.push_back(common + 0.05f * uniform(generator));
    columns.push_back(uniform(generator));
  }
  return columns;
}

const Grid fine_grid{ElementType::u8, {1.0f / 128}, {10}, std::nullopt};

TEST(InputMoments, AreThoseOfTheRoundedColumns) {
  const WeightLayout layout = weight_layout(product("MatMul"), {3, 4});
  InputMoments moments(layout);
  std::vector<float> columns = related_columns(100);
  moments.add(std::span(columns).first(90), fine_grid);
  moments.add(std::span(columns).subspan(90), fine_grid);
  const Tensor given = Tensor::from<float>({100, 3}, columns);
  const Tensor rounded = dequantize(quantize(given, fine_grid), fine_grid);
  const auto values = rounded.data<float>();
  ASSERT_EQ(moments.count(), 100U);
  const std::vector<double> around = moments.second_moments(moments.blocks()[0], true);
  const std::vector<double> raw = moments.second_moments(moments.blocks()[0], false);
  for (std::size_t i = 0; i < 3; ++i) {
    double mean_i = 0;
    for (std::size_t c = 0; c < 100; ++c) mean_i += static_cast<double>(values[c * 3 + i]) / 100;
    EXPECT_NEAR(moments.rounded_mean(i), mean_i, 1e-6);
    for (std::size_t j = 0; j < 3; ++j) {
      double sum = 0, mean_j = 0;
      for (std::size_t c = 0; c < 100; ++c) {
        sum +=
            static_cast<double>(values[c * 3 + i]) * static_cast<double>(values[c * 3 + j]) / 100;
        mean_j += static_cast<double>(values[c * 3 + j]) / 100;
      }
      EXPECT_NEAR(raw[i * 3 + j], sum, 1e-6);
      EXPECT_NEAR(around[i * 3 + j], sum - mean_i * mean_j, 1e-6);
    }
  }
}

TEST(InputMoments, KnowWhatClippingTakesFromTheMeans) {
  InputMoments moments(weight_layout(product("MatMul"), {1, 1}));
  moments.add(std::vector<float>{-7, 1.25f, 200, 10},
              {ElementType::u8, {0.5f}, {10}, std::nullopt});  // the grid reaches from -5 to 122.5
  EXPECT_DOUBLE_EQ(moments.mean(0), 204.25 / 4);
  EXPECT_DOUBLE_EQ(moments.clipped_mean(0), 128.75 / 4);
  EXPECT_DOUBLE_EQ(moments.rounded_mean(0), 128.5 / 4);
}

TEST(RoundByMoments, ChangesOutputsLessThanTheNearestIntegers) {
  constexpr std::size_t outputs = 50;
  const WeightLayout layout = weight_layout(product("MatMul"), {3, outputs});
  InputMoments moments(layout);
  const std::vector<float> columns = related_columns(1000);
  moments.add(columns, fine_grid);
  std::mt19937 generator(4);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Tensor weights(ElementType::f32, {3, outputs});
  for (float& weight : weights.data<float>()) weight = uniform(generator);
  const Grid grid{ElementType::s8, {1.0f / 8}, {0}, std::nullopt};  // coarse
  const auto change = [&](const Tensor& integers) {
    const Tensor rounded = dequantize(integers, grid);
    double sum = 0;
    for (std::size_t c = 0; c < 1000; ++c)
      for (std::size_t n = 0; n < outputs; ++n) {
        double difference = 0;
        for (std::size_t k = 0; k < 3; ++k)
          difference += static_cast<double>(columns[c * 3 + k]) *
                        static_cast<double>(weights.data<float>()[k * outputs + n] -
                                            rounded.data<float>()[k * outputs + n]);
        sum += difference * difference;
      }
    return sum;
  };
  const double nearest = change(quantize(weights, grid));
  EXPECT_LT(change(round_by_moments(weights, layout, grid, moments, false)), 0.6 * nearest);
}

TEST(RoundByMoments, IsTheNearestIntegerWhereInputsVaryAlone) {
  const WeightLayout layout = weight_layout(product("MatMul"), {2, 3});
  InputMoments moments(layout);
  moments.add(std::vector<float>{0, 0, 1, 0, 0, 1, 1, 1}, fine_grid);
  const Tensor weights =
      Tensor::from<float>({2, 3}, std::vector<float>{0.4f, -2.6f, 500, 1.6f, 0, 3});
  const Grid grid{ElementType::s8, {1.0f}, {0}, std::nullopt};
  const Tensor integers = round_by_moments(weights, layout, grid, moments, true);
  const auto values = integers.data<std::int8_t>();
  EXPECT_EQ(std::vector<int>(values.begin(), values.end()),
            (std::vector<int>{0, -3, 127, 2, 0, 3}));
}

}  // namespace
}  // namespace intact
