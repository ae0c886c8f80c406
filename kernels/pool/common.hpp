// What pooling kernels of every instruction set share: what they refuse, the divisor of an average,
// its epilogue, and averages of words, which compilers vectorize. Plain header; internal linkage,
// because it is compiled into files with different instruction sets.
#pragma once

#include "kernels/epilogue_reference.hpp"
#include "kernels/pool/pool.hpp"
#include "kernels/pool/window.hpp"

namespace intact::kernels {
namespace {

[[maybe_unused]] const char* refuses_max(const ConvShape&) {
  return nullptr;
}

[[maybe_unused]] const char* refuses_average(const ConvShape& shape) {
  return shape.taps() < kMaxAverageWindow ? nullptr : "window of 2^23 positions or more";
}

/// Taps of one axis that lie inside the image or its padding.
[[maybe_unused]] long padded_count(const ConvShape& shape, const PoolArgs& args, int axis,
                                   const AxisWindow& window) {
  const long room = shape.in[axis] + args.pad_end[axis] - window.start;
  const long count = room > 0 ? taps_across(room, shape.dilation[axis]) : 0;
  return count < shape.kernel[axis] ? count : shape.kernel[axis];
}

/// ratio / divisor of one window.
[[maybe_unused]] float average_multiplier(const ConvShape& shape, const PoolArgs& args,
                                          const Window& window) {
  long divisor = args.divisor == Divisor::inside ? window.count() : 1;
  if (args.divisor == Divisor::padded) {
    for (int axis = 0; axis < 3; ++axis)
      divisor *= padded_count(shape, args, axis, window.axis[axis]);
  }
  return args.ratio / static_cast<float>(divisor > 0 ? divisor : 1);
}

/// Calls body(first, step, count) for every image row under the window: `count` pixels `step`
/// elements apart.
template <class Integer, class Body>
[[gnu::always_inline]] inline void for_window_rows(const ConvShape& shape, const PoolArgs& args,
                                                   const Window& window, Body body) {
  const AxisWindow(&axis)[3] = window.axis;
  if (window.count() == 0) return;
  const auto* const src = static_cast<const Integer*>(args.src);
  const std::ptrdiff_t step = shape.dilation[2] * args.src_pitch;
  for (long kd = axis[0].begin; kd < axis[0].end; ++kd)
    for (long kh = axis[1].begin; kh < axis[1].end; ++kh)
      body(src + input_pixel(shape, window, kd, kh, axis[2].begin) * args.src_pitch, step,
           axis[2].count());
}

[[maybe_unused]] Epilogue average_epilogue(const PoolArgs& args) {
  Epilogue epilogue;
  epilogue.output = args.output;
  epilogue.zero_point = args.zero_point;
  epilogue.lower = args.lower;
  epilogue.upper = args.upper;
  epilogue.table = args.table;
  return epilogue;
}

/// Of u16 to f32, a few channels at a time.
[[maybe_unused]] void average_words(const ConvShape& shape, const PoolArgs& args, Part part) {
  constexpr long width = 32;
  const long channels = shape.in_channels, chunks = (channels + width - 1) / width;
  for_rows_and_chunks(out_rows(shape), chunks, part, [&](long row, long first, long last) {
    Window window = row_window(shape, row);
    for (long x = 0; x < shape.out[2]; ++x) {
      window.axis[2] = axis_window(shape, 2, x);
      const float multiplier = average_multiplier(shape, args, window);
      const auto start = static_cast<std::int32_t>(-args.src_zero_point * window.count());
      float* const dst = static_cast<float*>(args.dst) + (row * shape.out[2] + x) * args.dst_pitch;
      for (long channel = first * width; channel < last * width; channel += width) {
        const long left = channels - channel, count = left < width ? left : width;
        std::int32_t sums[width];
        for (std::int32_t& sum : sums) sum = start;
        const auto add = [&](long columns) __attribute__((always_inline)) {
          for_window_rows<std::uint16_t>(
              shape, args, window, [&](const std::uint16_t* p, std::ptrdiff_t step, long pixels) {
                p += channel;
                for (long i = 0; i < pixels; ++i, p += step)
                  for (long c = 0; c < columns; ++c) sums[c] += p[c];
              });
        };
        if (count == width)
          add(width);
        else
          add(count);
        for (long c = 0; c < count; ++c)
          dst[channel + c] = scale_accumulator(sums[c], multiplier, no_float_bias);
      }
    }
  });
}

}  // namespace
}  // namespace intact::kernels
