// Pooling in vectors of `Simd::width` bytes, written once and compiled per instruction set. The
// including file has the vector epilogue of its instruction set in scope and defines Simd: a few
// operations on one vector of bytes or words. Internal linkage only.
#pragma once

#include "kernels/pool/common.hpp"
#include "kernels/pool/pool.hpp"
#include "kernels/pool/window.hpp"

namespace intact::kernels {
namespace {

template <int count>
struct VectorCount {
  static constexpr int value = count;
};

/// Calls body(VectorCount<n>, window, pixel, channel) for this thread's share: n vectors of
/// `width` channels from `channel` on of each output pixel. Four at a time where there are as many,
/// which reads longer runs of memory and walks the window less often.
template <long width, typename Body>
[[gnu::always_inline]] inline void for_vectors(const ConvShape& shape, Part part, Body body) {
  const long chunks = (shape.in_channels + width - 1) / width;
  for_rows_and_chunks(out_rows(shape), chunks, part, [&](long row, long first, long last) {
    Window window = row_window(shape, row);
    for (long x = 0; x < shape.out[2]; ++x) {
      window.axis[2] = axis_window(shape, 2, x);
      const long pixel = row * shape.out[2] + x;
      long chunk = first;
      for (; chunk + 4 <= last; chunk += 4) body(VectorCount<4>{}, window, pixel, chunk * width);
      for (; chunk < last; ++chunk) body(VectorCount<1>{}, window, pixel, chunk * width);
    }
  });
}

template <typename Simd>
[[gnu::always_inline]] inline EpilogueTarget target_of(const ConvShape& shape, const PoolArgs& args,
                                                       long pixel, long channel) {
  const std::ptrdiff_t size = args.output == Output::f32 ? sizeof(float) : 1;
  const long left = shape.in_channels - channel;
  EpilogueTarget target;
  target.dst = static_cast<std::uint8_t*>(args.dst) + (pixel * args.dst_pitch + channel) * size;
  target.columns = left < Simd::width ? static_cast<int>(left) : Simd::width;
  return target;
}

template <typename Simd, typename Integer, Extreme extreme>
void run_extreme(const ConvShape& shape, const PoolArgs& args, Part part) {
  using Vector = typename Simd::Vector;
  constexpr long width = Simd::width / sizeof(Integer);
  const auto pick = [](Vector a, Vector b) __attribute__((always_inline)) {
    return extreme == Extreme::least ? Simd::min(a, b, Integer{}) : Simd::max(a, b, Integer{});
  };
  const EpilogueVectors e = load_epilogue({.table = args.table});
  const auto pool = [&](auto vectors, const Window& window, long pixel, long channel) {
    constexpr int kVectors = decltype(vectors)::value;
    Vector found[kVectors];
    for (Vector& v : found) v = Simd::broadcast(extreme == Extreme::least ? -1 : 0);
    for_window_rows<Integer>(shape, args, window,
                             [&](const Integer* p, std::ptrdiff_t step, long count) {
                               p += channel;
                               for (long i = 0; i < count; ++i, p += step)
                                 for (int v = 0; v < kVectors; ++v)
                                   found[v] = pick(found[v], Simd::load(p + v * width));
                             });
    for (int v = 0; v < kVectors; ++v, channel += width) {
      const Vector bytes = args.table ? look_up(found[v], e.table) : found[v];
      const long left = shape.in_channels - channel;
      EpilogueTarget target;
      target.dst = static_cast<Integer*>(args.dst) + pixel * args.dst_pitch + channel;
      target.columns = static_cast<int>((left < width ? left : width) * sizeof(Integer));
      store_bytes<Simd::width>(bytes, target);
    }
  };
  for_vectors<width>(shape, part, pool);
}

template <typename Simd, typename Integer>
void run_max_of(const ConvShape& shape, const PoolArgs& args, Part part) {
  if (args.extreme == Extreme::least)
    return run_extreme<Simd, Integer, Extreme::least>(shape, args, part);
  run_extreme<Simd, Integer, Extreme::greatest>(shape, args, part);
}

template <typename Simd>
void run_max(const ConvShape& shape, const PoolArgs& args, Part part) {
  if (args.input == Element::u16) return run_max_of<Simd, std::uint16_t>(shape, args, part);
  run_max_of<Simd, std::uint8_t>(shape, args, part);
}

/// Sums of `count` vectors of bytes, kept in 16 bits as long as they fit; 32-bit sums in the
/// epilogue's order.
template <typename Simd, int count>
struct WindowSum {
  using Vector = typename Simd::Vector;
  static constexpr long kMostTerms = 65535 / 255;

