// Depthwise convolution: the scalar reference against hand-computed values, every other kernel
// against the reference, bit for bit.
#include "kernels/depthwise/depthwise.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "intact/cpu.hpp"

namespace intact::kernels {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct FreeDeleter {
  void operator()(void* p) const { std::free(p); }
};
using Aligned = std::unique_ptr<void, FreeDeleter>;

/// Rounded up to whole lines only, filled so that a kernel that relies on zeros fails.
Aligned aligned_block(std::size_t bytes) {
  const std::size_t rounded = (bytes + 63) / 64 * 64 + (bytes == 0 ? 64 : 0);
  void* p = std::aligned_alloc(64, rounded);
  std::memset(p, 0xa5, rounded);
  return Aligned(p);
}

const ConvKernel& reference() {
  return depthwise_kernels().back();
}

ConvShape make_shape(std::int64_t channels, std::array<std::int64_t, 3> in,
                     std::array<std::int64_t, 3> kernel,
                     std::array<std::int64_t, 3> stride = {1, 1, 1},
                     std::array<std::int64_t, 3> pad_begin = {0, 0, 0},
                     std::array<std::int64_t, 3> pad_end = {0, 0, 0},
                     std::array<std::int64_t, 3> dilation = {1, 1, 1}, std::int64_t batch = 1) {
  ConvShape shape;
  shape.batch = batch;
  shape.in = in;
  shape.kernel = kernel;
  shape.stride = stride;
  shape.dilation = dilation;
  shape.pad_begin = pad_begin;
  shape.in_channels = shape.out_channels = shape.groups = channels;
  for (int i = 0; i < 3; ++i) {
    const auto window = (kernel[i] - 1) * dilation[i] + 1;
    shape.out[i] = (in[i] + pad_begin[i] + pad_end[i] - window) / stride[i] + 1;
  }
  return shape;
}

enum class Values { random, extreme };
enum class Fused {
  none,
  clamp,
  table,
  residual,
  in_place,
  rounded_late,
  f32,
  f32_clamped,
  f32_apart,
  range,
  quotient
};

struct Options {
  Fused fused = Fused::none;
  Values values = Values::random;
  bool bias = true, float_bias = false, weight_zero_points = false;
  std::int32_t src_zero_point = 11;
  /// Packed for this zero point instead; src_zero_point is given to the run.
  std::optional<std::int32_t> packed_zero_point;
  float src_scale = 1;                    ///< given to the run unless it is 1
  std::int64_t src_gap = 0, dst_gap = 0;  ///< pitch minus channels
  int parts = 1;
};

/// Everything that a run needs, owned.
struct Problem {
  ConvShape shape;
  Options options;
  Bytes src, residual, table;
  std::vector<std::int8_t> weights;
  std::vector<std::int32_t> bias, zero_point;
  std::vector<float> multiplier, float_bias;
  std::ptrdiff_t src_pitch, dst_pitch;

  Problem(const ConvShape& s, const Options& o, unsigned seed) : shape(s), options(o) {
    std::mt19937 random(seed);
    const bool extreme = o.values == Values::extreme;
    const auto channels = s.in_channels;
    src_pitch = channels + o.src_gap;
    dst_pitch = channels + o.dst_gap;
    src.resize(s.in_pixels() * src_pitch + 64);
    for (auto& v : src) v = extreme ? (random() % 8 ? 255 : 0) : random();
    residual.resize(s.out_pixels() * dst_pitch);
    for (auto& v : residual) v = random();
    table.resize(256);
    for (auto& v : table) v = random();
    weights.resize(channels * s.taps());
    for (auto& v : weights) v = extreme ? (random() % 8 ? -128 : 127) : random();
    for (std::int64_t c = 0; c < channels; ++c) {
      bias.push_back(static_cast<int>(random() % 20001) - 10000);
      multiplier.push_back((1 + random() % 100 / 100.0f) / (200.0f * std::sqrt(s.taps())));
      float_bias.push_back(static_cast<float>(random() % 200) - 100.25f);
      zero_point.push_back(static_cast<int>(random() % 255) - 127);
    }
  }

