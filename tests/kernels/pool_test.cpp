// Pooling: the scalar references against hand-computed values, every other kernel against the
// reference, bit for bit.
#include "kernels/pool/pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "intact/cpu.hpp"

namespace intact::kernels {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Triple = std::array<std::int64_t, 3>;

/// A pooling whose output extent is given by rounding down, plus `extra` windows that hang over the
/// end as with ceil_mode.
struct Pooling {
  ConvShape shape;
  Triple pad_end;
};

Pooling make_pooling(std::int64_t channels, Triple in, Triple kernel, Triple stride = {1, 1, 1},
                     Triple pad_begin = {0, 0, 0}, Triple pad_end = {0, 0, 0},
                     Triple dilation = {1, 1, 1}, std::int64_t extra = 0, std::int64_t batch = 1) {
  Pooling pooling;
  pooling.pad_end = pad_end;
  ConvShape& shape = pooling.shape;
  shape.batch = batch;
  shape.in = in;
  shape.kernel = kernel;
  shape.stride = stride;
  shape.dilation = dilation;
  shape.pad_begin = pad_begin;
  shape.in_channels = shape.out_channels = channels;
  for (int i = 0; i < 3; ++i) {
    const auto window = (kernel[i] - 1) * dilation[i] + 1;
    const auto room = in[i] + pad_begin[i] + pad_end[i] - window;
    shape.out[i] = room < 0 ? 1 : room / stride[i] + 1 + (i > 0 ? extra : 0);
  }
  return pooling;
}

enum class Values { random, extreme };

struct Options {
  bool table = false, f32 = false;
  bool words = false;  ///< read; max writes them, average f32
  Divisor divisor = Divisor::inside;
  Extreme extreme = Extreme::greatest;
  Values values = Values::random;
  std::int32_t src_zero_point = 9, lower = 0, upper = 255;
  std::int64_t src_gap = 0, dst_gap = 0;  ///< pitch minus channels
  int parts = 1;
};

struct Problem {
  Pooling pooling;
  Options options;
  Bytes src, table;
  std::ptrdiff_t src_pitch, dst_pitch;

  Problem(const Pooling& p, const Options& o, unsigned seed) : pooling(p), options(o) {
    std::mt19937 random(seed);
    src_pitch = p.shape.in_channels + o.src_gap;
    dst_pitch = p.shape.in_channels + o.dst_gap;
    src.resize(p.shape.in_pixels() * src_pitch * (o.words ? 2 : 1) + 64);
    for (auto& v : src) v = o.values == Values::extreme ? 255 : random();
    table.resize(256);
    for (auto& v : table) v = random();
  }

