// Reductions of floats: every kernel gives the bits of the reference, which is checked by hand.
#include "kernels/reduce/reduce.hpp"

#include <gtest/gtest.h>

#include "buffers.hpp"

namespace intact::kernels {
namespace {

constexpr Reduction functions[] = {Reduction::sum, Reduction::mean, Reduction::greatest,
                                   Reduction::least};

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
}

}  // namespace
}  // namespace intact::kernels
