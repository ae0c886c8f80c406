// Float results handed over in tiles are those that are written to memory otherwise, whatever the
// kernel, the shape and the number of parts.
#include <gtest/gtest.h>

#include "kernels/depthwise/depthwise.hpp"
#include "tests/kernels/conv_problem.hpp"

namespace intact::kernels {
namespace {

void expect_tiles(std::span<const ConvKernel> kernels, const ConvShape& shape,
                  ConvOptions options = {}) {
  options.dst_gap = 3;
  options.src_gap = 5;
  options.float_bias = shape.out_channels % 2 == 0;
  options.fused = Fused::tiles;
  const ConvProblem tiles(shape, options, 7);
  options.fused = Fused::floats;
  const ConvProblem floats(shape, options, 7);
  EXPECT_EQ(tiles.run(kernels.back(), 1), floats.run(kernels.back(), 1)) << tiles.describe();
  EXPECT_TRUE(matches_reference(kernels, tiles));
}

ConvShape shape_of(std::array<std::int64_t, 3> in, std::array<std::int64_t, 3> kernel,
                   std::int64_t in_channels, std::int64_t out_channels, std::int64_t groups = 1) {
  ConvShape shape;
  shape.batch = 2;
  shape.in = in;
  shape.kernel = kernel;
  shape.in_channels = in_channels;
  shape.out_channels = out_channels;
  shape.groups = groups;
  return shape;
}
ConvShape padded(ConvShape shape, std::array<std::int64_t, 3> pad,
                 std::array<std::int64_t, 3> stride = {1, 1, 1},
                 std::array<std::int64_t, 3> dilation = {1, 1, 1}) {
  shape.stride = stride;
  shape.dilation = dilation;
  set_output(shape, pad);
  return shape;
}

TEST(Tiles, Convolutions) {
  for (const std::int64_t channels : {1, 16, 20, 64, 77, 150})
    expect_tiles(conv_kernels(), padded(shape_of({1, 9, 11}, {1, 3, 3}, 12, channels), {0, 1, 1}));
  expect_tiles(conv_kernels(), padded(shape_of({1, 23, 29}, {1, 1, 1}, 20, 70), {0, 0, 0}));
  expect_tiles(conv_kernels(),
               padded(shape_of({1, 17, 19}, {1, 3, 3}, 3, 24), {0, 1, 1}, {1, 2, 2}));
  expect_tiles(conv_kernels(), padded(shape_of({1, 8, 8}, {1, 3, 3}, 24, 40, 4), {0, 1, 1}));
  expect_tiles(conv_kernels(), padded(shape_of({3, 5, 6}, {3, 2, 2}, 8, 18), {1, 0, 1}));
}

TEST(Tiles, MoreChannelsThanATileHas) {
  expect_tiles(conv_kernels(), padded(shape_of({1, 1, 2}, {1, 1, 1}, 4, 4100), {0, 0, 0}));
}

TEST(Tiles, WeightZeroPoints) {
  ConvOptions options;
  options.weight_zero_points = true;
  expect_tiles(conv_kernels(), padded(shape_of({1, 15, 9}, {1, 3, 3}, 13, 34), {0, 1, 1}), options);
}

TEST(Tiles, Depthwise) {
  for (const std::int64_t channels : {1, 16, 24, 72, 130}) {
    const auto dw = [&](std::array<std::int64_t, 3> in, std::array<std::int64_t, 3> kernel) {
      return shape_of(in, kernel, channels, channels, channels);
    };
    expect_tiles(depthwise_kernels(), padded(dw({1, 13, 10}, {1, 3, 3}), {0, 1, 1}));
    expect_tiles(depthwise_kernels(), padded(dw({1, 14, 9}, {1, 3, 3}), {0, 1, 1}, {1, 2, 2}));
    expect_tiles(depthwise_kernels(), padded(dw({1, 12, 12}, {1, 5, 5}), {0, 2, 2}));
    expect_tiles(depthwise_kernels(),
                 padded(dw({1, 11, 12}, {1, 3, 3}), {0, 2, 2}, {1, 1, 1}, {1, 2, 2}));
    expect_tiles(depthwise_kernels(), padded(dw({1, 1, 33}, {1, 1, 7}), {0, 0, 3}));
    expect_tiles(depthwise_kernels(), padded(dw({4, 5, 6}, {3, 3, 3}), {1, 1, 1}));
    expect_tiles(depthwise_kernels(), padded(dw({4, 5, 6}, {1, 3, 3}), {0, 1, 1}, {2, 1, 1}));
  }
}

TEST(Tiles, DepthwiseBlocksOfLines) {
  expect_tiles(depthwise_kernels(),
               padded(shape_of({1, 30, 20}, {1, 3, 3}, 200, 200, 200), {0, 1, 1}));
}

TEST(Tiles, DepthwiseLinesThatMeetPaddingOnly) {
  expect_tiles(depthwise_kernels(), padded(shape_of({1, 2, 5}, {1, 3, 3}, 20, 20, 20), {0, 5, 4}));
  expect_tiles(depthwise_kernels(), padded(shape_of({1, 2, 5}, {3, 1, 1}, 20, 20, 20), {4, 0, 0}));
}

}  // namespace
}  // namespace intact::kernels
