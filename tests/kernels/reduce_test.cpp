// Reductions of floats: every kernel gives the bits of the reference, which is checked by hand.
#include "kernels/reduce/reduce.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "buffers.hpp"

namespace intact::kernels {
namespace {

constexpr Reduction functions[] = {Reduction::sum,   Reduction::mean,       Reduction::greatest,
                                   Reduction::least, Reduction::magnitudes, Reduction::squares,
                                   Reduction::norm,  Reduction::log_sum_exp};

TEST(Reduce, EqualTheReference) {
  for (const Reduction function : functions)
    for (const std::int64_t batch : {1, 3})
      for (const std::int64_t window : {1, 2, 15, 16, 17, 49, 1000})
        for (const std::int64_t channels : {1, 2, 7, 16, 33, 150}) {
          const auto count = static_cast<std::size_t>(batch * window * channels);
          for (const bool special : {false, true}) {
            Buffer<float> src = special ? with_specials(count, 2) : Buffer<float>(count, 1);
            Buffer<float> expected(static_cast<std::size_t>(batch * channels), 3);
            const Buffer<float> before = expected;
            ReduceArgs args{function, batch, window, channels, src.data(), expected.data()};
            reduce_kernels().back().run(args, {});
            for (const ReduceKernel& kernel : runnable(reduce_kernels()))
              for (const int parts : {1, 2, 5}) {
                Buffer<float> actual = before;
                args.dst = actual.data();
                run_in_parts(kernel, args, parts);
                ASSERT_EQ(first_difference(actual, expected), equal)
                    << kernel.name << ", function " << static_cast<int>(function) << ", " << batch
                    << "x" << window << "x" << channels << ", parts " << parts;
              }
          }
        }
}

TEST(Reduce, ReferenceByHand) {
  const float src[] = {1, 5, -2, 8, 4, -6};
  const auto reduce = [&](Reduction function, std::int64_t window, std::int64_t channels) {
    std::vector<float> dst(static_cast<std::size_t>(6 / window));
    reduce_kernels().back().run(
        {function, 6 / window / channels, window, channels, src, dst.data()}, {});
    return dst;
  };
  using Floats = std::vector<float>;
  EXPECT_EQ(reduce(Reduction::sum, 3, 1), (Floats{4, 6}));
  EXPECT_EQ(reduce(Reduction::mean, 2, 3), (Floats{4.5f, 4.5f, -4}));
  EXPECT_EQ(reduce(Reduction::greatest, 6, 1), (Floats{8}));
  EXPECT_EQ(reduce(Reduction::least, 2, 3), (Floats{1, 4, -6}));
  EXPECT_EQ(reduce(Reduction::magnitudes, 3, 1), (Floats{8, 18}));
  EXPECT_EQ(reduce(Reduction::squares, 2, 3), (Floats{65, 41, 40}));
  EXPECT_EQ(reduce(Reduction::norm, 2, 3),
            (Floats{std::sqrt(65.0f), std::sqrt(41.0f), std::sqrt(40.0f)}));
}

TEST(Reduce, LogSumExpOfLargeAndInfiniteElements) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const float src[] = {1000, 1000, -infinity, -infinity, infinity, 0, -2000, -2003};
  for (const ReduceKernel& kernel : runnable(reduce_kernels()))
    for (const bool rows : {true, false}) {
      float across[8], dst[4];
      for (int i = 0; i < 4; ++i)
        for (int k = 0; k < 2; ++k) across[k * 4 + i] = src[2 * i + k];
      kernel.run(rows ? ReduceArgs{Reduction::log_sum_exp, 4, 2, 1, src, dst}
                      : ReduceArgs{Reduction::log_sum_exp, 1, 2, 4, across, dst},
                 {});
      EXPECT_FLOAT_EQ(dst[0], 1000 + std::log(2.0f)) << kernel.name;
      EXPECT_EQ(dst[1], -infinity) << kernel.name;
      EXPECT_EQ(dst[2], infinity) << kernel.name;
      EXPECT_FLOAT_EQ(dst[3], -2000 + std::log1p(std::exp(-3.0f))) << kernel.name;
    }
}

}  // namespace
}  // namespace intact::kernels
