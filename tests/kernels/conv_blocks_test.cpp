// Convolution on tile registers: the emulated AMX kernels against the reference where their blocks
// begin and end, and which shape of blocks the cost model chooses.
#include <gtest/gtest.h>

#include <random>

#include "tests/kernels/conv_problem.hpp"
#include "tests/kernels/emulated_amx.hpp"

namespace intact::kernels {
namespace {

ConvShape matrix_product(std::int64_t m, std::int64_t k, std::int64_t n) {
  ConvShape shape;
  shape.in = shape.out = {1, 1, m};
  shape.in_channels = k;
  shape.out_channels = n;
  return shape;
}

/// A square image and window, padded so that stride 1 keeps the size.
ConvShape square(std::int64_t size, std::int64_t in, std::int64_t out, std::int64_t kernel,
                 std::int64_t stride = 1, std::int64_t groups = 1) {
  ConvShape shape;
  shape.in = {1, size, size};
  shape.kernel = {1, kernel, kernel};
  shape.stride = {1, stride, stride};
  shape.in_channels = in;
  shape.out_channels = out;
  shape.groups = groups;
  set_output(shape, {0, kernel / 2, kernel / 2});
  return shape;
}

/// The kernels with blocks on the CPU, if it has tile registers, and emulated; then the reference.
bool check(const ConvShape& shape, const ConvOptions& options = {}, unsigned seed = 1) {
  static const std::vector<ConvKernel> kernels = [] {
    const auto emulated = emulated_amx_kernels();
    std::vector<ConvKernel> all(emulated.begin(), emulated.end());
    all.insert(all.end(), conv_block_kernels().begin(), conv_block_kernels().end());
    all.push_back(conv_kernels().back());
    return all;
  }();
  const int before = emulated_amx_faults();
  const bool equal = matches_reference(kernels, ConvProblem(shape, options, seed));
  EXPECT_EQ(emulated_amx_faults(), before) << "the CPU would refuse this use of tile registers";
  return equal && emulated_amx_faults() == before;
}

constexpr std::array fused_in_turn = {
    Fused::bytes,        Fused::table,  Fused::rounded, Fused::rounded_table, Fused::in_place,
    Fused::rounded_late, Fused::floats, Fused::tiles,   Fused::range,         Fused::quotient};

TEST(ConvBlocks, EveryHeight) {
  unsigned seed = 0;
  for (std::int64_t rows = 1; rows <= 70; ++rows)
    for (const std::int64_t channels : {16, 24, 64, 100}) {
      ConvOptions options;
      options.fused = fused_in_turn[seed % fused_in_turn.size()];
      options.weight_zero_points = seed % 3 == 0;
      ASSERT_TRUE(check(matrix_product(rows, 70, channels), options, ++seed));
    }
}

/// Depths that need one step, several equal ones, and steps that are filled up.
TEST(ConvBlocks, EveryDepth) {
  unsigned seed = 0;
  for (std::int64_t depth = 1; depth <= 200; depth += depth < 70 ? 1 : 13) {
    ConvOptions options;
    options.src_gap = depth % 4;
    options.weight_zero_points = depth % 2 == 0;
    ASSERT_TRUE(check(matrix_product(37, depth, 80), options, ++seed));
  }
}

TEST(ConvBlocks, WindowsStridesAndDilations) {
  unsigned seed = 0;
  for (const std::int64_t kernel : {1, 2, 3, 5})
    for (const std::int64_t stride : {1, 2, 3, 4})
      for (const std::int64_t dilation : {1, 2})
        for (const std::int64_t channels : {1, 3, 16, 20, 64}) {
          ConvShape shape = square(13, channels, 40, kernel, stride);
          shape.in[2] = 17;
          shape.dilation = {1, dilation, dilation};
          set_output(shape, {0, kernel / 2, kernel / 2});
          ConvOptions options;
          options.fused = fused_in_turn[seed % fused_in_turn.size()];
          options.weight_zero_points = seed % 2 == 0;
          options.src_gap = seed % 5 == 0 ? 7 : 0;
          ASSERT_TRUE(check(shape, options, ++seed));
        }
}

/// Strides and dilations that differ between the axes, windows along one of them, padding in front
/// only.
TEST(ConvBlocks, UnequalAxes) {
  std::mt19937 random(77);
  const auto between = [&](int low, int high) {
    return low + static_cast<std::int64_t>(random() % static_cast<unsigned>(high - low + 1));
  };
  for (int i = 0; i < 150; ++i) {
    ConvShape shape;
    shape.batch = between(1, 3);
    shape.groups = between(0, 2) == 0 ? between(2, 8) : 1;
    shape.in_channels = shape.groups * between(1, 24);
    shape.out_channels = shape.groups * between(1, 24);
    for (std::size_t d = 0; d < 3; ++d) {
      shape.kernel[d] = d == 0 ? between(1, 2) : between(1, 5);
      shape.stride[d] = between(1, 4);
      shape.dilation[d] = between(1, 2);
      shape.pad_begin[d] = between(-1, 3);
      shape.in[d] = between(2, d == 0 ? 3 : 14);
      shape.out[d] = between(1, d == 0 ? 2 : 9);
    }
    ConvOptions options;
    options.fused = fused_in_turn[random() % fused_in_turn.size()];
    options.weight_zero_points = between(0, 1) != 0;
    options.src_gap = between(0, 1) * between(1, 20);
    options.dst_gap = between(0, 1) * between(1, 20);
    options.src_zero_point = static_cast<std::int32_t>(between(0, 255));
    ASSERT_TRUE(check(shape, options, static_cast<unsigned>(i))) << "random shape " << i;
  }
}

/// What lies between the pixels of a window, or between windows, takes no memory.
TEST(ConvBlocks, GapsOfAnySize) {
  constexpr std::int64_t far = 1'000'000;
  ConvShape dilated = square(5, 20, 24, 3);
  dilated.dilation = {1, far, far};
  set_output(dilated, {0, far, far});
  ASSERT_EQ(dilated.out[1], 5);
  ConvShape strided = square(7, 20, 24, 3);
  strided.stride = {1, far, far};
  set_output(strided, {0, far, far});
  ASSERT_EQ(strided.out[1], 3);
  for (const ConvShape& shape : {dilated, strided}) {
    for (const ConvKernel& kernel : conv_block_kernels())
      EXPECT_LT(kernel.scratch_bytes(shape), std::size_t{1} << 20);
    ASSERT_TRUE(check(shape));
  }
}

/// More rows than one chunk has, in place and copied, and several planes in one chunk.
TEST(ConvBlocks, ChunksAndPlanes) {
  ASSERT_TRUE(check(matrix_product(5000, 20, 24)));
  ASSERT_TRUE(check(matrix_product(900, 1030, 17)));
  ASSERT_TRUE(check(square(120, 40, 16, 3)));
  ConvShape batch = square(7, 40, 70, 3);
  batch.batch = 9;
  ASSERT_TRUE(check(batch));
  batch.stride = {1, 2, 2};
  set_output(batch, {0, 1, 1});
  ASSERT_TRUE(check(batch));
  batch.batch = 40;
  ASSERT_TRUE(check(batch));
}

TEST(ConvBlocks, GroupsJoinAndFold) {
  for (const std::int64_t each : {1, 2, 4, 5, 8, 16, 20})
    for (const std::int64_t stride : {1, 2})
      for (const bool zero_points : {false, true}) {
        ConvOptions options;
        options.weight_zero_points = zero_points;
        ASSERT_TRUE(check(square(9, 8 * each, 8 * each, 3, stride, 8), options));
      }
}

TEST(ConvBlocks, GridKnownAtRunTime) {
  for (const ConvShape& shape : {matrix_product(9, 37, 21), square(9, 3, 18, 3, 2)}) {
    ConvOptions options;
    options.src_zero_point = 77;
    options.packed_zero_point = 130;
    options.src_scale = 0.37F;
    for (const bool zero_points : {false, true}) {
      options.weight_zero_points = zero_points;
      ASSERT_TRUE(check(shape, options));
    }
  }
}

TEST(ConvBlocks, EveryConvolutionHasOneShapeOfBlocks) {
  for (const ConvShape& shape :
       {matrix_product(5, 3, 1), matrix_product(49, 2048, 512), square(56, 64, 64, 3),
        square(224, 3, 64, 7, 2), square(14, 512, 512, 3, 1, 32)}) {
    int accepted = 0;
    for (const ConvKernel& kernel : conv_kernels())
      accepted += kernel.isa == Isa::amx && kernel.refuses(shape, {}) == nullptr;
    EXPECT_EQ(accepted, 1);
  }
  for (const ConvKernel& kernel : conv_kernels())
    if (kernel.isa == Isa::amx) {
      EXPECT_STREQ(kernel.refuses(matrix_product(4, 64, 64), {}), "4 pixels or fewer");
      EXPECT_STREQ(kernel.refuses(matrix_product(8, 0, 64), {}), "no input channels");
    }
}

/// What was measured to be fastest on Sapphire Rapids.
TEST(ConvBlocks, ChosenShapes) {
  const auto chosen = [](const ConvShape& shape) -> std::string {
    for (const ConvKernel& kernel : conv_kernels())
      if (kernel.refuses(shape, {}) == nullptr) return kernel.name;
    return "";
  };
  const std::string few_rows = "conv_amx_16x64", even = "conv_amx_32x32",
                    few_channels = "conv_amx_64x16";
  EXPECT_EQ(chosen(square(56, 64, 64, 1)), few_rows);
  EXPECT_EQ(chosen(square(56, 64, 256, 1)), few_rows);
  EXPECT_EQ(chosen(square(56, 256, 64, 1)), few_rows);
  EXPECT_EQ(chosen(square(28, 128, 512, 1)), few_rows);
  EXPECT_EQ(chosen(square(14, 256, 1024, 1)), few_rows);
  EXPECT_EQ(chosen(square(28, 512, 128, 1)), even);
  EXPECT_EQ(chosen(square(14, 1024, 256, 1)), even);
  EXPECT_EQ(chosen(square(7, 2048, 512, 1)), even);
  EXPECT_EQ(chosen(square(56, 64, 64, 3)), even);
  EXPECT_EQ(chosen(square(28, 128, 128, 3)), even);
  EXPECT_EQ(chosen(square(14, 256, 256, 3)), even);
  EXPECT_EQ(chosen(square(7, 512, 512, 3)), few_channels);  // 61 rows are one block of 64
  EXPECT_EQ(chosen(square(224, 3, 64, 7, 2)), few_rows);
  EXPECT_EQ(chosen(square(640, 3, 16, 3, 2)), few_channels);
  EXPECT_EQ(chosen(square(112, 32, 16, 1)), few_channels);
  EXPECT_EQ(chosen(square(56, 144, 24, 1)), even);
  EXPECT_EQ(chosen(square(28, 144, 32, 1)), even);
  EXPECT_EQ(chosen(matrix_product(128, 768, 768)), even);
  EXPECT_EQ(chosen(matrix_product(128, 3072, 768)), even);
  EXPECT_EQ(chosen(matrix_product(128, 384, 1536)), few_rows);
}

}  // namespace
}  // namespace intact::kernels