  ConvWeights conv_weights() const {
    ConvWeights w;
    w.data = weights.data();
    if (options.bias) w.bias = bias.data();
    w.multiplier = multiplier.data();
    if (options.float_bias) w.float_bias = float_bias.data();
    if (options.weight_zero_points) w.zero_point = zero_point.data();
    w.src_zero_point = options.packed_zero_point.value_or(options.src_zero_point);
    return w;
  }

  std::size_t element() const { return f32() ? sizeof(float) : 1; }
  bool f32() const {
    return options.fused == Fused::f32 || options.fused == Fused::f32_clamped ||
           options.fused == Fused::f32_apart;
  }
  bool finds_range() const { return f32() || options.fused == Fused::range; }

  Epilogue epilogue(Residual& r, const std::uint8_t* dst) const {
    Epilogue e;
    e.zero_point = 117;
    r.data = options.fused == Fused::in_place ? dst : residual.data();
    r.pitch = dst_pitch;
    r.zero_point = 101;
    r.multiplier = 0.73f;
    r.inner_zero_point = 117;
    r.inner_multiplier = 1.37f;
    r.dst_zero_point = 99;
    r.dst_lower = 99;
    r.dst_upper = 250;
    switch (options.fused) {
      case Fused::none:
        break;
      case Fused::clamp:
        e.lower = 117, e.upper = 231;
        break;
      case Fused::table:
        e.lower = 3, e.table = table.data();
        break;
      case Fused::residual:
        e.table = table.data(), e.residual = &r;
        break;
      case Fused::in_place:
        e.residual = &r;
        break;
      case Fused::rounded_late:
        r.inner_rounding = false, e.residual = &r;
        break;
      case Fused::f32:
        e.output = Output::f32;
        break;
      case Fused::f32_clamped:
        e.output = Output::f32, e.float_lower = -1.5f, e.float_upper = 60.25f;
        break;
      case Fused::f32_apart:
        e.output = Output::f32, e.bias_apart = true;
        break;
      case Fused::range:
        e.output = Output::range, e.float_upper = 60.25f;
        break;
      case Fused::quotient:
        e.output = Output::quotient, e.scale = 0.61f, e.float_lower = -31.7f;
        break;
    }
    return e;
  }

  /// The whole destination with 64 canary bytes on either side, gaps included, and behind it the
  /// range where the epilogue finds it.
  Bytes run(const ConvKernel& kernel) const {
    const auto w = conv_weights();
    const Aligned packed = aligned_block(kernel.packed_bytes(shape));
    kernel.pack(shape, w, packed.get());
    const std::size_t size = shape.out_pixels() * dst_pitch * element();
    Bytes dst(size + 128, 0x5c);
    if (options.fused == Fused::in_place)
      std::copy(residual.begin(), residual.end(), dst.begin() + 64);
    ValueRange joined;
    for (int i = 0; i < options.parts; ++i) {
      const Aligned scratch = aligned_block(kernel.scratch_bytes(shape));
      Residual r;
      ConvArgs args;
      args.src = src.data();
      args.src_pitch = src_pitch;
      args.weights = packed.get();
      args.dst = options.fused == Fused::range ? nullptr : dst.data() + 64;
      args.dst_pitch = options.fused == Fused::range ? 0 : dst_pitch;
      args.scratch = scratch.get();
      args.epilogue = epilogue(r, dst.data() + 64);
      ValueRange range;
      args.epilogue.range = &range;
      if (options.packed_zero_point) args.src_zero_point = &options.src_zero_point;
      if (options.src_scale != 1) args.src_scale = &options.src_scale;
      kernel.run(shape, args, {i, options.parts});
      joined = {std::min(joined.low, range.low), std::max(joined.high, range.high)};
    }
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&joined);
    if (finds_range()) dst.insert(dst.end(), bytes, bytes + sizeof joined);
    return dst;
  }
};

