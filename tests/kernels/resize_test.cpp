// Resize kernels: every kernel gives the bits of the reference, the reference a few numbers worked
// out by hand, and byte forms those of dequantize, float form, quantize.
#include "kernels/resize/resize.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "buffers.hpp"
#include "kernels/quantize/quantize.hpp"

namespace intact::kernels {
namespace {

/// Taps of an axis, at random but for their number.
struct Axis {
  std::vector<std::int32_t> index;
  std::vector<float> weight;
  std::vector<std::uint8_t> outside;
  ResizeTaps taps;

  Axis(std::int64_t in, std::int64_t out, std::int64_t count, bool crops, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> weights(-0.5f, 1.5f);
    for (std::int64_t i = 0; i < out * count; ++i) {
      index.push_back(static_cast<std::int32_t>(random() % static_cast<unsigned>(in)));
      weight.push_back(weights(random));
    }
    for (std::int64_t i = 0; i < out; ++i) outside.push_back(random() % 4 == 0);
    taps = {in, out, count, index.data(), weight.data(), crops ? outside.data() : nullptr};
  }
  Axis(const Axis&) = delete;
};

struct Sizes {
  std::int64_t batch, channels;
  std::int64_t in[3], out[3], taps[3];
  bool crops;
};

constexpr Sizes sizes[] = {
    {1, 1, {1, 1, 5}, {1, 1, 9}, {1, 1, 2}, false},
    {2, 3, {1, 4, 5}, {1, 7, 3}, {1, 2, 2}, false},
    {1, 7, {1, 3, 4}, {1, 6, 8}, {1, 4, 4}, false},
    {1, 16, {1, 5, 3}, {1, 4, 6}, {1, 2, 1}, false},
    {2, 17, {2, 3, 4}, {3, 5, 2}, {2, 2, 2}, false},
    {1, 33, {3, 2, 2}, {2, 3, 5}, {4, 1, 6}, true},
    {3, 64, {1, 2, 3}, {1, 3, 2}, {1, 1, 1}, true},
    {1, 100, {1, 6, 1}, {1, 3, 1}, {1, 10, 1}, false},
};

struct Problem {
  const Sizes size;
  Axis depth, height, width;
  Buffer<std::uint8_t> bytes;
  Buffer<std::uint16_t> words;
  Buffer<float> floats;
  std::vector<float> scratch;
  ResizeArgs args;

