#include "tests/kernels/conv_problem.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <random>

#include "intact/cpu.hpp"

namespace intact::kernels {
namespace {

constexpr std::size_t guard_bytes = 128;
constexpr std::uint8_t guard = 0xa5;

}  // namespace

void set_output(ConvShape& shape, std::array<std::int64_t, 3> pad) {
  shape.pad_begin = pad;
  for (int d = 0; d < 3; ++d)
    shape.out[d] = (shape.in[d] + 2 * pad[d] - (shape.kernel[d] - 1) * shape.dilation[d] - 1) /
                       shape.stride[d] +
                   1;
}

ConvProblem::ConvProblem(const ConvShape& shape, const ConvOptions& options, unsigned seed)
    : shape_(shape), options_(options) {
  const auto outputs = static_cast<std::size_t>(shape.out_channels);
  src_.resize(static_cast<std::size_t>(shape.in_pixels() * (shape.in_channels + options.src_gap)) +
              64);
  weights_.resize(outputs * static_cast<std::size_t>(shape.taps() * shape.group_in_channels()));
  residual_.resize(static_cast<std::size_t>(shape.out_pixels()) * outputs);
  table_.resize(256);
  bias_.resize(outputs);
  zero_points_.resize(outputs);
  multiplier_.resize(outputs);
  float_bias_.resize(outputs);
  fill_inputs(seed);
}

void ConvProblem::fill_inputs(unsigned seed) {
  std::mt19937 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (std::size_t i = 0; i < src_.size(); ++i) {
    if (options_.fill == Fill::extreme)
      src_[i] = below(2) ? 255 : 0;
    else if (options_.fill == Fill::alternating || options_.fill == Fill::same_sign)
      src_[i] = 255;
    else
      src_[i] = static_cast<std::uint8_t>(below(256));
  }
  const std::size_t outputs = bias_.size();
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    // Panels of many large weights, and panels of few: kernels multiply them in different ways.
    const std::size_t panel = i * outputs / weights_.size() / 16;
    int w = below(256) - 128;
    if ((panel + seed) % 2 == 0 && below(12) > 0) w /= 5;
    if (options_.fill == Fill::small) w = below(129) - 64;
    if (options_.fill == Fill::extreme) w = below(2) ? 127 : -128;
    if (options_.fill == Fill::same_sign) w = i * outputs / weights_.size() % 2 ? 127 : -128;
    if (options_.fill == Fill::alternating) w = i / 2 % 2 ? 127 : -128;
    weights_[i] = static_cast<std::int8_t>(w);
  }
  for (auto* bytes : {&residual_, &table_})
    for (std::uint8_t& value : *bytes) value = static_cast<std::uint8_t>(below(256));
  const double k = static_cast<double>(shape_.taps() * shape_.group_in_channels());
  for (std::size_t c = 0; c < bias_.size(); ++c) {
    bias_[c] = below(20001) - 10000;
    zero_points_[c] = options_.fill == Fill::extreme ? (below(2) ? 127 : -128) : below(256) - 128;
    // Accumulators have a deviation of about 75 * 75 * sqrt(K): spread results over the bytes.
    multiplier_[c] = static_cast<float>((0.5 + below(1000) / 1000.0) * 60 / (5600 * std::sqrt(k)));
    float_bias_[c] = static_cast<float>(below(2001) - 1000) / 37.0F;
  }
}

ConvWeights ConvProblem::weights() const {
  ConvWeights w;
  w.data = weights_.data();
  w.bias = options_.bias ? bias_.data() : nullptr;
  w.multiplier = multiplier_.data();
  w.float_bias = options_.float_bias ? float_bias_.data() : nullptr;
  w.zero_point = options_.weight_zero_points ? zero_points_.data() : nullptr;
  w.src_zero_point = options_.packed_zero_point.value_or(options_.src_zero_point);
  return w;
}

namespace {

/// Writes tiles where a kernel without a stage writes floats, each element once.
struct CopyTiles : TileStage {
  std::uint8_t* out = nullptr;
  std::ptrdiff_t pitch = 0;
  mutable std::vector<int> times;

  CopyTiles(std::uint8_t* to, std::ptrdiff_t row, std::int64_t pixels)
      : out(to), pitch(row), times(static_cast<std::size_t>(pixels * row)) {
    run = [](const TileStage& self, const Tile& tile) {
      static_cast<const CopyTiles&>(self).take(tile);
    };
  }
  void take(const Tile& tile) const {
    EXPECT_GT(tile.rows * tile.columns, 0);
    EXPECT_LE(tile.rows * tile.columns, most_elements);
    for (std::int64_t r = 0; r < tile.rows; ++r)
      for (std::int64_t c = 0; c < tile.columns; ++c) {
        const std::ptrdiff_t at = (tile.pixel + r) * pitch + tile.channel + c;
        std::memcpy(out + 4 * at, tile.data + r * tile.pitch + c, 4);
        EXPECT_EQ(++times[static_cast<std::size_t>(at)], 1);
        tile.data[r * tile.pitch + c] = -1;  // a stage may write over it
      }
  }
};

}  // namespace

