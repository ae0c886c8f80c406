// Gathering, positions of extremes, the greatest bytes: every kernel gives what the reference
// gives.
#include "kernels/indexing/indexing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "buffers.hpp"

namespace intact::kernels {
namespace {

TEST(Gather, EqualTheReference) {
  for (const std::int64_t inner : {1, 2, 3, 4, 8, 13, 16, 17, 47, 64, 100, 3000})
    for (const std::int64_t outer : {1, 3})
      for (const std::int64_t count : {1, 5, 70}) {
        constexpr std::int64_t extent = 9;
        std::vector<std::int64_t> index(static_cast<std::size_t>(count));
        for (std::size_t i = 0; i < index.size(); ++i)
          index[i] = static_cast<std::int64_t>(i * 7 % extent);
        Buffer<std::uint8_t> src(static_cast<std::size_t>(outer * extent * inner), 1);
        Buffer<std::uint8_t> expected(static_cast<std::size_t>(outer * count * inner), 2);
        const Buffer<std::uint8_t> before = expected;
        GatherArgs args{outer, extent, count, inner, index.data(), src.data(), expected.data()};
        gather_kernels().back().run(args, {});
        for (std::int64_t o = 0; o < outer; ++o)
          for (std::int64_t i = 0; i < count; ++i)
            ASSERT_EQ(expected.data()[(o * count + i) * inner],
                      src.data()[(o * extent + index[static_cast<std::size_t>(i)]) * inner]);
        for (const GatherKernel& kernel : runnable(gather_kernels()))
          for (const int parts : {1, 2, 5}) {
            Buffer<std::uint8_t> actual = before;
            args.dst = actual.data();
            run_in_parts(kernel, args, parts);
            ASSERT_EQ(first_difference(actual, expected), equal)
                << kernel.name << ", inner " << inner << ", count " << count << ", parts " << parts;
          }
      }
}

template <class T>
void check_extremes(Output type, Buffer<T> src, std::int64_t outer, std::int64_t extent,
                    std::int64_t inner) {
  for (const bool least : {false, true})
    for (const bool last : {false, true}) {
      ArgExtremeArgs args{least, last, type, outer, extent, inner, src.data(), nullptr};
      std::vector<std::int64_t> expected(static_cast<std::size_t>(outer * inner + 1), -7);
      args.dst = expected.data();
      arg_extreme_kernels().back().run(args, {});
      ASSERT_EQ(expected.back(), -7);
      for (const ArgExtremeKernel& kernel : runnable(arg_extreme_kernels()))
        for (const int parts : {1, 2, 5}) {
          std::vector<std::int64_t> actual(expected.size(), -7);
          args.dst = actual.data();
          run_in_parts(kernel, args, parts);
          ASSERT_EQ(actual, expected) << kernel.name << ", " << outer << "x" << extent << "x"
                                      << inner << ", parts " << parts;
        }
    }
}

TEST(ArgExtreme, EqualTheReference) {
  for (const std::int64_t outer : {1, 4})
    for (const std::int64_t extent : {1, 2, 21, 150})
      for (const std::int64_t inner : {1, 3, 65, 300}) {
        const auto count = static_cast<std::size_t>(outer * extent * inner);
        Buffer<std::uint8_t> bytes(count, 5);
        for (std::uint8_t& x : bytes.storage) x = static_cast<std::uint8_t>(x % 7 * 36);
        check_extremes(Output::u8, bytes, outer, extent, inner);
        check_extremes(Output::f32, with_specials(count, 6), outer, extent, inner);
      }
}

TEST(ArgExtreme, ReferenceByHand) {
  const std::uint8_t src[] = {3, 9, 1, 9, 1};
  const auto position = [&](bool least, bool last) {
    std::int64_t found = -1;
    arg_extreme_kernels().back().run({least, last, Output::u8, 1, 5, 1, src, &found}, {});
    return found;
  };
  EXPECT_EQ(position(false, false), 1);
  EXPECT_EQ(position(false, true), 3);
  EXPECT_EQ(position(true, false), 2);
  EXPECT_EQ(position(true, true), 4);
}

/// Against a stable sort.
TEST(TopBytes, AreThoseOfAStableSort) {
  constexpr std::int64_t rows = 4;
  for (const std::int64_t length : {1, 6, 300})
    for (const bool least : {false, true})
      for (const int parts : {1, 3}) {
        Buffer<std::uint8_t> src(static_cast<std::size_t>(rows * length), 4);
        const std::int64_t count = (length + 1) / 2;
        std::vector<std::uint8_t> values(static_cast<std::size_t>(rows * count));
        std::vector<std::int64_t> positions(values.size());
        const TopBytesArgs args{least,      rows,          length,          count,
                                src.data(), values.data(), positions.data()};
        run_in_parts(top_bytes_kernels()[0], args, parts);
        for (std::int64_t r = 0; r < rows; ++r) {
          const std::uint8_t* row = src.data() + r * length;
          std::vector<std::int64_t> order(static_cast<std::size_t>(length));
          std::iota(order.begin(), order.end(), std::int64_t{0});
          std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
            return least ? row[a] < row[b] : row[a] > row[b];
          });
          for (std::int64_t i = 0; i < count; ++i) {
            const auto at = static_cast<std::size_t>(r * count + i);
            ASSERT_EQ(positions[at], order[static_cast<std::size_t>(i)]);
            ASSERT_EQ(values[at], row[positions[at]]);
          }
        }
      }
}

}  // namespace
}  // namespace intact::kernels