  /// The whole destination with 64 canary bytes on either side, gaps included.
  Bytes run(const PoolKernel& kernel) const {
    const std::size_t size = pooling.shape.out_pixels() * dst_pitch *
                             (options.f32     ? 4
                              : options.words ? 2
                                              : 1);
    Bytes dst(size + 128, 0x5c);
    PoolArgs args;
    args.input = options.words ? Element::u16 : Element::u8;
    args.src = src.data();
    args.src_pitch = src_pitch;
    args.dst = dst.data() + 64;
    args.dst_pitch = dst_pitch;
    args.pad_end = pooling.pad_end;
    args.divisor = options.divisor;
    args.extreme = options.extreme;
    args.src_zero_point = options.src_zero_point;
    args.ratio = 1.37f;
    args.output = options.f32 ? Output::f32 : Output::u8;
    args.zero_point = 21;
    args.lower = options.lower;
    args.upper = options.upper;
    if (options.table) args.table = table.data();
    for (int i = 0; i < options.parts; ++i) kernel.run(pooling.shape, args, {i, options.parts});
    return dst;
  }
};

void compare(std::span<const PoolKernel> kernels, const Pooling& pooling, const Options& options,
             unsigned seed) {
  const Problem problem(pooling, options, seed);
  const Bytes expected = problem.run(kernels.back());
  const ConvShape& shape = pooling.shape;
  for (const auto& kernel : kernels) {
    if (!cpu_supports(kernel.isa)) continue;
    ASSERT_EQ(kernel.refuses(shape), nullptr) << kernel.name;
    const Bytes actual = problem.run(kernel);
    const auto at = std::mismatch(actual.begin(), actual.end(), expected.begin()).first;
    EXPECT_TRUE(at == actual.end())
        << kernel.name << " channels " << shape.in_channels << " byte " << at - actual.begin() - 64
        << " window " << shape.kernel[0] << "x" << shape.kernel[1] << "x" << shape.kernel[2]
        << " stride " << shape.stride[1] << " in " << shape.in[1] << "x" << shape.in[2] << ": "
        << int{*at} << " instead of " << int{expected[at - actual.begin()]};
  }
}

void compare_both(const Pooling& pooling, Options options, unsigned seed) {
  compare(average_pool_kernels(), pooling, options, seed);
  options.f32 = false;
  compare(max_pool_kernels(), pooling, options, seed);
  options.words = true;
  options.table = false;
  compare(max_pool_kernels(), pooling, options, seed);
  options.f32 = true;
  options.src_zero_point = 31007;
  compare(average_pool_kernels(), pooling, options, seed);
}

Options varied(unsigned seed) {
  Options options;
  options.table = seed % 2;
  options.f32 = seed % 3 == 0;
  options.divisor = static_cast<Divisor>(seed % 5 % 3);
  options.extreme = seed % 3 == 1 ? Extreme::least : Extreme::greatest;
  options.src_gap = seed % 4 * 3;
  options.dst_gap = seed % 7;
  options.parts = 1 + seed % 3;
  if (seed % 4 == 1) options.lower = 21, options.upper = 200;
  return options;
}

TEST(Pool, MaxReferenceMatchesHandComputation) {
  // 1x4 image, window 3, stride 2, padding 1 on the left.
  const Pooling pooling =
      make_pooling(1, {1, 1, 4}, {1, 1, 3}, {1, 1, 2}, {0, 0, 1}, {0, 0, 0}, {1, 1, 1});
  Bytes src(4 + 64, 0);
  src[0] = 3, src[1] = 7, src[2] = 5, src[3] = 200;
  Bytes table(256, 0), dst(2);
  table[7] = 70, table[200] = 90;
  PoolArgs args;
  args.src = src.data();
  args.src_pitch = 1;
  args.dst = dst.data();
  args.dst_pitch = 1;
  max_pool_kernels().back().run(pooling.shape, args, {});
  EXPECT_EQ(dst, (Bytes{7, 200}));
  args.table = table.data();
  max_pool_kernels().back().run(pooling.shape, args, {});
  EXPECT_EQ(dst, (Bytes{70, 90}));
}

TEST(Pool, AverageReferenceMatchesHandComputation) {
  // 1x3 image a - 10 = {10, 20, -6}; window 2, stride 2, padding 1 on the left.
  const Pooling pooling = make_pooling(1, {1, 1, 3}, {1, 1, 2}, {1, 1, 2}, {0, 0, 1}, {0, 0, 0});
  Bytes src(3 + 64, 0);
  src[0] = 20, src[1] = 30, src[2] = 4;
  float floats[2];
  PoolArgs args;
  args.src = src.data();
  args.src_pitch = 1;
  args.dst = floats;
  args.dst_pitch = 1;
  args.src_zero_point = 10;
  args.ratio = 0.5f;
  args.output = Output::f32;
  const PoolKernel& reference = average_pool_kernels().back();
  reference.run(pooling.shape, args, {});
  EXPECT_EQ(floats[0], 5.0f);  // 10 / 1 / 2
  EXPECT_EQ(floats[1], 3.5f);  // (20 - 6) / 2 / 2
  args.divisor = Divisor::padded;
  reference.run(pooling.shape, args, {});
  EXPECT_EQ(floats[0], 2.5f);  // 10 / 2 / 2
  EXPECT_EQ(floats[1], 3.5f);
  Bytes dst(2);
  args.output = Output::u8;
  args.dst = dst.data();
  args.zero_point = 100;
  reference.run(pooling.shape, args, {});
  EXPECT_EQ(dst, (Bytes{102, 104}));  // 2.5 and 3.5 round to even
}

TEST(Pool, AverageDivisorCountsPaddingUpToThePaddedExtentOnly) {
  // Image of 4 ones, window 3, stride 2, end padding 1; the third window starts at 4 and, as with
  // ceil_mode, hangs over the padding: one padded position, none inside.
  const Pooling pooling =
      make_pooling(1, {1, 1, 4}, {1, 1, 3}, {1, 1, 2}, {0, 0, 0}, {0, 0, 1}, {1, 1, 1}, 1);
  ASSERT_EQ(pooling.shape.out[2], 3);
  const Bytes src(4 + 64, 1);
  for (const auto& kernel : average_pool_kernels()) {
    if (!cpu_supports(kernel.isa)) continue;
    float floats[6] = {};
    PoolArgs args;
    args.src = src.data();
    args.src_pitch = 1;
    args.dst = floats;
    args.dst_pitch = 1;
    args.pad_end = pooling.pad_end;
    args.divisor = Divisor::padded;
    args.output = Output::f32;
    kernel.run(pooling.shape, args, {});
    EXPECT_EQ(floats[0], 1.0f) << kernel.name;
    EXPECT_EQ(floats[1], 2.0f * (1.0f / 3.0f)) << kernel.name;  // positions 2, 3 and padding 4
    EXPECT_EQ(floats[2], 0.0f) << kernel.name;
  }
}

TEST(Pool, LeastAndSumReferencesMatchHandComputation) {
  // 1x3 image {20, 30, 4}, one window, one tap of padding that counts for nothing.
  const Pooling pooling = make_pooling(1, {1, 1, 3}, {1, 1, 4}, {1, 1, 1}, {0, 0, 1}, {0, 0, 0});
  Bytes src(3 + 64, 0);
  src[0] = 20, src[1] = 30, src[2] = 4;
  Bytes dst(1);
  float sum = 0;
  PoolArgs args;
  args.src = src.data();
  args.src_pitch = args.dst_pitch = 1;
  args.dst = dst.data();
  args.extreme = Extreme::least;
  max_pool_kernels().back().run(pooling.shape, args, {});
  EXPECT_EQ(dst[0], 4);
  args.dst = &sum;
  args.src_zero_point = 10;
  args.ratio = 0.5f;
  args.output = Output::f32;
  args.divisor = Divisor::one;
  average_pool_kernels().back().run(pooling.shape, args, {});
  EXPECT_EQ(sum, 12.0f);  // (10 + 20 - 6) / 2
}

TEST(Pool, EveryChannelCount) {
  unsigned seed = 1;
  for (std::int64_t channels = 1; channels <= 330; channels += channels < 130 ? 1 : 19) {
    compare_both(make_pooling(channels, {1, 5, 6}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}, {0, 1, 0}),
                 varied(seed), seed);
    ++seed;
    compare_both(make_pooling(channels, {1, 4, 5}, {1, 4, 5}), varied(seed), seed);
    ++seed;
  }
}