std::vector<std::uint8_t> ConvProblem::run(const ConvKernel& kernel, int parts) const {
  const bool floats = options_.fused == Fused::floats || options_.fused == Fused::tiles ||
                      options_.fused == Fused::floats_apart;
  const std::size_t element = floats ? 4 : 1;
  const std::ptrdiff_t pitch = shape_.out_channels + options_.dst_gap;
  std::vector<std::uint8_t> dst(
      static_cast<std::size_t>(shape_.out_pixels() * pitch) * element + 2 * guard_bytes, guard);
  std::uint8_t* const out = dst.data() + guard_bytes;

  const Fused fused = options_.fused;
  ConvArgs args;
  Residual residual;
  args.epilogue.zero_point = 121;
  args.epilogue.float_lower = -50;
  args.epilogue.float_upper = 45.5F;
  if (floats) args.epilogue.output = Output::f32;
  const CopyTiles stage(out, pitch, shape_.out_pixels());
  if (fused == Fused::tiles) args.epilogue.tiles = &stage;
  args.epilogue.bias_apart = fused == Fused::floats_apart;
  if (fused == Fused::range) {
    args.epilogue.output = Output::range;
    args.epilogue.float_lower = -1e6F;
  }
  if (fused == Fused::quotient) {
    args.epilogue.output = Output::quotient;
    args.epilogue.scale = 0.37F;
  }
  if (fused == Fused::clamp || fused == Fused::rounded) {
    args.epilogue.lower = 90;
    args.epilogue.upper = 200;
  }
  if (fused == Fused::table || fused == Fused::rounded_table) args.epilogue.table = table_.data();
  if (fused == Fused::rounded || fused == Fused::rounded_table || fused == Fused::in_place ||
      fused == Fused::rounded_late) {
    residual = {residual_.data(), shape_.out_channels, 77, 0.83F, 121, 0.61F, 130, 20, 241};
    if (fused == Fused::in_place) {
      residual.data = out;
      residual.pitch = pitch;
      for (std::int64_t p = 0; p < shape_.out_pixels(); ++p)
        std::copy_n(residual_.data() + p * shape_.out_channels, shape_.out_channels,
                    out + p * pitch);
    }
    residual.inner_rounding = fused != Fused::rounded_late;
    args.epilogue.residual = &residual;
  }

  // Packed weights serve all sizes of images.
  ConvShape other = shape_;
  for (auto* extents : {&other.in, &other.out})
    for (std::int64_t& extent : *extents) extent += 3;
  ++other.batch;
  EXPECT_EQ(kernel.packed_bytes(other), kernel.packed_bytes(shape_)) << kernel.name;
  const AlignedBytes packed(kernel.packed_bytes(shape_));
  kernel.pack(other, weights(), packed.data);
  args.src = src_.data();
  args.src_pitch = shape_.in_channels + options_.src_gap;
  args.weights = packed.data;
  if (options_.packed_zero_point) args.src_zero_point = &options_.src_zero_point;
  if (options_.src_scale != 1) args.src_scale = &options_.src_scale;
  const bool writes = fused != Fused::tiles && fused != Fused::range;
  args.dst = writes ? out : nullptr;
  args.dst_pitch = fused == Fused::range ? 0 : pitch;
  ValueRange joined;
  for (int index = 0; index < parts; ++index) {
    const AlignedBytes scratch(kernel.scratch_bytes(shape_));
    args.scratch = scratch.data;
    ValueRange range;
    args.epilogue.range = &range;
    kernel.run(shape_, args, {index, parts});
    joined = {std::min(joined.low, range.low), std::max(joined.high, range.high)};
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&joined);
  const bool found = fused == Fused::floats_apart || fused == Fused::range;
  if (found) dst.insert(dst.end(), bytes, bytes + sizeof joined);
  return dst;
}

std::string ConvProblem::describe() const {
  const ConvShape& s = shape_;
  const auto three = [](const std::array<std::int64_t, 3>& v) {
    return fmt::format("{}x{}x{}", v[0], v[1], v[2]);
  };
  return fmt::format(
      "batch {} in {} x{} out {} x{} kernel {} stride {} dilation {} pad {} groups {}; fill {} "
      "fused {} bias {} float_bias {} weight_zero_points {} gaps {} {} zero point {} packed {}",
      s.batch, three(s.in), s.in_channels, three(s.out), s.out_channels, three(s.kernel),
      three(s.stride), three(s.dilation), three(s.pad_begin), s.groups,
      static_cast<int>(options_.fill), static_cast<int>(options_.fused), options_.bias,
      options_.float_bias, options_.weight_zero_points, options_.src_gap, options_.dst_gap,
      options_.src_zero_point, options_.packed_zero_point.value_or(options_.src_zero_point));
}

bool matches_reference(std::span<const ConvKernel> kernels, const ConvProblem& problem) {
  const std::vector<std::uint8_t> expected = problem.run(kernels.back(), 1);
  for (const ConvKernel& kernel : kernels) {
    if (!cpu_supports(kernel.isa) || problem.refusal(kernel) != nullptr) continue;
    for (int parts = 1; parts <= 3; ++parts) {
      const std::vector<std::uint8_t> actual = problem.run(kernel, parts);
      if (actual == expected) continue;
      const auto at = std::mismatch(expected.begin(), expected.end(), actual.begin());
      ADD_FAILURE() << kernel.name << " differs from the reference with " << parts
                    << " parts, first at byte "
                    << at.first - expected.begin() - static_cast<std::ptrdiff_t>(guard_bytes)
                    << " of the destination: " << int{*at.second} << ", not " << int{*at.first}
                    << "\n  " << problem.describe();
      return false;
    }
  }
  return true;
}

}  // namespace intact::kernels