/// Compares every kernel that accepts the problem with the reference.
void compare(const ConvShape& shape, const Options& options, unsigned seed) {
  const Problem problem(shape, options, seed);
  const Bytes expected = problem.run(reference());
  for (const auto& kernel : depthwise_kernels()) {
    if (!cpu_supports(kernel.isa) || kernel.refuses(shape, problem.conv_weights())) continue;
    const Bytes actual = problem.run(kernel);
    const auto at = std::mismatch(actual.begin(), actual.end(), expected.begin()).first;
    const long byte = at - actual.begin() - 64;
    const long pitch = problem.dst_pitch * problem.element();
    EXPECT_TRUE(at == actual.end())
        << kernel.name << " channels " << shape.in_channels << " pixel " << byte / pitch << " byte "
        << byte % pitch << " kernel " << shape.kernel[0] << "x" << shape.kernel[1] << "x"
        << shape.kernel[2] << " stride " << shape.stride[1] << " in " << shape.in[1] << "x"
        << shape.in[2] << " fused " << static_cast<int>(options.fused) << " parts " << options.parts
        << ": " << int{*at} << " instead of " << int{expected[at - actual.begin()]};
  }
}

constexpr Fused kFused[] = {Fused::none,     Fused::clamp,       Fused::table,
                            Fused::residual, Fused::in_place,    Fused::rounded_late,
                            Fused::f32,      Fused::f32_clamped, Fused::range,
                            Fused::quotient, Fused::f32_apart};

TEST(Depthwise, ReferenceMatchesHandComputation) {
  // One channel, 1x3 image, kernel 1x3, padding 1: a - 10 = {-10, 0, 20}.
  const ConvShape shape = make_shape(1, {1, 1, 3}, {1, 1, 3}, {1, 1, 1}, {0, 0, 1}, {0, 0, 1});
  const std::uint8_t src[3 + 64] = {0, 10, 30};
  const std::int8_t weights[3] = {1, -2, 3};
  const std::int32_t bias[1] = {7}, zero_point[1] = {-1};  // w - zero_point = {2, -1, 4}
  const float multiplier[1] = {0.25f};
  ConvWeights w;
  w.data = weights;
  w.bias = bias;
  w.multiplier = multiplier;
  w.zero_point = zero_point;
  w.src_zero_point = 10;
  const Aligned packed = aligned_block(reference().packed_bytes(shape));
  reference().pack(shape, w, packed.get());
  float floats[3];
  ConvArgs args;
  args.src = src;
  args.src_pitch = 1;
  args.weights = packed.get();
  args.dst = floats;
  args.dst_pitch = 1;
  args.epilogue.output = Output::f32;
  reference().run(shape, args, {});
  // 7 + 10 = 17; 7 - 20 + 80 = 67; 7 - 20 = -13; times 1/4.
  EXPECT_EQ(floats[0], 4.25f);
  EXPECT_EQ(floats[1], 16.75f);
  EXPECT_EQ(floats[2], -3.25f);
  std::uint8_t bytes[3];
  args.dst = bytes;
  args.epilogue = {};
  args.epilogue.zero_point = 2;
  reference().run(shape, args, {});
  EXPECT_EQ(bytes[0], 6);   // 4 + 2
  EXPECT_EQ(bytes[1], 19);  // 17 + 2
  EXPECT_EQ(bytes[2], 0);   // -3 + 2, saturated
}

TEST(Depthwise, ReferenceComesLastAndRefusesNothing) {
  EXPECT_EQ(reference().isa, Isa::scalar);
  EXPECT_EQ(reference().refuses(make_shape(3, {9, 9, 9}, {3, 2, 5}), {}), nullptr);
}

TEST(Depthwise, EveryChannelCount) {
  unsigned seed = 1;
  for (std::int64_t channels = 1; channels <= 130; ++channels)
    for (std::int64_t stride : {1, 2}) {
      const ConvShape shape =
          make_shape(channels, {1, 5, 6}, {1, 3, 3}, {1, stride, stride}, {0, 1, 1}, {0, 1, 1});
      Options options;
      options.fused = kFused[seed % std::size(kFused)];
      options.float_bias = seed % 3 == 0;
      options.dst_gap = seed % 4 * 5;
      options.src_gap = seed % 5 * 3;
      options.parts = 1 + seed % 3;
      compare(shape, options, ++seed);
      const ConvShape wide =
          make_shape(channels, {1, 6, 5}, {1, 5, 5}, {1, stride, stride}, {0, 2, 2}, {0, 2, 2});
      compare(wide, options, ++seed);
    }
}

