// Products of float matrices: every kernel gives the bits of the reference, and the reference those
// of a plain loop.
#include "kernels/float_product/float_product.hpp"

#include <gtest/gtest.h>

#include "buffers.hpp"

namespace intact::kernels {
namespace {

struct Problem {
  std::int64_t rows, columns, depth;
  std::ptrdiff_t a_row, a_step, dst_pitch;
  Buffer<float> a, panels;

  Problem(std::int64_t rows, std::int64_t columns, std::int64_t depth, bool transposed)
      : rows(rows),
        columns(columns),
        depth(depth),
        a_row(transposed ? 1 : depth + 3),
        a_step(transposed ? rows + 2 : 1),
        dst_pitch(columns + 5),
        a(static_cast<std::size_t>((rows + 2) * (depth + 3)), 1),
        panels(static_cast<std::size_t>(product_columns(columns) * depth), 2) {}

  FloatProductArgs args(Buffer<float>& dst) {
    return {rows, columns, depth, a.data(), a_row, a_step, panels.data(), dst.data(), dst_pitch};
  }
  Buffer<float> result(const FloatProductKernel& kernel) {
    Buffer<float> dst(static_cast<std::size_t>(rows * dst_pitch), 3);
    kernel.run(args(dst));
    return dst;
  }
};

TEST(FloatProduct, EveryKernelEqualsReference) {
  for (const std::int64_t rows : {1, 2, 3, 5, 6, 7, 11, 12, 13, 24, 31})
    for (const std::int64_t columns : {1, 7, 8, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 144})
      for (const std::int64_t depth : {0, 1, 2, 17, 64})
        for (const bool transposed : {false, true}) {
          Problem problem(rows, columns, depth, transposed);
          const Buffer<float> expected = problem.result(float_product_kernels().back());
          for (const FloatProductKernel& kernel : runnable(float_product_kernels()))
            ASSERT_EQ(first_difference(problem.result(kernel), expected), equal)
                << kernel.name << ' ' << rows << 'x' << depth << 'x' << columns;
        }
}

TEST(FloatProduct, ReferenceSumsInTheOrderOfDepth) {
  Problem problem(3, 70, 9, false);
  const Buffer<float> actual = problem.result(float_product_kernels().back());
  for (std::int64_t row = 0; row < 3; ++row)
    for (std::int64_t column = 0; column < 70; ++column) {
      float sum = 0;
      for (std::int64_t k = 0; k < 9; ++k) {
        // The second panel has 16 columns, of which 6 exist.
        const std::int64_t at = column < 64 ? k * 64 + column : 9 * 64 + k * 16 + column - 64;
        sum = std::fma(problem.a.data()[row * problem.a_row + k], problem.panels.data()[at], sum);
      }
      EXPECT_EQ(sum, actual.storage[static_cast<std::size_t>(
                         row * problem.dst_pitch + column +
                         static_cast<std::int64_t>(Buffer<float>::margin))]);
    }
}

}  // namespace
}  // namespace intact::kernels