TEST(Pool, EveryWindow) {
  unsigned seed = 1000;
  for (std::int64_t kh = 1; kh <= 7; ++kh)
    for (std::int64_t kw = 1; kw <= 7; ++kw)
      for (std::int64_t stride = 1; stride <= 3; ++stride)
        for (std::int64_t dilation = 1; dilation <= 2; ++dilation)
          for (std::int64_t extra = 0; extra <= 1; ++extra) {
            const Pooling pooling =
                make_pooling(37, {1, 9, 11}, {1, kh, kw}, {1, stride, stride}, {0, kh / 2, kw - 1},
                             {0, (kh - 1) / 2, kw / 2}, {1, dilation, dilation}, extra);
            compare_both(pooling, varied(seed), seed);
            ++seed;
          }
}

TEST(Pool, WindowsLargerThanTheImageAndEmptyOnes) {
  unsigned seed = 2000;
  for (std::int64_t size : {1, 2, 3})
    for (std::int64_t kernel : {1, 2, 5, 7})
      for (std::int64_t pad : {0, 1, 4, 6})
        for (bool include : {false, true}) {
          Options options = varied(seed);
          options.divisor = include ? Divisor::padded : Divisor::inside;
          compare_both(make_pooling(20, {1, size, size + 1}, {1, kernel, kernel}, {1, 1, 1},
                                    {0, pad, pad}, {0, pad, 0}, {1, 1, 1}, 1),
                       options, seed);
          ++seed;
        }
}

