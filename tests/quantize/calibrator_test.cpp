// Ranges from streamed values.
#include "quantize/calibration/calibrator.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/graph/model_builder.hpp"

namespace intact::testing {
namespace {

TEST(MinMaxCalibrator, KeepsExtremesOverSamples) {
  const auto calibrator = make_calibrator(CalibrationMethod::minmax);
  EXPECT_EQ(calibrator->range(), (Range{0, 0}));
  calibrator->observe(std::vector<float>{2, 3});
  EXPECT_EQ(calibrator->range(), (Range{2, 3}));
  calibrator->observe({});
  calibrator->observe(std::vector<float>{-1, 2.5f});
  EXPECT_EQ(calibrator->range(), (Range{-1, 3}));
}

TEST(MinMaxCalibrator, SeesEveryPositionOfATensor) {
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
