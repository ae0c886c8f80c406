// Reductions of floats, written once over the lane types of whichever lanes_*.hpp was included
// before this file.
#pragma once

#include "kernels/lane_groups.hpp"
#include "kernels/reduce/implementations.hpp"

namespace intact::kernels {
namespace {

constexpr bool squares_elements(Reduction function) {
  return function == Reduction::squares || function == Reduction::norm;
}

/// What joins with others; `shift` is that of log_sum_exp.
template <Reduction function>
[[gnu::always_inline]] inline Floats term(Floats x, Floats shift) {
  if constexpr (function == Reduction::magnitudes) return absolute(x);
  if constexpr (function == Reduction::log_sum_exp) return exponential(x - shift);
  return x;
}

template <Reduction function>
[[gnu::always_inline]] inline Floats join(Floats so_far, Floats x) {
  if constexpr (function == Reduction::greatest)
    return select(is_nan(x), x, select(less(so_far, x), x, so_far));
  else if constexpr (function == Reduction::least)
    return select(is_nan(x), x, select(less(x, so_far), x, so_far));
  else if constexpr (squares_elements(function))
    return fma(x, x, so_far);
  else
    return so_far + x;
}

template <Reduction function>
[[gnu::always_inline]] inline Floats combine(Floats a, Floats b) {
  if constexpr (function == Reduction::greatest || function == Reduction::least)
    return join<function>(a, b);
  else
    return a + b;
}

template <Reduction function>
constexpr float nothing() {
  if (function == Reduction::greatest) return -__builtin_inff();
  if (function == Reduction::least) return __builtin_inff();
  return 0;
}

template <Reduction function>
[[gnu::always_inline]] inline Floats finished(Floats x, std::int64_t window, Floats shift) {
  if constexpr (function == Reduction::mean) return x / constant(static_cast<float>(window));
  if constexpr (function == Reduction::norm) return square_root(x);
  if constexpr (function == Reduction::log_sum_exp) return any_logarithm(x) + shift;
  return x;
}

[[gnu::always_inline]] inline Floats if_finite(Floats x) {
  return select(less(absolute(x), constant(__builtin_inff())), x, constant(0.0f));
}

template <Reduction function>
float reduce_row(const float* row, std::int64_t window) {
  constexpr bool shifts = function == Reduction::log_sum_exp;
  // An element that adds nothing.
  constexpr float filler = shifts ? -__builtin_inff() : nothing<function>();
  Floats shift = constant(0.0f);
  if constexpr (shifts) shift = if_finite(constant(reduce_row<Reduction::greatest>(row, window)));
  Group group(nothing<function>());
  const auto take = [&](const float* from) {
    for (int k = 0; k < Group::registers; ++k) {
      Floats x;
      load(x, from + k * Floats::size);
      group.part[k] = join<function>(group.part[k], term<function>(x, shift));
    }
  };
  std::int64_t i = 0;
  for (; i + 16 <= window; i += 16) take(row + i);
  if (i < window) {
    float rest[16];
    for (int k = 0; k < 16; ++k) rest[k] = i + k < window ? row[i + k] : filler;
    take(rest);
  }
  const float joined = combined(group, [](Floats a, Floats b) { return combine<function>(a, b); });
  return first(finished<function>(constant(joined), window, shift));
}

/// Rows of a few neighbouring channels, in vectors of which the last has `last` lanes.
struct Columns {
  const float* src;
  std::int64_t window, channels;
  int last;
};

/// What joins the elements of each lane; those of log_sum_exp are lowered by `shift`.
template <Reduction function, int registers>
[[gnu::always_inline]] inline void join_rows(const Columns& columns,
                                             const Floats (&shift)[registers],
                                             Floats (&joined)[registers]) {
  const float* src = columns.src;
  for (std::int64_t i = 0; i < columns.window; ++i, src += columns.channels)
    for (int r = 0; r < registers; ++r) {
      Floats x;
      if (r + 1 == registers)
        load_first(x, src + r * Floats::size, columns.last);
      else
        load(x, src + r * Floats::size);
      x = term<function>(x, shift[r]);
      // One element and 0: the element itself, -0 included.
      if (i == 0)
        joined[r] = squares_elements(function) ? x * x : x;
      else
        joined[r] = join<function>(joined[r], x);
    }
}

template <Reduction function, int registers>
void reduce_channels(const Columns& columns, float* dst) {
  Floats shift[registers], joined[registers];
  for (int r = 0; r < registers; ++r) {
    shift[r] = constant(0.0f);
    joined[r] = constant(nothing<function>());
  }
  if constexpr (function == Reduction::log_sum_exp) {
    Floats greatest[registers];
    for (Floats& lanes : greatest) lanes = constant(0.0f);
    join_rows<Reduction::greatest>(columns, shift, greatest);
    for (int r = 0; r < registers; ++r) shift[r] = if_finite(greatest[r]);
  }
  join_rows<function>(columns, shift, joined);
  for (int r = 0; r < registers; ++r) {
    const Floats y = finished<function>(joined[r], columns.window, shift[r]);
    if (r + 1 == registers)
      store_first(dst + r * Floats::size, y, columns.last);
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
      reduce_channels<function, wide>({src + c, args.window, args.channels, Floats::size}, dst + c);
    for (; c < share.last; c += Floats::size) {
      const std::int64_t left = share.last - c;
      const int last = left < Floats::size ? static_cast<int>(left) : Floats::size;
      reduce_channels<function, 1>({src + c, args.window, args.channels, last}, dst + c);
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
    case Reduction::magnitudes:
      return reduce_share<Reduction::magnitudes>(args, share);
    case Reduction::squares:
      return reduce_share<Reduction::squares>(args, share);
    case Reduction::norm:
      return reduce_share<Reduction::norm>(args, share);
    case Reduction::log_sum_exp:
      return reduce_share<Reduction::log_sum_exp>(args, share);
  }
}

}  // namespace
}  // namespace intact::kernels