TEST(Pool, BatchesPartsAndDepth) {
  unsigned seed = 3000;
  for (int parts = 1; parts <= 3; ++parts)
    for (std::int64_t channels : {3, 64, 100})
      for (std::int64_t batch : {2, 3}) {
        Options options = varied(seed);
        options.parts = parts;
        compare_both(make_pooling(channels, {4, 5, 4}, {2, 3, 3}, {2, 1, 2}, {1, 1, 1}, {1, 1, 1},
                                  {1, 1, 1}, 0, batch),
                     options, seed);
        ++seed;
      }
}

TEST(Pool, SumsOfLargeWindowsDoNotOverflow) {
  // 16-bit partial sums hold 257 bytes; the window has 1000.
  for (std::int32_t zero_point : {0, 128, 255})
    for (bool f32 : {false, true}) {
      Options options;
      options.values = Values::extreme;
      options.src_zero_point = zero_point;
      options.f32 = f32;
      compare(average_pool_kernels(), make_pooling(70, {1, 25, 40}, {1, 25, 40}), options, 4000);
    }
}

TEST(Pool, SumsOfTheLargestWindowOfWordsDoNotOverflow) {
  static_assert(kMaxWordWindow == 128 * 256);
  const Pooling pooling = make_pooling(33, {1, 128, 256}, {1, 128, 256});
  for (std::int32_t zero_point : {0, 65535}) {
    Options options;
    options.words = options.f32 = true;
    options.values = zero_point == 0 ? Values::extreme : Values::random;
    options.src_zero_point = zero_point;
    compare(average_pool_kernels(), pooling, options, 4001);
  }
  // All 65535: the mean is exact but for the rounding of the multiplier.
  const std::vector<std::uint16_t> src(pooling.shape.in_pixels() * 33 + 32, 65535);
  for (const auto& kernel : average_pool_kernels()) {
    if (!cpu_supports(kernel.isa)) continue;
    std::vector<float> dst(33);
    PoolArgs args;
    args.input = Element::u16;
    args.src = src.data();
    args.src_pitch = args.dst_pitch = 33;
    args.dst = dst.data();
    args.output = Output::f32;
    kernel.run(pooling.shape, args, {});
    EXPECT_EQ(dst, std::vector<float>(33, 65535.0f)) << kernel.name;
  }
}

TEST(Pool, WordsOfTheReferenceMatchHandComputation) {
  // 1x3 image {20, 60000, 4}, window 2, stride 2, padding 1 on the left.
  const Pooling pooling = make_pooling(1, {1, 1, 3}, {1, 1, 2}, {1, 1, 2}, {0, 0, 1}, {0, 0, 0});
  std::vector<std::uint16_t> src(3 + 32, 0), dst(2);
  src[0] = 20, src[1] = 60000, src[2] = 4;
  PoolArgs args;
  args.input = Element::u16;
  args.src = src.data();
  args.src_pitch = args.dst_pitch = 1;
  args.dst = dst.data();
  max_pool_kernels().back().run(pooling.shape, args, {});
  EXPECT_EQ(dst, (std::vector<std::uint16_t>{20, 60000}));
  args.extreme = Extreme::least;
  max_pool_kernels().back().run(pooling.shape, args, {});
  EXPECT_EQ(dst, (std::vector<std::uint16_t>{20, 4}));
  float floats[2];
  args.dst = floats;
  args.src_zero_point = 1000;
  args.ratio = 0.5f;
  args.output = Output::f32;
  average_pool_kernels().back().run(pooling.shape, args, {});
  EXPECT_EQ(floats[0], -490.0f);   // -980 / 1 / 2
  EXPECT_EQ(floats[1], 14501.0f);  // (59000 - 996) / 2 / 2
}

TEST(Pool, AverageRefusesWindowsWhoseSumsMightOverflow) {
  ConvShape shape;
  shape.in_channels = shape.out_channels = 1;
  shape.kernel = {1, 2048, 4096};
  for (const auto& kernel : average_pool_kernels())
    EXPECT_STREQ(kernel.refuses(shape), "window of 2^23 positions or more") << kernel.name;
  shape.kernel = {1, 2047, 4096};
  for (const auto& kernel : average_pool_kernels())
    EXPECT_EQ(kernel.refuses(shape), nullptr) << kernel.name;
}

TEST(Pool, ReferenceComesLast) {
  EXPECT_EQ(max_pool_kernels().back().isa, Isa::scalar);
  EXPECT_EQ(average_pool_kernels().back().isa, Isa::scalar);
}

}  // namespace
}  // namespace intact::kernels
