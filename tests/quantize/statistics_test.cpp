// Ranges from streamed values.
#include "quantize/calibration/statistics.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "quantize/calibration/ranges.hpp"
#include "tests/graph/model_builder.hpp"

namespace intact::testing {
namespace {

TEST(Statistics, KeepExtremesAndTheirMeansOverSamples) {
  TensorStatistics statistics;
  const auto range = [&](CalibrationMethod method) { return choose_range(method, statistics); };
  EXPECT_EQ(range(CalibrationMethod::minmax), (ValueRange{0, 0}));
  EXPECT_EQ(range(CalibrationMethod::average), (ValueRange{0, 0}));
  statistics.observe(std::vector<float>{2, 3});
  EXPECT_EQ(range(CalibrationMethod::minmax), (ValueRange{2, 3}));
  EXPECT_EQ(range(CalibrationMethod::average), (ValueRange{2, 3}));
  statistics.observe({});
  statistics.observe(std::vector<float>{-1, 2.5f});
  EXPECT_EQ(range(CalibrationMethod::minmax), (ValueRange{-1, 3}));
  EXPECT_EQ(range(CalibrationMethod::average), (ValueRange{0.5f, 2.75f}));
}

TEST(Statistics, AveragesForgetOldSamples) {
  TensorStatistics statistics;
  for (int i = 0; i < 100; ++i) statistics.observe(std::vector<float>{-1, 1});
  for (int i = 0; i < 700; ++i) statistics.observe(std::vector<float>{-5, 3});
  const ValueRange range = statistics.average();
  EXPECT_NEAR(range.min, -5, 0.01);
  EXPECT_NEAR(range.max, 3, 0.01);
}

TEST(MinMax, SeesEveryPositionOfATensor) {
  for (const std::size_t size : {1, 15, 16, 17, 100}) {
    for (std::size_t i = 0; i < size; ++i) {
      std::vector<float> values(size, 1);
      values[i] = -7;
      EXPECT_EQ(min_max(values).min, -7) << size << " " << i;
      values[i] = 7;
      EXPECT_EQ(min_max(values).max, 7) << size << " " << i;
    }
  }
}

TEST(Finite, FindsTheFirstNanOrInfinity) {
  std::vector<float> values(10000, std::numeric_limits<float>::max());
  EXPECT_EQ(first_not_finite(values), values.size());
  values[9999] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(first_not_finite(values), 9999u);
  values[5000] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(first_not_finite(values), 5000u);
  EXPECT_EQ(first_not_finite({}), 0u);
}

}  // namespace
}  // namespace intact::testing
