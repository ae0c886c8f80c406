// The reference against sums done by hand, then every kernel of the list against the reference.
#include "kernels/conv/conv.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <set>
#include <string>

#include "intact/cpu.hpp"
#include "kernels/conv/packed.hpp"
#include "tests/kernels/conv_problem.hpp"
#include "tests/kernels/emulated_amx.hpp"

namespace intact::kernels {
namespace {

constexpr std::array all_fused = {Fused::bytes,        Fused::clamp,         Fused::table,
                                  Fused::rounded,      Fused::rounded_table, Fused::in_place,
                                  Fused::rounded_late, Fused::floats,        Fused::floats_apart,
                                  Fused::range,        Fused::quotient};

ConvShape matrix_product(std::int64_t m, std::int64_t k, std::int64_t n) {
  ConvShape shape;
  shape.in = shape.out = {1, 1, m};
  shape.in_channels = k;
  shape.out_channels = n;
  return shape;
}

ConvShape conv2d(std::int64_t height, std::int64_t width, std::int64_t in_channels,
                 std::int64_t out_channels, std::int64_t kernel, std::int64_t stride,
                 std::int64_t pad, std::int64_t dilation = 1, std::int64_t groups = 1) {
  ConvShape shape;
  shape.in = {1, height, width};
  shape.kernel = {1, kernel, kernel};
  shape.stride = {1, stride, stride};
  shape.dilation = {1, dilation, dilation};
  shape.in_channels = in_channels;
  shape.out_channels = out_channels;
  shape.groups = groups;
  set_output(shape, {0, pad, pad});
  return shape;
}

/// The list, and before it the AMX kernels on emulated registers, which run on any AVX-512 VNNI.
std::span<const ConvKernel> swept_kernels() {
  static const std::vector<ConvKernel> kernels = [] {
    const auto emulated = emulated_amx_kernels();
    std::vector<ConvKernel> all(emulated.begin(), emulated.end());
    all.insert(all.end(), conv_kernels().begin(), conv_kernels().end());
    return all;
  }();
  return kernels;
}

bool check(const ConvShape& shape, const ConvOptions& options, unsigned seed = 1) {
  return matches_reference(swept_kernels(), ConvProblem(shape, options, seed));
}

TEST(ConvKernels, ListEndsWithTheReferenceAndNamesAreUnique) {
  const auto kernels = conv_kernels();
  ASSERT_FALSE(kernels.empty());
  EXPECT_STREQ(kernels.back().name, "conv_reference");
  EXPECT_EQ(kernels.back().isa, Isa::scalar);
  std::set<std::string> names;
  for (const ConvKernel& kernel : kernels) EXPECT_TRUE(names.insert(kernel.name).second);
}

/// Two pixels, two inputs, window of two with one pixel of padding on the left.
struct ByHand {
  ConvShape shape = [] {
    ConvShape s;
    s.in = {1, 1, 2};
    s.out = {1, 1, 2};
    s.kernel = {1, 1, 2};
    s.pad_begin = {0, 0, 1};
    s.in_channels = 2;
    s.out_channels = 2;
    return s;
  }();
  std::vector<std::uint8_t> src = std::vector<std::uint8_t>(64 + 4, 0);
  std::vector<std::int8_t> weights = {1,  2, 3, 4,    // channel 0: left tap, right tap
                                      -1, 0, 5, -6};  // channel 1
  std::vector<std::int32_t> bias = {100, -7}, zero_point = {1, 0};
  std::vector<float> multiplier = {0.5F, 1.0F}, float_bias = {0.25F, -2.0F};
  ConvArgs args;
  std::vector<std::byte> packed;

