// Distributions of streamed values, and the ranges chosen from them.
#include "quantize/calibration/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "quantize/calibration/ranges.hpp"

namespace intact::testing {
namespace {

std::vector<float> normal_values(std::size_t count, unsigned seed, float deviation = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> distribution(0, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = distribution(generator);
  return values;
}

std::uint64_t counted(const Histogram& histogram) {
  std::uint64_t sum = histogram.zeros();
  for (const Histogram::Point& point : histogram.points()) sum += point.count;
  return sum;
}

bool same(const Histogram& a, const Histogram& b) {
  const auto x = a.points(), y = b.points();
  return a.total() == b.total() && a.zeros() == b.zeros() && a.extremes() == b.extremes() &&
         std::equal(x.begin(), x.end(), y.begin(), y.end(), [](const auto& p, const auto& q) {
           return p.value == q.value && p.count == q.count;
         });
}

TEST(Histogram, KeepsCountsAsItGrows) {
  Histogram histogram;
  std::uint64_t total = 0;
  for (int octave = -140; octave <= 127; octave += 3) {
    auto values = normal_values(100, static_cast<unsigned>(octave + 200));
    for (float& value : values)
      value = std::ldexp(std::clamp(value, -1.5f, 1.5f), std::min(octave, 126));
    values[0] = 0;
    histogram.observe(values);
    total += values.size();
    EXPECT_EQ(histogram.total(), total);
    ASSERT_EQ(counted(histogram), total) << octave;
    ASSERT_LE(histogram.points().size(), Histogram::most_bins);
  }
}

TEST(Histogram, PointsLieWithinHalfABinOfTheValues) {
  Histogram histogram;
  histogram.observe(std::vector<float>{-1000, 0.0001f, 1000});
  histogram.observe(std::vector<float>{-333.3f, 777.7f});
  const auto points = histogram.points();
  const double expected[] = {-1000, -333.3, 0.0001, 777.7, 1000};
  ASSERT_EQ(points.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(points[i].value, expected[i], 1);
}

TEST(Histogram, DependsNeitherOnOrderNorOnPieces) {
  std::vector<std::vector<float>> samples;
  for (unsigned i = 0; i < 6; ++i)
    samples.push_back(normal_values(1000, i, std::ldexp(1.0f, static_cast<int>(i * 7 % 6) - 3)));
  Histogram forward, backward, pieces;
  for (const auto& sample : samples) forward.observe(sample);
  for (auto sample = samples.rbegin(); sample != samples.rend(); ++sample)
    backward.observe(*sample);
  for (const auto& sample : samples)
    for (const float value : sample) pieces.observe({&value, 1});
  EXPECT_TRUE(same(forward, backward));
  EXPECT_TRUE(same(forward, pieces));
  EXPECT_EQ(least_squares_range(forward), least_squares_range(pieces));
}

TEST(Histogram, MemoryDoesNotGrowWithSamples) {
  Histogram histogram;
  for (unsigned i = 0; i < 500; ++i) {
    histogram.observe(normal_values(200, i, static_cast<float>(i + 1)));
    ASSERT_LE(histogram.bins(), Histogram::most_bins);
  }
  EXPECT_GT(histogram.bins(), Histogram::most_bins / 4);
}

TEST(Histogram, KnowsNothingOfNoValues) {
  Histogram histogram;
  histogram.observe({});
  EXPECT_EQ(histogram.total(), 0u);
  EXPECT_TRUE(histogram.points().empty());
  EXPECT_EQ(least_squares_range(histogram), (ValueRange{0, 0}));
  EXPECT_EQ(percentile_range(histogram, 0.9999), (ValueRange{0, 0}));
}

TEST(LeastSquares, ClipsARareOutlier) {
  Histogram histogram;
  auto values = normal_values(1000000, 1);
  values[500] = 20;
  histogram.observe(values);
  const ValueRange range = least_squares_range(histogram);
  EXPECT_LT(range.max, 15);
  EXPECT_GT(range.max, 3);
  EXPECT_LT(range.min, -3);
}

TEST(LeastSquares, KeepsAFrequentLargeValue) {
  Histogram histogram;
  auto values = normal_values(1000, 1);
  for (std::size_t i = 0; i < 50; ++i) values[i] = 30;
  histogram.observe(values);
  EXPECT_EQ(least_squares_range(histogram).max, 30);
}

TEST(LeastSquares, KeepsBoundsOfClampedValues) {
  Histogram histogram;
  auto values = normal_values(10000, 2, 4);
  for (float& value : values) value = std::min(std::max(value, 0.0f), 6.0f);
  histogram.observe(values);
  EXPECT_EQ(least_squares_range(histogram), (ValueRange{0, 6}));
}

TEST(LeastSquares, ClippedValuesCountMore) {
  // The plain squared error is least where it is clipped to about 10.
  Histogram histogram;
  auto values = normal_values(100000, 4);
  values[0] = 12;
  histogram.observe(values);
  EXPECT_GT(least_squares_range(histogram).max, 11);
}

TEST(LeastSquares, NeedNotReachWhereTheFunctionIsFlat) {
  Histogram histogram;
  histogram.observe(normal_values(100000, 6, 4));
  const ElementFunction relu6 = [](std::span<float> values) {
    for (float& value : values) value = std::min(std::max(value, 0.0f), 6.0f);
  };
  const ValueRange range = least_squares_range(histogram, relu6);
  EXPECT_NEAR(range.max, 6, 0.5);
  EXPECT_GT(range.min, -2) << "as far as the search goes";
  const ElementFunction identity = [](std::span<float>) {};
  const ValueRange all = least_squares_range(histogram, identity);
  EXPECT_GT(all.max, 12);
  EXPECT_LT(all.min, -12);
}

TEST(LeastSquares, TreatsBothSidesAlike) {
  Histogram histogram, mirrored;
  auto values = normal_values(100000, 3);
  values[0] = 7;
  for (const float value : values) histogram.observe({&value, 1});
  for (float& value : values) value = -value;
  mirrored.observe(values);
  const ValueRange range = least_squares_range(histogram), other = least_squares_range(mirrored);
  EXPECT_NEAR(range.max, -other.min, 0.2);
  EXPECT_NEAR(range.min, -other.max, 0.2);
}

/// Values with a few far away, by their distance in standard deviations.
Histogram with_outliers(float distance, std::size_t outliers) {
  auto values = normal_values(100000, 5);
  for (std::size_t i = 0; i < outliers; ++i) values[i] = distance;
  Histogram histogram;
  histogram.observe(values);
  return histogram;
}

TEST(Divergence, ClipsARareOutlier) {
  const ValueRange range = least_divergence_range(with_outliers(20, 1));
  EXPECT_LT(range.max, 10);
  EXPECT_GT(range.max, 2.5f);
  EXPECT_LT(range.min, -2.5f);
}

TEST(Divergence, KeepsAFrequentLargeValue) {
  EXPECT_EQ(least_divergence_range(with_outliers(12, 20000)).max, 12);
}

TEST(Divergence, KeepsBoundsOfClampedValues) {
  Histogram histogram;
  auto values = normal_values(10000, 2, 4);
  for (float& value : values) value = std::min(std::max(value, 0.0f), 6.0f);
  histogram.observe(values);
  EXPECT_EQ(least_divergence_range(histogram), (ValueRange{0, 6}));
}

TEST(Divergence, DoesNotDependOnTheUnit) {
  auto values = normal_values(50000, 8);
  values[3] = 9;
  Histogram ones, thousands;
  ones.observe(values);
  for (float& value : values) value *= 1024;
  thousands.observe(values);
  const ValueRange range = least_divergence_range(ones);
  EXPECT_EQ(least_divergence_range(thousands), (ValueRange{range.min * 1024, range.max * 1024}));
}

TEST(Divergence, KnowsNothingOfNoValues) {
  EXPECT_EQ(least_divergence_range(Histogram{}), (ValueRange{0, 0}));
  Histogram zeros;
  zeros.observe(std::vector<float>(10));
  EXPECT_EQ(least_divergence_range(zeros), (ValueRange{0, 0}));
}

TEST(Percentile, LeavesTheShareOutside) {
  std::vector<float> values(100000);
  std::iota(values.begin(), values.end(), -20000.0f);
  Histogram histogram;
  histogram.observe(values);
  const ValueRange range = percentile_range(histogram, 0.98);
  EXPECT_NEAR(range.min, -19000, 64);
  EXPECT_NEAR(range.max, 79000, 64);
}

TEST(Percentile, KeepsSparseValues) {
  std::vector<float> values(100000);
  values[7] = 3;
  Histogram histogram;
  histogram.observe(values);
  EXPECT_EQ(percentile_range(histogram, 0.9999), (ValueRange{0, 3}));
}

}  // namespace
}  // namespace intact::testing
