// Exact sums: every kernel gives the bits of the reference, in whatever order rows come.
#include "kernels/reduce/exact_sum.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "buffers.hpp"

namespace intact::kernels {
namespace {

constexpr double unit = 0x1p-40;

std::vector<double> sum_of(const ExactSumKernel& kernel, const float* src, std::int64_t rows,
                           std::int64_t channels, std::ptrdiff_t pitch) {
  std::vector<double> sums(static_cast<std::size_t>(channels) + 1, 0.5);
  kernel.run({rows, channels, src, pitch, unit, sums.data()});
  return sums;
}

TEST(ExactSum, EqualsTheReferenceInAnyOrder) {
  for (const std::int64_t rows : {1, 2, 7, 100})
    for (const std::int64_t channels : {1, 7, 8, 9, 16, 33, 150}) {
      const std::ptrdiff_t pitch = channels + 3;
      Buffer<float> src(static_cast<std::size_t>(rows * pitch), 1);
      Buffer<float> reversed = src;
      for (std::int64_t r = 0; r < rows; ++r)
        std::copy_n(src.data() + r * pitch, channels, reversed.data() + (rows - 1 - r) * pitch);
      const auto expected = sum_of(exact_sum_kernels().back(), src.data(), rows, channels, pitch);
      EXPECT_EQ(expected.back(), 0.5);
      for (const ExactSumKernel& kernel : runnable(exact_sum_kernels())) {
        EXPECT_EQ(sum_of(kernel, src.data(), rows, channels, pitch), expected) << kernel.name;
        EXPECT_EQ(sum_of(kernel, reversed.data(), rows, channels, pitch), expected) << kernel.name;
      }
    }
}

TEST(ExactSum, RoundsEachElementToTheUnit) {
  const float src[] = {0x1.8p-40f, 0x1p-41f, 3, -0x1.4p-40f};  // ties go to the even multiple
  std::vector<double> sums(2, 0);
  exact_sum_kernels().back().run({2, 2, src, 2, unit, sums.data()});
  EXPECT_EQ(sums, (std::vector<double>{3 + 0x1p-39, -0x1p-40}));
}

}  // namespace
}  // namespace intact::kernels