  template <class T>
  std::vector<T> run(bool with_float_bias) {
    // Zero point 10: real values are 1, 2 and -3, 4.
    const std::uint8_t values[] = {11, 12, 7, 14};
    std::copy_n(values, 4, src.begin());
    const ConvKernel& kernel = conv_kernels().back();
    packed.resize(kernel.packed_bytes(shape));
    kernel.pack(shape,
                {weights.data(), nullptr, bias.data(), multiplier.data(),
                 with_float_bias ? float_bias.data() : nullptr, zero_point.data(), 10},
                packed.data());
    std::vector<T> dst(4);
    args.src = src.data();
    args.src_pitch = 2;
    args.weights = packed.data();
    args.dst = dst.data();
    args.dst_pitch = 2;
    kernel.run(shape, args, {});
    return dst;
  }
  // Accumulators. Pixel 0 sees padding, then (1, 2); pixel 1 sees (1, 2), then (-3, 4).
  //   channel 0, weights minus 1: 0 1 | 2 3.  100 + 2 + 6 = 108;  100 + 0 + 2 - 6 + 12 = 108
  //   channel 1:                               -7 + 5 - 12 = -14; -7 - 1 + 0 - 15 - 24 = -47
};

TEST(ConvReference, FloatOutput) {
  ByHand problem;
  problem.args.epilogue.output = Output::f32;
  EXPECT_EQ(problem.run<float>(false), (std::vector<float>{54, -14, 54, -47}));
  problem.args.epilogue.float_lower = -20;
  problem.args.epilogue.float_upper = 50;
  EXPECT_EQ(problem.run<float>(false), (std::vector<float>{50, -14, 50, -20}));
  EXPECT_EQ(problem.run<float>(true), (std::vector<float>{50, -16, 50, -20}));
}

TEST(ConvReference, RequantizesHalfToEvenAndClamps) {
  ByHand problem;
  problem.args.epilogue.zero_point = 40;
  EXPECT_EQ(problem.run<std::uint8_t>(false), (std::vector<std::uint8_t>{94, 26, 94, 0}));
  problem.multiplier = {1.0F / 8, 0.25F};  // 13.5 -> 14; -3.5 -> -4; -11.75 -> -12
  EXPECT_EQ(problem.run<std::uint8_t>(false), (std::vector<std::uint8_t>{54, 36, 54, 28}));
  problem.args.epilogue.lower = 30;
  problem.args.epilogue.upper = 50;
  EXPECT_EQ(problem.run<std::uint8_t>(false), (std::vector<std::uint8_t>{50, 36, 50, 30}));
}

TEST(ConvReference, TableAndResidual) {
  ByHand problem;
  std::vector<std::uint8_t> table(256);
  for (int i = 0; i < 256; ++i)
    table[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(255 - i);
  problem.args.epilogue.zero_point = 40;
  problem.args.epilogue.table = table.data();
  EXPECT_EQ(problem.run<std::uint8_t>(false), (std::vector<std::uint8_t>{161, 229, 161, 255}));

  const std::vector<std::uint8_t> other = {3, 5, 0, 255};
  Residual residual{other.data(), 2, 1, 0.5F, 200, 0.25F, 100, 0, 150};
  problem.args.epilogue.residual = &residual;
  // (161 - 200) / 4 + (3 - 1) / 2 = -8.75;  29 / 4 + 2 = 9.25;  -9.75 - 0.5 = -10.25;  13.75 + 127
  EXPECT_EQ(problem.run<std::uint8_t>(false), (std::vector<std::uint8_t>{91, 109, 90, 150}));
}

TEST(ConvReference, ResidualBeforeTheOnlyRounding) {
  ByHand problem;
  problem.multiplier = {1.0F / 8, 0.25F};
  const std::vector<std::uint8_t> other = {3, 5, 0, 255};
  Residual residual{other.data(), 2, 1, 0.5F, 200, 0.25F, 100, 0, 150, false};
  problem.args.epilogue.residual = &residual;
  // 13.5 + 1 -> 14; -3.5 + 2 -> -2; 13.5 - 0.5; -11.75 + 127 -> 115
  EXPECT_EQ(problem.run<std::uint8_t>(false), (std::vector<std::uint8_t>{114, 98, 113, 150}));
}

TEST(ConvSweep, MatrixProductTails) {
  unsigned seed = 1;
  for (const std::int64_t m : {1, 2, 3, 5, 6, 7, 12, 13, 24, 25, 49, 50, 101})
    for (const std::int64_t k : {1, 3, 4, 5, 16, 17, 31, 64, 70})
      for (const std::int64_t n : {1, 15, 16, 17, 31, 33, 48, 63, 64, 65, 100}) {
        ConvOptions options;
        options.src_gap = seed % 3;
        options.dst_gap = seed % 2 * 5;
        options.fused = all_fused[seed % all_fused.size()];
        ASSERT_TRUE(check(matrix_product(m, k, n), options, ++seed));
      }
}

/// A matrix of activations, in rows or in columns, is packed like weights of the same values.
TEST(ConvSweep, MatrixInPlaceOfWeights) {
  std::mt19937 random(5);
  for (const std::int64_t k : {1, 3, 4, 7, 16, 33, 64, 130})
    for (const std::int64_t n : {1, 5, 15, 16, 17, 48, 64, 70, 130}) {
      const ConvShape shape = matrix_product(7, k, n);
      const auto count = static_cast<std::size_t>(k * n);
      std::vector<std::int8_t> weights(count);
      std::vector<std::uint8_t> by_column(count), by_row(count);
      for (std::int64_t c = 0; c < n; ++c)
        for (std::int64_t i = 0; i < k; ++i) {
          const auto byte = static_cast<std::uint8_t>(random());
          weights[static_cast<std::size_t>(c * k + i)] = static_cast<std::int8_t>(byte - 128);
          by_column[static_cast<std::size_t>(c * k + i)] = byte;
          by_row[static_cast<std::size_t>(i * n + c)] = byte;
        }
      std::vector<std::uint8_t> src(static_cast<std::size_t>(7 * k) + 64);
      for (std::uint8_t& a : src) a = static_cast<std::uint8_t>(random());
      const std::vector<std::int32_t> bias(static_cast<std::size_t>(n), 77),
          zero_point(static_cast<std::size_t>(n), -9);
      const std::vector<float> multiplier(static_cast<std::size_t>(n), 0.003f);
      const auto product = [&](const ConvKernel& kernel, const std::int8_t* data,
                               const ConvMatrix* matrix) {
        ConvWeights form;
        form.data = data;
        form.matrix = matrix;
        form.bias = bias.data();
        form.zero_point = zero_point.data();
        form.multiplier = multiplier.data();
        form.src_zero_point = 117;
        std::vector<std::uint8_t> dst(static_cast<std::size_t>(7 * n));
        const AlignedBytes packed(kernel.packed_bytes(shape)), scratch(kernel.scratch_bytes(shape));
        kernel.pack(shape, form, packed.data);
        ConvArgs args;
        args.src = src.data();
        args.src_pitch = k;
        args.weights = packed.data;
        args.scratch = scratch.data;
        args.dst = dst.data();
        args.dst_pitch = n;
        args.epilogue.zero_point = 120;
        kernel.run(shape, args, {});
        return dst;
      };
      const ConvMatrix columns{by_column.data(), 1, k}, rows{by_row.data(), n, 1};
      const auto expected = product(conv_kernels().back(), weights.data(), nullptr);
      for (const ConvKernel& kernel : swept_kernels()) {
        if (!cpu_supports(kernel.isa)) continue;
        ASSERT_EQ(product(kernel, nullptr, &columns), expected) << kernel.name << k << "x" << n;
        ASSERT_EQ(product(kernel, nullptr, &rows), expected) << kernel.name << k << "x" << n;
      }
    }
}

TEST(ConvSweep, EveryChannelCount) {
  for (std::int64_t channels = 1; channels <= 70; ++channels) {
    ASSERT_TRUE(check(matrix_product(29, channels, 71 - channels), {}, 7));
    ASSERT_TRUE(check(conv2d(5, 6, channels, 71 - channels, 3, 1, 1), {}, 8));
  }
}

TEST(ConvSweep, ExtremeValuesThatSaturate16Bits) {
  for (const Fill fill : {Fill::extreme, Fill::alternating, Fill::same_sign, Fill::small})
    for (const std::int64_t k : {2, 16, 20, 64, 576})
      for (const Fused fused : {Fused::bytes, Fused::floats}) {
        ConvOptions options;
        options.fill = fill;
        options.fused = fused;
        ASSERT_TRUE(check(matrix_product(14, k, 40), options));
        options.weight_zero_points = true;
        ASSERT_TRUE(check(matrix_product(14, k, 40), options));
      }
}

TEST(ConvSweep, EveryEpilogueOnEveryWidth) {
  for (const Fused fused : all_fused)
    for (const std::int64_t n : {7, 16, 24, 32, 40, 64, 80, 113})
      for (const bool float_bias : {false, true}) {
        ConvOptions options;
        options.fused = fused;
        options.float_bias = float_bias;
        options.bias = !float_bias;
        options.dst_gap = 3;
        ASSERT_TRUE(check(matrix_product(27, 20, n), options, 3));
      }
}

TEST(ConvSweep, FirstLayers) {
  for (const std::int64_t channels : {1, 3, 4, 5, 16})
    for (const std::int64_t kernel : {2, 3, 7})
      for (const std::int64_t stride : {1, 2, 3})
        for (const std::int64_t gap : {0, 1}) {
          ConvOptions options;
          options.src_gap = gap;
          options.weight_zero_points = gap != 0;
          ASSERT_TRUE(check(conv2d(23, 30, channels, 32, kernel, stride, kernel / 2), options));
        }
}

TEST(ConvSweep, StridesDilationsPadding) {
  for (const std::int64_t stride : {1, 2, 3})
    for (const std::int64_t dilation : {1, 2})
      for (const std::int64_t pad : {0, 1, 4})
        for (const std::int64_t channels : {8, 20, 32}) {
          ConvOptions options;
          options.src_zero_point = 255;
          ASSERT_TRUE(check(conv2d(9, 11, channels, 24, 3, stride, pad, dilation), options));
        }
}

TEST(ConvSweep, Groups) {
  for (const auto& [groups, in, out] : {std::array<std::int64_t, 3>{2, 16, 16},
                                        {4, 4, 4},
                                        {32, 4, 4},
                                        {6, 5, 7},
                                        {3, 20, 33},
                                        {2, 32, 64},
                                        {19, 1, 1},
                                        {16, 1, 2}})
    for (const bool zero_points : {false, true}) {
      ConvOptions options;
      options.weight_zero_points = zero_points;
      ASSERT_TRUE(check(conv2d(6, 7, groups * in, groups * out, 3, 1, 1, 1, groups), options, 5));
    }
}

TEST(ConvSweep, ThreeDimensionsAndBatches) {
  for (const std::int64_t channels : {2, 18})
    for (const std::int64_t stride : {1, 2}) {
      ConvShape shape;
      shape.batch = 2;
      shape.in = {4, 5, 6};
      shape.kernel = {3, 2, 3};
      shape.stride = {stride, 1, stride};
      shape.dilation = {1, 2, 1};
      shape.in_channels = channels;
      shape.out_channels = 19;
      set_output(shape, {1, 1, 0});
      ASSERT_TRUE(check(shape, {}));
    }
}

TEST(ConvSweep, MorePixelsThanOneChunk) {
  ASSERT_TRUE(check(conv2d(41, 37, 12, 20, 3, 1, 1), {}));
  ASSERT_TRUE(check(conv2d(41, 37, 24, 20, 3, 1, 1), {}));
  ASSERT_TRUE(check(matrix_product(1200, 9, 70), {}));
}

/// The same bytes as with the zero point packed, whatever was packed instead.
TEST(ConvSweep, GridKnownAtRunTime) {
  const ConvShape shapes[] = {matrix_product(9, 37, 21), conv2d(7, 9, 3, 18, 3, 2, 1),
                              conv2d(6, 5, 40, 70, 3, 1, 1), conv2d(6, 6, 24, 24, 3, 1, 1, 1, 24)};
  for (const ConvShape& shape : shapes)
    for (const bool weight_zero_points : {false, true})
      for (const std::int32_t zero_point : {0, 77, 255}) {
        ConvOptions options;
        options.fused = Fused::floats;
        options.weight_zero_points = weight_zero_points;
        options.src_zero_point = zero_point;
        const auto expected = ConvProblem(shape, options, 5).run(conv_kernels().back(), 1);
        ConvOptions scaled = options;
        scaled.src_scale = 0.37F;
        const ConvProblem smaller(shape, scaled, 5);
        ASSERT_NE(smaller.run(conv_kernels().back(), 1), expected);
        ASSERT_TRUE(matches_reference(swept_kernels(), smaller));
        for (const std::int32_t packed : {0, 130}) {
          options.packed_zero_point = packed;
          const ConvProblem problem(shape, options, 5);
          ASSERT_EQ(problem.run(conv_kernels().back(), 1), expected) << problem.describe();
          ASSERT_TRUE(matches_reference(swept_kernels(), problem));
        }
      }
}

/// What the forms for grids known at run time write, against Output::f32 and single operations.
TEST(ConvSweep, RangesAndQuotients) {
  const ConvShape shape = conv2d(7, 9, 12, 21, 3, 1, 1);
  ConvOptions options;
  options.float_bias = true;
  options.fused = Fused::floats_apart;
  const auto guards = std::size_t{128};
  const auto written = ConvProblem(shape, options, 9).run(conv_kernels().back(), 1);
  std::vector<float> reals(static_cast<std::size_t>(shape.out_pixels() * shape.out_channels));
  std::memcpy(reals.data(), written.data() + guards, 4 * reals.size());
  options.fused = Fused::quotient;
  const auto bytes = ConvProblem(shape, options, 9).run(conv_kernels().back(), 1);
  for (std::size_t i = 0; i < reals.size(); ++i)
    ASSERT_EQ(bytes[guards + i], std::clamp(std::nearbyint(reals[i] / 0.37F) + 121, 0.0F, 255.0F))
        << i;
  const auto [low, high] = std::minmax_element(reals.begin(), reals.end());
  float range[2];
  std::memcpy(range, written.data() + written.size() - sizeof range, sizeof range);
  EXPECT_EQ(range[0], *low);
  EXPECT_EQ(range[1], *high);
  EXPECT_LT(*low, 0);
  EXPECT_GT(*high, 0);
  options.fused = Fused::floats;
  EXPECT_NE(ConvProblem(shape, options, 9).run(conv_kernels().back(), 1), written)
      << "one rounding and two give the same everywhere";
}

TEST(ConvSweep, RandomShapes) {
  std::mt19937 random(2024);
  const auto between = [&](int low, int high) {
    return low + static_cast<std::int64_t>(random() % static_cast<unsigned>(high - low + 1));
  };
  for (int i = 0; i < 250; ++i) {
    ConvShape shape;
    shape.batch = between(1, 2);
    shape.groups = between(0, 3) == 0 ? between(2, 5) : 1;
    shape.in_channels = shape.groups * between(1, shape.groups > 1 ? 20 : 70);
    shape.out_channels = shape.groups * between(1, shape.groups > 1 ? 20 : 90);
    std::array<std::int64_t, 3> pad{};
    for (std::size_t d = 0; d < 3; ++d) {
      shape.kernel[d] = d == 0 ? between(1, 2) : between(1, 4);
      shape.stride[d] = between(1, 3);
      shape.dilation[d] = between(1, 2);
      pad[d] = between(0, 2);
      shape.in[d] = (shape.kernel[d] - 1) * shape.dilation[d] + between(1, d == 2 ? 16 : 5);
    }
    set_output(shape, pad);
    ConvOptions options;
    options.fill = static_cast<Fill>(between(0, 3));
    options.fused = all_fused[random() % all_fused.size()];
    options.bias = between(0, 1) != 0;
    options.float_bias = between(0, 2) == 0;
    options.weight_zero_points = between(0, 2) == 0;
    options.src_gap = between(0, 1) * between(1, 40);
    options.dst_gap = between(0, 1) * between(1, 40);
    options.src_zero_point = static_cast<std::int32_t>(between(0, 255));
    ASSERT_TRUE(check(shape, options, static_cast<unsigned>(i))) << "random shape " << i;
  }
}

}  // namespace
}  // namespace intact::kernels