TEST(Depthwise, EveryEpilogue) {
  unsigned seed = 1000;
  for (const Fused fused : kFused)
    for (std::int64_t channels : {8, 16, 24, 32, 48, 64, 96, 100, 144})
      for (std::int64_t stride : {1, 2})
        for (bool float_bias : {false, true}) {
          Options options;
          options.fused = fused;
          options.float_bias = float_bias;
          options.bias = !float_bias;
          options.dst_gap = channels == 96 ? 7 : 0;
          const ConvShape shape =
              make_shape(channels, {1, 7, 9}, {1, 3, 3}, {1, stride, stride}, {0, 1, 1}, {0, 1, 1});
          compare(shape, options, ++seed);
        }
}

TEST(Depthwise, EveryWindow) {
  unsigned seed = 2000;
  for (std::int64_t kh = 1; kh <= 7; ++kh)
    for (std::int64_t kw = 1; kw <= 7; ++kw)
      for (std::int64_t stride = 1; stride <= 3; ++stride)
        for (std::int64_t dilation = 1; dilation <= 2; ++dilation) {
          const ConvShape shape =
              make_shape(21, {1, 13, 14}, {1, kh, kw}, {1, stride, stride}, {0, kh / 2, kw / 2},
                         {0, kh / 2, (kw - 1) / 2}, {1, dilation, dilation});
          if (shape.out[1] < 1 || shape.out[2] < 1) continue;
          Options options;
          options.fused = kFused[seed % std::size(kFused)];
          options.parts = 1 + seed % 3;
          compare(shape, options, ++seed);
        }
}

TEST(Depthwise, AsymmetricPaddingAndTinyImages) {
  unsigned seed = 3000;
  for (std::int64_t height : {1, 2, 3, 4})
    for (std::int64_t width : {1, 2, 5})
      for (std::int64_t begin : {0, 1, 2, 4})
        for (std::int64_t end : {0, 1, 3})
          for (std::int64_t stride : {1, 2})
            for (std::int64_t kernel : {3, 5}) {
              if (std::min(height, width) + begin + end < kernel) continue;
              const ConvShape shape =
                  make_shape(40, {1, height, width}, {1, kernel, kernel}, {1, stride, stride},
                             {0, begin, end}, {0, end, begin});
              compare(shape, {}, ++seed);
            }
}

TEST(Depthwise, ExtremeValues) {
  unsigned seed = 4000;
  for (std::int64_t kernel : {3, 5, 7})
    for (std::int64_t stride : {1, 2})
      for (std::int32_t zero_point : {0, 128, 255})
        for (bool weight_zero_points : {false, true})
          for (const Fused fused : {Fused::none, Fused::f32}) {
            Options options;
            options.values = Values::extreme;
            options.src_zero_point = zero_point;
            options.weight_zero_points = weight_zero_points;
            options.fused = fused;
            const ConvShape shape =
                make_shape(80, {1, 8, 7}, {1, kernel, kernel}, {1, stride, stride},
                           {0, kernel / 2, kernel / 2}, {0, kernel / 2, kernel / 2});
            compare(shape, options, ++seed);
          }
}

/// The same bytes as with the zero point packed, whatever was packed instead.
TEST(Depthwise, GridKnownAtRunTime) {
  unsigned seed = 4500;
  for (std::int64_t kernel : {3, 4, 5, 7})
    for (std::int64_t channels : {16, 40, 130})
      for (bool weight_zero_points : {false, true})
        for (std::int32_t zero_point : {0, 77, 255}) {
          const ConvShape shape = make_shape(channels, {1, 8, 7}, {1, kernel, kernel}, {1, 1, 1},
                                             {0, kernel / 2, 1}, {0, kernel / 2, kernel / 2});
          Options options;
          options.fused = ++seed % 2 ? Fused::f32 : Fused::none;
          options.weight_zero_points = weight_zero_points;
          options.src_zero_point = zero_point;
          options.parts = 1 + seed % 3;
          const Bytes expected = Problem(shape, options, seed).run(reference());
          Options scaled = options;
          scaled.src_scale = 0.37f;
          EXPECT_NE(Problem(shape, scaled, seed).run(reference()), expected);
          compare(shape, scaled, seed);
          for (const std::int32_t packed : {0, 130}) {
            options.packed_zero_point = packed;
            EXPECT_EQ(Problem(shape, options, seed).run(reference()), expected);
            compare(shape, options, seed);
          }
        }
}