  Problem(const Sizes& s, Element input, Element output, std::int64_t gap)
      : size(s),
        depth(s.in[0], s.out[0], s.taps[0], s.crops, 1),
        height(s.in[1], s.out[1], s.taps[1], s.crops, 2),
        width(s.in[2], s.out[2], s.taps[2], s.crops, 3),
        bytes(elements(s.in, gap), 4),
        words(elements(s.in, gap), 4),
        floats(elements(s.in, gap), 5),
        scratch(static_cast<std::size_t>(resize_scratch(s.in[2], s.channels))) {
    args.batch = s.batch;
    args.channels = s.channels;
    args.axis[0] = depth.taps;
    args.axis[1] = height.taps;
    args.axis[2] = width.taps;
    args.input = input;
    args.src = floats.data();
    if (input == Element::u8) args.src = bytes.data();
    if (input == Element::u16) args.src = words.data();
    args.src_pitch = s.channels + gap;
    args.src_scale = input == Element::u16 ? 0.037f / 256 : 0.037f;
    args.src_zero_point = input == Element::u16 ? 121 * 256 : 121;
    args.output = output;
    args.dst_pitch = s.channels + gap;
    args.dst_scale = output == Element::u16 ? 0.043f / 256 : 0.043f;
    args.dst_zero_point = output == Element::u16 ? 117 * 256 : 117;
    args.extrapolation = 1.25f;
    args.scratch = scratch.data();
  }
  std::size_t elements(const std::int64_t (&extents)[3], std::int64_t gap) const {
    return static_cast<std::size_t>(size.batch * extents[0] * extents[1] * extents[2] *
                                    (size.channels + gap));
  }
};

template <class Element>
Buffer<Element> result(const ResizeKernel& kernel, const Problem& problem, int parts) {
  Buffer<Element> dst(
      problem.elements(problem.size.out, problem.args.dst_pitch - problem.args.channels), 9);
  ResizeArgs args = problem.args;
  args.dst = dst.data();
  run_in_parts(kernel, args, parts);
  return dst;
}

template <class Element>
void compare(const Problem& problem) {
  const Buffer<Element> expected = result<Element>(resize_kernels().back(), problem, 1);
  for (const ResizeKernel& kernel : runnable(resize_kernels()))
    for (const int parts : {1, 3})
      ASSERT_EQ(first_difference(result<Element>(kernel, problem, parts), expected), equal)
          << kernel.name << ", channels " << problem.args.channels << ", parts " << parts;
}

TEST(Resize, EqualsTheReference) {
  for (const Sizes& size : sizes)
    for (const Element input : {Element::u8, Element::u16, Element::f32})
      for (const std::int64_t gap : {0, 5}) {
        compare<std::uint8_t>(Problem(size, input, Element::u8, gap));
        compare<std::uint16_t>(Problem(size, input, Element::u16, gap));
        compare<float>(Problem(size, input, Element::f32, gap));
      }
}

TEST(Resize, EqualsTheReferenceOnInfinitiesAndNan) {
  for (const float special : {std::numeric_limits<float>::infinity(), std::nanf(""), -3e38f})
    for (const Element output : {Element::u8, Element::f32}) {
      Problem problem(sizes[2], Element::f32, output, 0);
      problem.floats.data()[11] = special;
      problem.floats.data()[40] = -special;
      if (output == Element::u8)
        compare<std::uint8_t>(problem);
      else
        compare<float>(problem);
    }
}

TEST(Resize, BytesEqualDequantizeFloatQuantize) {
  for (const Sizes& size : sizes) {
    Problem problem(size, Element::u8, Element::u8, 0);
    Buffer<std::uint8_t> direct = result<std::uint8_t>(resize_kernels().back(), problem, 1);
    Problem real(size, Element::f32, Element::f32, 0);
    for (std::size_t i = 0; i < real.elements(size.in, 0); ++i)
      real.floats.data()[i] = static_cast<float>(problem.bytes.data()[i] - 121) * 0.037f;
    Buffer<float> floats = result<float>(resize_kernels().back(), real, 1);
    const auto count = static_cast<std::int64_t>(real.elements(size.out, 0));
    Buffer<std::uint8_t> rounded(static_cast<std::size_t>(count), 9);
    QuantizeArgs quantize;
    quantize.channels = count;
    quantize.pixels = 1;
    quantize.src = floats.data();
    quantize.src_strides[1] = 1;
    quantize.scale = 0.043f;
    quantize.zero_point = 117;
    quantize.upper = 255;
    quantize.dst = rounded.data();
    quantize.dst_pitch = count;
    quantize_kernels().back().run(quantize, {});
    ASSERT_EQ(first_difference(direct, rounded), equal) << "channels " << size.channels;
  }
}

TEST(Resize, ReferenceByHand) {
  // Two pixels 1 and 5 of one line: the middle, a copy of the second, and one outside.
  const std::int32_t index[] = {0, 1, 1, 1, 0, 0}, only[] = {0};
  const float weight[] = {0.25f, 0.75f, 0.5f, 0.5f, 1, 0}, x[] = {1, 5};
  const std::uint8_t outside[] = {0, 0, 1};
  float y[3] = {};
  float scratch[32];
  ResizeArgs args;
  args.axis[0] = args.axis[1] = {1, 1, 1, only, nullptr, nullptr};
  args.axis[2] = {2, 3, 2, index, weight, outside};
  args.input = args.output = Element::f32;
  args.src = x;
  args.dst = y;
  args.src_pitch = args.dst_pitch = 1;
  args.extrapolation = -7;
  args.scratch = scratch;
  resize_kernels().back().run(args, {});
  EXPECT_EQ(y[0], 4.0f);
  EXPECT_EQ(y[1], 5.0f);
  EXPECT_EQ(y[2], -7.0f);
}

}  // namespace
}  // namespace intact::kernels