  Vector sums[count][4], low[count], high[count];
  long terms = 0;

  explicit WindowSum(std::int32_t start) {
    for (int v = 0; v < count; ++v) {
      for (Vector& sum : sums[v]) sum = Simd::broadcast(start);
      low[v] = high[v] = Simd::zero();
    }
  }

  [[gnu::always_inline]] void add_row(const std::uint8_t* p, std::ptrdiff_t step, long pixels) {
    while (pixels > 0) {
      const long now = pixels < kMostTerms - terms ? pixels : kMostTerms - terms;
      for (long i = 0; i < now; ++i, p += step)
        for (int v = 0; v < count; ++v) {
          const Vector bytes = Simd::load(p + v * Simd::width);
          low[v] = Simd::add16(low[v], Simd::low_bytes(bytes));
          high[v] = Simd::add16(high[v], Simd::high_bytes(bytes));
        }
      pixels -= now;
      terms += now;
      if (terms == kMostTerms) flush();
    }
  }

  [[gnu::always_inline]] void flush() {
    for (int v = 0; v < count; ++v) {
      sums[v][0] = Simd::add32(sums[v][0], Simd::low_words(low[v]));
      sums[v][1] = Simd::add32(sums[v][1], Simd::high_words(low[v]));
      sums[v][2] = Simd::add32(sums[v][2], Simd::low_words(high[v]));
      sums[v][3] = Simd::add32(sums[v][3], Simd::high_words(high[v]));
      low[v] = high[v] = Simd::zero();
    }
    terms = 0;
  }
};

template <typename Simd, EpilogueForm form>
void run_average_form(const ConvShape& shape, const PoolArgs& args, Part part) {
  const EpilogueVectors e = load_epilogue(average_epilogue(args));
  alignas(64) float multipliers[Simd::width] = {}, biases[Simd::width];
  for (float& bias : biases) bias = no_float_bias;
  const auto pool = [&](auto vectors, const Window& window, long pixel, long channel) {
    constexpr int kVectors = decltype(vectors)::value;
    const float multiplier = average_multiplier(shape, args, window);
    if (multiplier != multipliers[0])
      for (float& m : multipliers) m = multiplier;
    WindowSum<Simd, kVectors> sum(static_cast<std::int32_t>(-args.src_zero_point * window.count()));
    for_window_rows<std::uint8_t>(shape, args, window,
                                  [&](const std::uint8_t* p, std::ptrdiff_t step, long count) {
                                    sum.add_row(p + channel, step, count);
                                  });
    sum.flush();
    for (int v = 0; v < kVectors; ++v)
      finish_quad<form, Simd::width>(
          sum.sums[v], multipliers, biases, e,
          target_of<Simd>(shape, args, pixel, channel + v * Simd::width));
  };
  for_vectors<Simd::width>(shape, part, pool);
}

template <typename Simd>
void run_average(const ConvShape& shape, const PoolArgs& args, Part part) {
  if (args.input == Element::u16) return average_words(shape, args, part);
  switch (form_of(average_epilogue(args))) {
    case EpilogueForm::floats:
      return run_average_form<Simd, EpilogueForm::floats>(shape, args, part);
    case EpilogueForm::table:
      return run_average_form<Simd, EpilogueForm::table>(shape, args, part);
    default:
      return run_average_form<Simd, EpilogueForm::bytes>(shape, args, part);
  }
}

}  // namespace
}  // namespace intact::kernels
