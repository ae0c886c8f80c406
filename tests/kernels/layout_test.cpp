// Strided copies: the reference against a copy worked out by hand, every other kernel against the
// reference, over transposes, slices, merged dimensions, element sizes and parts.

#include "kernels/layout/layout.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "tests/kernels/buffers.hpp"

namespace intact::kernels {
namespace {

TEST(Copy, ReferenceByHand) {
  // [2][3] to its transpose with rows of 2 and a gap of 1, signs flipped.
  const std::array<std::uint8_t, 6> src = {0, 1, 2, 0x80, 0x81, 0xff};
  std::array<std::uint8_t, 9> dst = {};
  CopyArgs args;
  args.rank = 2;
  args.extents = {2, 3};
  args.src_strides = {3, 1};
  args.dst_strides = {1, 3};
  args.flip = 0x80;
  args.src = src.data();
  args.dst = dst.data();
  copy_kernels().back().run(args, {});
  EXPECT_EQ(dst, (std::array<std::uint8_t, 9>{0x80, 0, 0, 0x81, 1, 0, 0x82, 0x7f, 0}));
}

/// Bytes of memory that strides reach, for non-negative strides.
std::size_t span_bytes(const CopyArgs& args, const std::array<std::ptrdiff_t, 8>& strides) {
  std::ptrdiff_t last = 0;
  for (int k = 0; k < args.rank; ++k) last += (args.extents[k] - 1) * strides[k];
  return static_cast<std::size_t>((last + 1) * args.element_bytes);
}

void check(const CopyKernel& kernel, CopyArgs args, int parts) {
  Buffer<std::uint8_t> src(span_bytes(args, args.src_strides), 1);
  Buffer<std::uint8_t> expected(span_bytes(args, args.dst_strides), 2);
  Buffer<std::uint8_t> actual = expected;
  args.src = src.data();
  args.dst = expected.data();
  copy_kernels().back().run(args, {});
  args.dst = actual.data();
  run_in_parts(kernel, args, parts);
  ASSERT_EQ(first_difference(expected, actual), equal)
      << kernel.name << " rank " << args.rank << " extents " << args.extents[0] << " "
      << args.extents[1] << " " << args.extents[2] << " element_bytes " << args.element_bytes
      << " parts " << parts;
}

/// Strides of a dense tensor whose dimensions lie in the given order (outermost first), with `gap`
/// elements after each innermost row.
std::array<std::ptrdiff_t, 8> dense_strides(const CopyArgs& args, const std::vector<int>& order,
                                            std::ptrdiff_t gap) {
  std::array<std::ptrdiff_t, 8> strides = {};
  std::ptrdiff_t stride = 1;
  for (int k = args.rank - 1; k >= 0; --k) {
    strides[order[k]] = stride;
    stride *= args.extents[order[k]];
    if (k == args.rank - 1) stride += gap;
  }
  return strides;
}

CopyArgs transpose_args(std::int64_t rows, std::int64_t columns, std::ptrdiff_t src_gap,
                        std::ptrdiff_t dst_gap, int element_bytes, std::uint8_t flip) {
  CopyArgs args;
  args.rank = 2;
  args.extents = {rows, columns};
  args.src_strides = {columns + src_gap, 1};
  args.dst_strides = {1, rows + dst_gap};
  args.element_bytes = element_bytes;
  args.flip = element_bytes == 1 ? flip : 0;
  return args;
}

TEST(Copy, Transposes) {
  for (const CopyKernel& kernel : runnable(copy_kernels())) {
    int turn = 0;
    for (const int element_bytes : {1, 2, 4, 8}) {
      const bool has_tiles = element_bytes == 1 || element_bytes == 4;
      for (std::int64_t n = 1; n <= 130; n += has_tiles ? 1 : 9) {
        for (const std::int64_t other : {2, 3, 4, 17, 49, 66}) {
          ++turn;
          const std::ptrdiff_t src_gap = turn % 3, dst_gap = turn % 4 / 2;
          const std::uint8_t flip = turn % 2 ? 0x80 : 0;
          check(kernel, transpose_args(n, other, src_gap, dst_gap, element_bytes, flip),
                1 + turn % 3);
          check(kernel, transpose_args(other, n, src_gap, dst_gap, element_bytes, flip),
                1 + turn % 3);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(Copy, Rows) {
  for (const CopyKernel& kernel : runnable(copy_kernels())) {
    for (std::int64_t n = 1; n <= 130; ++n) {
      for (int element_bytes = 1; element_bytes <= 8; element_bytes *= 2) {
        CopyArgs args;
        args.rank = 2;
        args.extents = {5, n};
        args.src_strides = {n + n % 3, 1};
        args.dst_strides = {n + 7, 1};
        args.element_bytes = element_bytes;
        args.flip = element_bytes == 1 && n % 2 ? 0x80 : 0;
        check(kernel, args, 1 + static_cast<int>(n % 9));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(Copy, ContiguousInAnyNumberOfParts) {
  for (const CopyKernel& kernel : runnable(copy_kernels())) {
    for (const std::int64_t n : {1, 63, 64, 65, 1000, 100000}) {
      for (int parts = 1; parts <= 5; ++parts) {
        for (const std::uint8_t flip : {0, 0x80}) {
          CopyArgs args;
          args.rank = 1;
          args.extents = {n};
          args.src_strides = args.dst_strides = {1};
          args.flip = flip;
          check(kernel, args, parts);
        }
      }
    }
  }
}

/// Every permutation of four dimensions, some of which merge, of extent 1, or too short for tiles.
TEST(Copy, Permutations) {
  const std::array<std::array<std::int64_t, 4>, 5> extents = {
      {{2, 3, 4, 5}, {1, 20, 1, 33}, {2, 1, 18, 70}, {3, 16, 16, 1}, {2, 4, 9, 64}}};
  for (const CopyKernel& kernel : runnable(copy_kernels())) {
    int turn = 0;
    for (const auto& extent : extents) {
      std::vector<int> order = {0, 1, 2, 3};
      const std::vector<int> straight = order;
      do {
        for (const int element_bytes : {1, 2, 4, 8}) {
          ++turn;
          CopyArgs args;
          args.rank = 4;
          std::copy(extent.begin(), extent.end(), args.extents.begin());
          args.element_bytes = element_bytes;
          args.src_strides = dense_strides(args, straight, turn % 3 == 0 ? 2 : 0);
          args.dst_strides = dense_strides(args, order, turn % 4 == 0 ? 1 : 0);
          check(kernel, args, 1 + turn % 3);
          if (HasFatalFailure()) return;
        }
      } while (std::next_permutation(order.begin(), order.end()));
    }
  }
}

TEST(Copy, EightDimensions) {
  for (const CopyKernel& kernel : runnable(copy_kernels())) {
    CopyArgs args;
    args.rank = 8;
    args.extents = {2, 3, 1, 2, 3, 2, 2, 3};
    args.src_strides = dense_strides(args, {0, 1, 2, 3, 4, 5, 6, 7}, 0);
    args.dst_strides = dense_strides(args, {7, 0, 2, 5, 4, 1, 6, 3}, 1);
    for (int parts = 1; parts <= 3; ++parts) check(kernel, args, parts);
  }
}

/// Slices with steps, reversed ones, and a source that repeats (stride 0).
TEST(Copy, StepsReversalAndRepetition) {
  for (const CopyKernel& kernel : runnable(copy_kernels())) {
    for (const int element_bytes : {1, 2, 4, 8}) {
      const std::size_t bytes = static_cast<std::size_t>(60 * 60 * element_bytes);
      for (const std::array<std::ptrdiff_t, 2> src_strides :
           {std::array<std::ptrdiff_t, 2>{60, 2}, {60, -1}, {-60, 1}, {0, 1}, {1, 0}, {0, 0}}) {
        CopyArgs args;
        args.rank = 2;
        args.extents = {30, 29};
        args.src_strides = {src_strides[0], src_strides[1]};
        args.dst_strides = {29, 1};
        args.element_bytes = element_bytes;
        Buffer<std::uint8_t> src(bytes, 1), expected(bytes, 2), actual(bytes, 2);
        std::ptrdiff_t first = src_strides[0] < 0 ? 29 * 60 : 0;
        if (src_strides[1] < 0) first += 28;
        args.src = src.data() + first * element_bytes;
        args.dst = expected.data();
        copy_kernels().back().run(args, {});
        args.dst = actual.data();
        run_in_parts(kernel, args, 2);
        ASSERT_EQ(first_difference(expected, actual), equal)
            << kernel.name << " strides " << src_strides[0] << " " << src_strides[1];
      }
    }
  }
}

/// Nearest neighbours with integer factors: each row and each element again and again, as planes
/// and with channels last.
TEST(Copy, RepeatsRowsAndElements) {
  for (const CopyKernel& kernel : runnable(copy_kernels()))
    for (const int element_bytes : {1, 4})
      for (std::int64_t width = 1; width < 70; width += width < 36 ? 1 : 11)
        for (const std::int64_t repeat : {2, 3, 5})
          for (const std::int64_t channels : {1, 3, 20}) {
            CopyArgs args;
            args.rank = 5;
            args.element_bytes = element_bytes;
            args.extents = {2, repeat, width, repeat, channels};
            args.src_strides = {width * channels, 0, channels, 0, 1};
            args.dst_strides = dense_strides(args, {0, 1, 2, 3, 4}, 0);
            check(kernel, args, 1 + static_cast<int>(width % 3));
          }
}

TEST(Copy, NothingToDo) {
  for (const CopyKernel& kernel : runnable(copy_kernels())) {
    std::uint8_t src = 1, dst = 2;
    CopyArgs args;
    args.rank = 2;
    args.extents = {3, 0};
    args.src_strides = args.dst_strides = {1, 1};
    args.src = &src;
    args.dst = &dst;
    kernel.run(args, {});
    EXPECT_EQ(dst, 2);
    args.rank = 0;
    kernel.run(args, {});
    EXPECT_EQ(dst, 1) << "a scalar is one element: " << kernel.name;
  }
}

TEST(Split, EveryKernelTakesWordsApart) {
  for (const SplitKernel& kernel : runnable(split_kernels())) {
    int turn = 0;
    for (const std::int64_t channels : lengths()) {
      const std::int64_t rows = 1 + ++turn % 4, gap = turn % 3;
      const auto elements = static_cast<std::size_t>(rows * (channels + gap));
      Buffer<std::uint16_t> src(elements, 1);
      std::mt19937 random(2);
      for (std::uint16_t& word : src.storage) word = static_cast<std::uint16_t>(random());
      Buffer<std::uint8_t> high(elements, 3), low(elements, 4), expected_high(elements, 3),
          expected_low(elements, 4);
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < channels; ++c) {
          const std::int64_t at = r * (channels + gap) + c;
          expected_high.data()[at] = static_cast<std::uint8_t>(src.data()[at] / 256);
          expected_low.data()[at] = static_cast<std::uint8_t>(src.data()[at] % 256);
        }
      const std::ptrdiff_t pitch = channels + gap;
      run_in_parts(kernel,
                   SplitArgs{rows, channels, src.data(), pitch, high.data(), low.data(), pitch},
                   1 + turn % 3);
      ASSERT_EQ(first_difference(high, expected_high), equal) << kernel.name << " " << channels;
      ASSERT_EQ(first_difference(low, expected_low), equal) << kernel.name << " " << channels;
    }
  }
}

}  // namespace
}  // namespace intact::kernels
