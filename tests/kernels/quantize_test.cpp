// Quantize and dequantize: the reference against values computed by hand, every other kernel
// against the reference bit for bit, over layouts, tails, pitches, parts and special numbers.

#include "kernels/quantize/quantize.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "tests/kernels/buffers.hpp"

namespace intact::kernels {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

TEST(Quantize, ReferenceByHand) {
  const float src[] = {0.0f,  0.25f,    0.75f,     -0.25f, 1.0f,  63.0f,  64.0f, -5.0f,
                       -5.5f, infinity, -infinity, nan,    3e38f, -3e38f, 1e-45f};
  std::uint8_t dst[15];
  QuantizeArgs args;
  args.channels = 15;
  args.pixels = 1;
  args.src = src;
  args.src_strides[1] = 1;
  args.scale = 0.5f;
  args.zero_point = 10;
  args.lower = 1;
  args.upper = 137;
  args.dst = dst;
  args.dst_pitch = 15;
  quantize_kernels().back().run(args, {});
  // Ties 0.5, 1.5 and -0.5 round to 0, 2 and 0.
  const std::array<std::uint8_t, 15> expected = {10, 10,  12, 10, 12,  136, 137, 1,
                                                 1,  137, 1,  1,  137, 1,   10};
  for (int i = 0; i < 15; ++i) EXPECT_EQ(dst[i], expected[i]) << i;
}

TEST(Quantize, WordsByHand) {
  const float src[] = {0.0f, 0.25f, 0.75f, -0.25f, 100.0f, 40000.0f, -5.0f, nan, infinity};
  std::uint16_t dst[9];
  QuantizeWordsArgs args = {1, 9, 1, src, {0, 1, 9}, 0.5f, 10, 0, 65535, dst, 9};
  quantize_words_kernels().back().run(args, {});
  const std::array<std::uint16_t, 9> expected = {10, 10, 12, 10, 210, 65535, 0, 0, 65535};
  for (int i = 0; i < 9; ++i) EXPECT_EQ(dst[i], expected[i]) << i;
  float back[9];
  DequantizeWordsArgs inverse = {1, 9, 1, dst, 9, 0.5f, 10, back, {0, 1, 9}};
  dequantize_words_kernels().back().run(inverse, {});
  EXPECT_EQ(back[4], 100.0f);
  EXPECT_EQ(back[5], 32762.5f);
}

/// 2 entries of 2 channels and 3 pixels, stored channels-first.
TEST(Quantize, ReferenceTransposes) {
  float src[12];
  for (int i = 0; i < 12; ++i) src[i] = static_cast<float>(i);
  std::uint8_t dst[12 * 2] = {};
  QuantizeArgs args = {2, 2, 3, src, {6, 3, 1}, 1.0f, 0, 0, 255, dst, 4};
  quantize_kernels().back().run(args, {});
  const std::array<std::uint8_t, 24> expected = {0, 3, 0, 0, 1, 4,  0, 0, 2, 5,  0, 0,
                                                 6, 9, 0, 0, 7, 10, 0, 0, 8, 11, 0, 0};
  for (int i = 0; i < 24; ++i) EXPECT_EQ(dst[i], expected[i]) << i;
}

TEST(Dequantize, ReferenceByHand) {
  const std::uint8_t src[] = {0, 10, 255, 11, 9, 100, 7, 7};
  float dst[6];
  // Two pixels of three channels with pitch 4, to channels-first.
  DequantizeArgs args = {1, 3, 2, src, 4, 0.5f, 10, dst, {6, 2, 1}};
  dequantize_kernels().back().run(args, {});
  const std::array<float, 6> expected = {-5, -0.5f, 0, 45, 122.5f, -1.5f};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(dst[i], expected[i]) << i;
}

enum class Layout { rows, rows_with_gaps, planes, planes_with_gaps, neither };
constexpr Layout layouts[] = {Layout::rows, Layout::rows_with_gaps, Layout::planes,
                              Layout::planes_with_gaps, Layout::neither};

struct Extents {
  std::int64_t batch, channels, pixels;
};

/// Sets the strides of the floats; returns how many floats they span.
std::size_t set_strides(std::ptrdiff_t (&strides)[3], Layout layout, Extents e) {
  switch (layout) {
    case Layout::rows:
    case Layout::rows_with_gaps:
      strides[1] = 1;
      strides[2] = e.channels + (layout == Layout::rows ? 0 : 3);
      strides[0] = strides[2] * e.pixels + (layout == Layout::rows ? 0 : 7);
      break;
    case Layout::planes:
    case Layout::planes_with_gaps:
      strides[2] = 1;
      strides[1] = e.pixels + (layout == Layout::planes ? 0 : 3);
      strides[0] = strides[1] * e.channels + (layout == Layout::planes ? 0 : 7);
      break;
    case Layout::neither:
      strides[2] = 2;
      strides[1] = 2 * e.pixels;
      strides[0] = strides[1] * e.channels;
  }
  return static_cast<std::size_t>(strides[0] * e.batch);
}

std::vector<Extents> all_extents() {
  std::vector<Extents> result;
  for (std::int64_t n = 1; n <= 130; ++n) {
    result.insert(result.end(), {{1, n, 5}, {2, 3, n}, {1, 1, n}, {3, n, 1}, {1, 17, n}});
  }
  result.insert(result.end(), {{1, 64, 49}, {2, 33, 35}, {1, 4, 100}, {1, 2, 100}, {1, 3, 1000}});
  return result;
}

/// Quotients that are ties, specials and ordinary numbers.
void fill(Buffer<float>& buffer, float scale, unsigned seed, int unit) {
  const float specials[] = {infinity, -infinity, nan, 3e38f, -3e38f, 0.0f, -0.0f, 1e-45f};
  std::mt19937 random(seed);
  for (float& x : buffer.storage) {
    const unsigned kind = random() % 8;
    const float integer =
        static_cast<float>((static_cast<int>(random() % 600) - 300) * unit + unit / 3);
    if (kind == 0) x = specials[random() % std::size(specials)];
    if (kind == 1) x = (integer + 0.5f) * scale;
    if (kind == 2) x = integer * scale;
    if (kind > 2) x *= 40 * scale * static_cast<float>(unit);
  }
}

/// `unit`: how many times as many integers as bytes there are.
template <class Integer>
void sweep(std::span<const QuantizeKernelOf<Integer>> kernels, int unit) {
  for (const QuantizeKernelOf<Integer>& kernel : runnable(kernels)) {
    int turn = 0;
    for (const Extents& e : all_extents()) {
      for (const Layout layout : layouts) {
        ++turn;
        QuantizeArgsOf<Integer> args;
        args.batch = e.batch;
        args.channels = e.channels;
        args.pixels = e.pixels;
        Buffer<float> src(set_strides(args.src_strides, layout, e), 1);
        args.scale = turn % 3 == 0 ? 0.25f : turn % 3 == 1 ? 0.0173f : 1e-38f;
        fill(src, args.scale, 2, unit);
        args.zero_point = turn % 2 ? 128 * unit : 3;
        args.lower = turn % 5 ? 0 : 3;
        args.upper = turn % 4 ? 256 * unit - 1 : 131 * unit;
        args.src = src.data();
        args.dst_pitch = e.channels + (turn % 7 < 4 ? 0 : turn % 7);
        const std::size_t elements = static_cast<std::size_t>(e.batch * e.pixels * args.dst_pitch);
        Buffer<Integer> expected(elements, 3), actual(elements, 3);
        args.dst = expected.data();
        kernels.back().run(args, {});
        args.dst = actual.data();
        run_in_parts(kernel, args, 1 + turn % 3);
        ASSERT_EQ(first_difference(expected, actual), equal)
            << kernel.name << " batch " << e.batch << " channels " << e.channels << " pixels "
            << e.pixels << " layout " << static_cast<int>(layout) << " turn " << turn;
      }
    }
  }
}

TEST(Quantize, EveryKernelEqualsReference) {
  sweep(quantize_kernels(), 1);
  sweep(quantize_words_kernels(), 256);
}

/// Numbers at and beside the ties of many scales: the quotient has to be rounded like a division.
TEST(Quantize, QuotientsBesideTies) {
  std::mt19937 random(7);
  const auto scale_of = [&](int i) {
    const float mantissa = 1.0f + static_cast<float>(random() % (1u << 23)) * 0x1p-23f;
    return std::ldexp(i % 4 == 3 ? 2.0f - 0x1p-23f * static_cast<float>(1 + i % 7) : mantissa,
                      static_cast<int>(random() % 140) - 70);
  };
  std::vector<float> src;
  for (int i = 0; i < 3000; ++i) {
    const float scale = scale_of(i);
    src.clear();
    for (int q = -256; q <= 256; q += 1 + i % 3)
      for (float x = (static_cast<float>(q) + 0.5f) * scale, step = -3; step <= 3; ++step)
        src.push_back(x + step * std::abs(x) * 0x1p-24f);
    std::vector<std::uint8_t> expected(src.size()), actual(src.size());
    QuantizeArgs args = {1,         static_cast<std::int64_t>(src.size()),
                         1,         src.data(),
                         {0, 1, 0}, scale,
                         128,       0,
                         255,       expected.data(),
                         0};
    args.dst_pitch = args.channels;
    quantize_kernels().back().run(args, {});
    for (const QuantizeKernel& kernel : runnable(quantize_kernels())) {
      args.dst = actual.data();
      kernel.run(args, {});
      ASSERT_EQ(actual, expected) << kernel.name << " scale " << scale;
    }
  }
}

TEST(Range, EveryKernelEqualsReference) {
  for (const RangeKernel& kernel : runnable(range_kernels()))
    for (std::int64_t count = 0; count <= 300; ++count)
      for (int parts = 1; parts <= 3; ++parts) {
        Buffer<float> src(static_cast<std::size_t>(count), static_cast<unsigned>(count));
        for (std::size_t i = 5; i < src.storage.size(); i += 11) src.storage[i] = nan;
        if (count % 3 == 0)
          for (float& x : src.storage) x = std::abs(x) + 1;
        ValueRange expected, actual;
        for (std::int64_t i = 0; i < count; ++i) {
          expected.low = std::fmin(expected.low, src.data()[i]);
          expected.high = std::fmax(expected.high, src.data()[i]);
        }
        for (int i = 0; i < parts; ++i) {
          const ValueRange share = kernel.run({src.data(), count}, {i, parts});
          actual.low = std::min(actual.low, share.low);
          actual.high = std::max(actual.high, share.high);
        }
        ASSERT_EQ(actual.low, expected.low) << kernel.name << " count " << count;
        ASSERT_EQ(actual.high, expected.high) << kernel.name << " count " << count;
      }
}

template <class Integer>
void sweep(std::span<const DequantizeKernelOf<Integer>> kernels, int unit) {
  for (const DequantizeKernelOf<Integer>& kernel : runnable(kernels)) {
    int turn = 0;
    for (const Extents& e : all_extents()) {
      for (const Layout layout : layouts) {
        ++turn;
        DequantizeArgsOf<Integer> args;
        args.batch = e.batch;
        args.channels = e.channels;
        args.pixels = e.pixels;
        args.src_pitch = e.channels + (turn % 7 < 4 ? 0 : turn % 7);
        args.scale = 0.0173f;
        args.zero_point = turn % 2 ? 128 * unit : 0;
        Buffer<Integer> src(static_cast<std::size_t>(e.batch * e.pixels * args.src_pitch), 1);
        args.src = src.data();
        const std::size_t floats = set_strides(args.dst_strides, layout, e);
        Buffer<float> expected(floats, 3), actual(floats, 3);
        args.dst = expected.data();
        kernels.back().run(args, {});
        args.dst = actual.data();
        run_in_parts(kernel, args, 1 + turn % 3);
        ASSERT_EQ(first_difference(expected, actual), equal)
            << kernel.name << " batch " << e.batch << " channels " << e.channels << " pixels "
            << e.pixels << " layout " << static_cast<int>(layout);
      }
    }
  }
}

TEST(Dequantize, EveryKernelEqualsReference) {
  sweep(dequantize_kernels(), 1);
  sweep(dequantize_words_kernels(), 256);
}

/// Sources may end where memory ends: nothing behind them is read (checked by the sanitizers).
TEST(Quantize, ReadsNothingBehindTheSource) {
  for (const int elements : {1, 5, 8, 16, 31, 33, 64, 100}) {
    for (const QuantizeKernel& kernel : runnable(quantize_kernels())) {
      const std::vector<float> src(static_cast<std::size_t>(elements), 1.0f);
      std::vector<std::uint8_t> dst(src.size());
      kernel.run({1, 1, elements, src.data(), {0, 0, 1}, 1.0f, 5, 0, 255, dst.data(), 1}, {});
      EXPECT_EQ(std::count(dst.begin(), dst.end(), 6), elements) << kernel.name;
    }
    for (const DequantizeKernel& kernel : runnable(dequantize_kernels())) {
      const std::vector<std::uint8_t> src(static_cast<std::size_t>(3 * elements), 6);
      std::vector<float> dst(src.size());
      kernel.run({1, 3, elements, src.data(), 3, 1.0f, 5, dst.data(), {0, elements, 1}}, {});
      EXPECT_EQ(std::count(dst.begin(), dst.end(), 1.0f), 3 * elements) << kernel.name;
    }
  }
}

}  // namespace
}  // namespace intact::kernels
