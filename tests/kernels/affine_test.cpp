// A factor and an addend per channel: the reference by hand, every other kernel against it bit for
// bit.
#include <gtest/gtest.h>

#include <array>

#include "kernels/elementwise/elementwise.hpp"
#include "tests/kernels/buffers.hpp"

namespace intact::kernels {
namespace {

TEST(Affine, ReferenceByHand) {
  const std::array<std::uint8_t, 4> x = {10, 20, 30, 255};
  const std::array<float, 4> factor = {0.5f, -1, 0.25f, 100}, addend = {1, 2, 0.25f, 0};
  std::array<float, 4> reals = {};
  AffineArgs args;
  args.rows = 1;
  args.channels = 4;
  args.src = x.data();
  args.src_pitch = 4;
  args.src_zero_point = 12;
  args.factor = factor.data();
  args.addend = addend.data();
  args.dst = reals.data();
  args.dst_pitch = 4;
  args.epilogue.output = Output::f32;
  affine_kernels().back().run(args, {});
  EXPECT_EQ(reals, (std::array<float, 4>{0, -6, 4.75f, 24300}));

  std::array<std::uint8_t, 4> bytes = {};
  args.dst = bytes.data();
  args.epilogue.output = Output::u8;
  args.epilogue.zero_point = 5;
  args.epilogue.upper = 250;
  affine_kernels().back().run(args, {});
  EXPECT_EQ(bytes, (std::array<std::uint8_t, 4>{5, 0, 10, 250}));
}

template <class In, class Out>
void check(const AffineKernel& kernel, std::int64_t channels, int turn) {
  const int rows = 1 + turn % 3, parts = 1 + turn % 2;
  const std::int64_t gap = turn % 5;
  const auto elements = static_cast<std::size_t>(rows * (channels + gap));
  Buffer<In> src(elements, 1);
  Buffer<float> factor(static_cast<std::size_t>(channels), 2);
  Buffer<float> addend(static_cast<std::size_t>(channels), 3);
  Buffer<std::uint8_t> table(256, 4);
  Buffer<Out> expected(elements, 5), actual(elements, 5);
  AffineArgs args;
  args.rows = rows;
  args.channels = channels;
  args.input = std::is_same_v<In, float> ? Output::f32 : Output::u8;
  args.src = src.data();
  args.src_pitch = channels + gap;
  args.src_zero_point = turn % 256;
  args.factor = factor.data();
  args.addend = addend.data();
  args.dst_pitch = channels + gap;
  args.epilogue.output = std::is_same_v<Out, float> ? Output::f32 : Output::u8;
  args.epilogue.zero_point = turn * 7 % 256;
  args.epilogue.table = turn % 3 == 0 ? table.data() : nullptr;
  args.dst = expected.data();
  affine_kernels().back().run(args, {});
  args.dst = actual.data();
  run_in_parts(kernel, args, parts);
  ASSERT_EQ(first_difference(expected, actual), equal)
      << kernel.name << " channels " << channels << " rows " << rows << " parts " << parts;
}

TEST(Affine, EveryKernelEqualsReference) {
  int turn = 0;
  for (const AffineKernel& kernel : runnable(affine_kernels())) {
    for (std::int64_t channels = 1; channels <= 200; ++channels) {
      check<std::uint8_t, std::uint8_t>(kernel, channels, ++turn);
      check<std::uint8_t, float>(kernel, channels, turn);
      check<float, std::uint8_t>(kernel, channels, turn);
      check<float, float>(kernel, channels, turn);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace intact::kernels
