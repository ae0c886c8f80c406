// Reductions of floats, written once over the lane types of whichever lanes_*.hpp was included
// before this file.
#pragma once

#include "kernels/lane_groups.hpp"
#include "kernels/reduce/implementations.hpp"

namespace intact::kernels {
namespace {

template <Reduction function>
[[gnu::always_inline]] inline Floats join(Floats so_far, Floats x) {
  if constexpr (function == Reduction::greatest)
    return select(is_nan(x), x, select(less(so_far, x), x, so_far));
  else if constexpr (function == Reduction::least)
    return select(is_nan(x), x, select(less(x, so_far), x, so_far));
  else
    return so_far + x;
}

template <Reduction function>
constexpr float nothing() {
  if (function == Reduction::greatest) return -__builtin_inff();
  if (function == Reduction::least) return __builtin_inff();
  return 0;
}

template <Reduction function>
[[gnu::always_inline]] inline Floats finished(Floats x, std::int64_t window) {
  if constexpr (function == Reduction::mean) return x / constant(static_cast<float>(window));
  return x;
}

template <Reduction function>
float reduce_row(const float* row, std::int64_t window) {
  Group group(nothing<function>());
  const auto take = [&](const float* from) {
    for (int k = 0; k < Group::registers; ++k) {
      Floats x;
      load(x, from + k * Floats::size);
      group.part[k] = join<function>(group.part[k], x);
    }
  };
  std::int64_t i = 0;
  for (; i + 16 <= window; i += 16) take(row + i);
  if (i < window) {
    float rest[16];
    for (int k = 0; k < 16; ++k) rest[k] = i + k < window ? row[i + k] : nothing<function>();
    take(rest);
  }
  return first(finished<function>(
      constant(combined(group, [](Floats a, Floats b) { return join<function>(a, b); })), window));
}

/// `registers` vectors of channels, the last of which has `last` lanes.
template <Reduction function, int registers>
void reduce_channels(const float* src, std::int64_t window, std::int64_t channels, float* dst,
                     int last) {
  Floats sums[registers];
  for (Floats& sum : sums) sum = constant(nothing<function>());
  for (std::int64_t i = 0; i < window; ++i, src += channels)
    for (int r = 0; r < registers; ++r) {
      Floats x;
      if (r + 1 == registers)
        load_first(x, src + r * Floats::size, last);
      else
        load(x, src + r * Floats::size);
      // One element and 0: the element itself, -0 included.
      sums[r] = i == 0 ? x : join<function>(sums[r], x);
    }
  for (int r = 0; r < registers; ++r) {
    const Floats y = finished<function>(sums[r], window);
    if (r + 1 == registers)
      store_first(dst + r * Floats::size, y, last);
    else
      store(dst + r * Floats::size, y);
  }
}

template <Reduction function>
void reduce_share(const ReduceArgs& args, const ReduceShare& share) {
  constexpr int wide = 8;
  for (std::int64_t image = share.begin; image < share.end; ++image) {
    const float* src = args.src + image * args.window * args.channels;
    float* dst = args.dst + image * args.channels;
    if (args.channels == 1) {
      *dst = reduce_row<function>(src, args.window);
      continue;
    }
    std::int64_t c = share.first;
    for (; c + wide * Floats::size <= share.last; c += wide * Floats::size)
      reduce_channels<function, wide>(src + c, args.window, args.channels, dst + c, Floats::size);
    for (; c < share.last; c += Floats::size) {
      const std::int64_t left = share.last - c;
      reduce_channels<function, 1>(src + c, args.window, args.channels, dst + c,
                                   left < Floats::size ? static_cast<int>(left) : Floats::size);
    }
  }
}

void reduce_all(const ReduceArgs& args, const ReduceShare& share) {
  switch (args.function) {
    case Reduction::sum:
      return reduce_share<Reduction::sum>(args, share);
    case Reduction::mean:
      return reduce_share<Reduction::mean>(args, share);
    case Reduction::greatest:
      return reduce_share<Reduction::greatest>(args, share);
    case Reduction::least:
      return reduce_share<Reduction::least>(args, share);
  }
}

}  // namespace
}  // namespace intact::kernels
