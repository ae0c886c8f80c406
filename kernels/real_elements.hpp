// Reading elements as reals and writing reals as elements, over the lane types of whichever
// lanes_*.hpp was included before: floats as they are; bytes through FromBytes, float(q - zero
// point) * scale, and Round, half_even(y / scale) + zero point. For kernels whose arithmetic is
// float in registers. Internal linkage.
#pragma once

#include "kernels/elementwise/functions.hpp"

namespace intact::kernels {
namespace {

/// One element per lane, or the first `count` of them.
struct RealSource {
  bool bytes;
  Ints zero_point;
  Floats scale;

  [[gnu::always_inline]] Floats load_at(const void* data, std::ptrdiff_t at, int count) const {
    Floats x;
    if (bytes)
      x = to_floats(widen_first(static_cast<const std::uint8_t*>(data) + at, count) - zero_point) *
          scale;
    else
      load_first(x, static_cast<const float*>(data) + at, count);
    return x;
  }
};
[[gnu::always_inline]] inline RealSource real_source(Output type, float scale,
                                                     std::int32_t zero_point) {
  return {type == Output::u8, integer_constant(zero_point), constant(scale)};
}

/// NaN becomes the byte 0.
struct RealSink {
  bool bytes;
  std::int32_t zero_point;
  Floats scale, lowest, greatest;

  [[gnu::always_inline]] void store_at(void* data, std::ptrdiff_t at, Floats y, int count) const {
    if (bytes) {
      // The bounds are integers, so clamping may come before rounding, where it cannot overflow.
      const Ints q = round(minimum(maximum(y / scale, lowest), greatest));
      store_first(static_cast<std::uint8_t*>(data) + at, narrow(q, zero_point), count);
    } else {
      store_first(static_cast<float*>(data) + at, y, count);
    }
  }
};
[[gnu::always_inline]] inline RealSink real_sink(Output type, float scale,
                                                 std::int32_t zero_point) {
  return {type == Output::u8, zero_point, constant(scale),
          constant(static_cast<float>(-zero_point)),
          constant(static_cast<float>(255 - zero_point))};
}

[[gnu::always_inline]] inline int lanes_left(std::int64_t count) {
  return count < Floats::size ? static_cast<int>(count) : Floats::size;
}

}  // namespace
}  // namespace intact::kernels