TEST(Depthwise, WeightZeroPointsAtTheEndsOfTheirRange) {
  // w - zero_point reaches -255 and 255: more than two signed bytes can add up to.
  for (std::int32_t zero_point : {-128, 127}) {
    const ConvShape shape = make_shape(70, {1, 6, 6}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1});
    Options options;
    options.values = Values::extreme;
    options.fused = Fused::f32;
    options.weight_zero_points = true;
    Problem problem(shape, options, 5000);
    std::fill(problem.zero_point.begin(), problem.zero_point.end(), zero_point);
    const Bytes expected = problem.run(reference());
    for (const auto& kernel : depthwise_kernels())
      if (cpu_supports(kernel.isa) && !kernel.refuses(shape, problem.conv_weights())) {
        EXPECT_EQ(problem.run(kernel), expected) << kernel.name;
      }
  }
}

TEST(Depthwise, BatchesPartsAndDepth) {
  unsigned seed = 6000;
  for (int parts = 1; parts <= 3; ++parts)
    for (std::int64_t channels : {16, 48, 130})
      for (std::int64_t batch : {2, 3}) {
        Options options;
        options.parts = parts;
        compare(make_shape(channels, {1, 7, 5}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1},
                           {1, 1, 1}, batch),
                options, ++seed);
        compare(make_shape(channels, {3, 5, 4}, {1, 3, 3}, {1, 2, 2}, {0, 1, 0}, {0, 1, 1},
                           {1, 1, 1}, batch),
                options, ++seed);
        compare(make_shape(channels, {4, 5, 4}, {3, 3, 3}, {2, 1, 1}, {1, 1, 1}, {1, 1, 1},
                           {1, 1, 2}, batch),
                options, ++seed);
        compare(make_shape(channels, {1, 1, 40}, {1, 1, 31}, {1, 1, 1}, {0, 0, 15}, {0, 0, 15},
                           {1, 1, 1}, batch),
                options, ++seed);
      }
}

TEST(Depthwise, EveryKernelAcceptsWhatItIsMadeFor) {
  for (const auto& kernel : depthwise_kernels()) {
    bool accepts = false;
    for (std::int64_t size : {3, 5}) {
      const ConvShape shape =
          make_shape(32, {1, 9, 9}, {1, size, size}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1});
      accepts |= kernel.refuses(shape, {}) == nullptr;
    }
    EXPECT_TRUE(accepts) << kernel.name;
  }
}

TEST(Depthwise, RowsLongerThanAStrip) {
  unsigned seed = 8000;
  for (std::int64_t width : {28, 29, 61})
    for (std::int64_t kernel : {5, 7})
      for (std::int64_t stride : {1, 2})
        for (std::int64_t channels : {16, 40, 64})
          compare(make_shape(channels, {1, 9, width}, {1, kernel, kernel}, {1, stride, stride},
                             {0, 2, 3}, {0, 3, 2}),
                  {}, ++seed);
  for (std::int64_t width : {79, 170, 200})
    for (std::int64_t kernel : {2, 3, 8})
      for (std::int64_t stride : {1, 2})
        compare(make_shape(40, {1, 5, width}, {1, kernel, kernel}, {1, stride, stride}, {0, 1, 1},
                           {0, 1, 1}),
                {}, ++seed);
  for (std::int64_t stride : {1, 2})  // whole strips of padding
    compare(make_shape(40, {1, 5, 7}, {1, 3, 3}, {1, stride, stride}, {0, 1, 300}, {0, 1, 300}), {},
            ++seed);
}

}  // namespace
}  // namespace intact::kernels
