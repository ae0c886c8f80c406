// Reading elements as reals and writing reals as elements, over the lane types of whichever
// lanes_*.hpp was included before: floats as they are; integers of 8 and 16 bits through FromBytes,
// float(q - zero point) * scale, and Round, half_even(y / scale) + zero point. For kernels whose
// arithmetic is float in registers. Internal linkage.
#pragma once

#include "kernels/element.hpp"
#include "kernels/elementwise/functions.hpp"

namespace intact::kernels {
namespace {

/// One element per lane, or the first `count` of them.
struct RealSource {
  Element type;
  Ints zero_point;
  Floats scale;

  [[gnu::always_inline]] Floats load_at(const void* data, std::ptrdiff_t at, int count) const {
    Floats x;
    if (type == Element::f32) {
      load_first(x, static_cast<const float*>(data) + at, count);
      return x;
    }
    const Ints q = type == Element::u8
                       ? widen_first(static_cast<const std::uint8_t*>(data) + at, count)
                       : widen_first(static_cast<const std::uint16_t*>(data) + at, count);
    return to_floats(q - zero_point) * scale;
  }
};
[[gnu::always_inline]] inline RealSource real_source(Element type, float scale,
                                                     std::int32_t zero_point) {
  return {type, integer_constant(zero_point), constant(scale)};
}

/// NaN becomes the integer 0.
struct RealSink {
  Element type;
  std::int32_t zero_point;
  Floats scale, lowest, greatest;

  [[gnu::always_inline]] void store_at(void* data, std::ptrdiff_t at, Floats y, int count) const {
    if (type == Element::f32) return store_first(static_cast<float*>(data) + at, y, count);
    // The bounds are integers, so clamping may come before rounding, where it cannot overflow.
    const Ints q = round(minimum(maximum(y / scale, lowest), greatest));
    if (type == Element::u8)
      store_first(static_cast<std::uint8_t*>(data) + at, narrow(q, zero_point), count);
    else
      store_first(static_cast<std::uint16_t*>(data) + at, q + integer_constant(zero_point), count);
  }
};
[[gnu::always_inline]] inline RealSink real_sink(Element type, float scale,
                                                 std::int32_t zero_point) {
  return {type, zero_point, constant(scale), constant(static_cast<float>(-zero_point)),
          constant(static_cast<float>(greatest_of(type) - zero_point))};
}

[[gnu::always_inline]] inline int lanes_left(std::int64_t count) {
  return count < Floats::size ? static_cast<int>(count) : Floats::size;
}

}  // namespace
}  // namespace intact::kernels
