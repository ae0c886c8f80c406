// Interpolation, written once over the lane types of whichever lanes_*.hpp was included before this
// file. An output row is one line of the input's width, joined from input rows over depth and
// height, then picked from along the width.
#pragma once

#include "kernels/real_elements.hpp"
#include "kernels/resize/resize.hpp"

namespace intact::kernels {
namespace {

[[gnu::always_inline]] inline bool is_outside(const ResizeTaps& axis, std::int64_t i) {
  return axis.outside != nullptr && axis.outside[i] != 0;
}

/// Calls body(i, count) for vectors of [0, length).
template <class Body>
[[gnu::always_inline]] inline void for_lanes(std::int64_t length, const Body& body) {
  for (std::int64_t i = 0; i < length; i += Floats::size) body(i, lanes_left(length - i));
}

/// What a tap does to the line of sums: the only one is the line, the first one is scaled, the
/// others are added.
enum class Tap { only, first, other };
[[gnu::always_inline]] inline void add_tap(Tap tap, Floats x, Floats weight, float* sums,
                                           int count) {
  Floats so_far;
  if (tap == Tap::other) {
    load_first(so_far, sums, count);
    x = fma(weight, x, so_far);
  } else if (tap == Tap::first) {
    x = x * weight;
  }
  store_first(sums, x, count);
}
[[gnu::always_inline]] inline Tap tap_of(const ResizeTaps& axis, std::int64_t k) {
  return axis.taps == 1 ? Tap::only : k == 0 ? Tap::first : Tap::other;
}

/// Adds one row of the input to `line`.
void add_row(const ResizeArgs& args, const RealSource& source, std::int64_t row, Tap tap,
             float weight, float* line) {
  const std::int64_t width = args.axis[2].in;
  const Floats w = constant(weight);
  const bool dense = args.src_pitch == args.channels;
  const std::int64_t runs = dense ? 1 : width,
                     length = dense ? width * args.channels : args.channels;
  for (std::int64_t run = 0; run < runs; ++run) {
    const std::ptrdiff_t at = (row * width + run) * args.src_pitch;
    float* sums = line + run * args.channels;
    for_lanes(length, [&](std::int64_t i, int count) {
      add_tap(tap, source.load_at(args.src, at + i, count), w, sums + i, count);
    });
  }
}

/// The line of output row (od, oh) of an image, over depth and height.
void join_rows(const ResizeArgs& args, const RealSource& source, std::int64_t image,
               std::int64_t od, std::int64_t oh, float* line, float* inner) {
  const auto& [depth, height, width] = args.axis;
  const std::int64_t length = width.in * args.channels;
  for (std::int64_t h = 0; h < height.taps; ++h) {
    const std::int64_t at_h = oh * height.taps + h;
    const Tap tap = tap_of(height, h);
    const float weight = tap == Tap::only ? 1.0f : height.weight[at_h];
    if (depth.taps == 1) {
      const std::int64_t row =
          (image * depth.in + depth.index[od]) * height.in + height.index[at_h];
      add_row(args, source, row, tap, weight, line);
      continue;
    }
    for (std::int64_t d = 0; d < depth.taps; ++d) {
      const std::int64_t at_d = od * depth.taps + d;
      const std::int64_t row =
          (image * depth.in + depth.index[at_d]) * height.in + height.index[at_h];
      add_row(args, source, row, tap_of(depth, d), depth.weight[at_d], inner);
    }
    const Floats w = constant(weight);
    for_lanes(length, [&](std::int64_t i, int count) {
      Floats x;
      load_first(x, inner + i, count);
      add_tap(tap, x, w, line + i, count);
    });
  }
}

/// Element pixels from the line of sums.
void pick_pixels(const ResizeArgs& args, const RealSink& sink, std::int64_t row, bool extrapolated,
                 const float* line) {
  const ResizeTaps& width = args.axis[2];
  const Floats extrapolation = constant(args.extrapolation);
  for (std::int64_t ow = 0; ow < width.out; ++ow) {
    const std::ptrdiff_t at = ((row - args.first_row) * width.out + ow) * args.dst_pitch;
    const std::int64_t first = ow * width.taps;
    const bool outside = extrapolated || is_outside(width, ow);
    for_lanes(args.channels, [&](std::int64_t c, int count) {
      Floats y = extrapolation;
      if (!outside) {
        load_first(y, line + width.index[first] * args.channels + c, count);
        if (width.taps > 1) y = y * constant(width.weight[first]);
        for (std::int64_t k = first + 1; k < first + width.taps; ++k) {
          Floats x;
          load_first(x, line + width.index[k] * args.channels + c, count);
          y = fma(constant(width.weight[k]), x, y);
        }
      }
      sink.store_at(args.dst, at + c, y, count);
    });
  }
}

void all_rows(const ResizeArgs& args, std::int64_t begin, std::int64_t end) {
  const auto& [depth, height, width] = args.axis;
  const RealSource source = real_source(args.input, args.src_scale, args.src_zero_point);
  const RealSink sink = real_sink(args.output, args.dst_scale, args.dst_zero_point);
  float* line = args.scratch;
  float* inner = args.scratch + resize_scratch(width.in, args.channels) / 2;
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t oh = row % height.out, od = row / height.out % depth.out;
    const bool outside = is_outside(depth, od) || is_outside(height, oh);
    if (!outside) join_rows(args, source, row / height.out / depth.out, od, oh, line, inner);
    pick_pixels(args, sink, row, outside, line);
  }
}

}  // namespace
}  // namespace intact::kernels
