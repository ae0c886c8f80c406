// Pooling in vectors of `Simd::width` channels, written once and compiled per instruction set. The
// including file has the vector epilogue of its instruction set in scope and defines Simd: a few
// operations on one vector of bytes. Internal linkage only.
#pragma once

#include "kernels/epilogue_reference.hpp"
#include "kernels/pool/common.hpp"
#include "kernels/pool/pool.hpp"
#include "kernels/pool/window.hpp"

namespace intact::kernels {
namespace {

/// Calls body(first, step, count) for every image row under the window: `count` pixels `step` bytes
/// apart.
template <typename Body>
[[gnu::always_inline]] inline void for_window_rows(const ConvShape& shape, const PoolArgs& args,
                                                   const Window& window, Body body) {
  const AxisWindow(&axis)[3] = window.axis;
  if (window.count() == 0) return;
  const std::ptrdiff_t step = shape.dilation[2] * args.src_pitch;
  for (long kd = axis[0].begin; kd < axis[0].end; ++kd)
    for (long kh = axis[1].begin; kh < axis[1].end; ++kh)
      body(args.src + input_pixel(shape, window, kd, kh, axis[2].begin) * args.src_pitch, step,
           axis[2].count());
}

/// Calls body(window, channel, target) for every vector of this thread's share: chunks of
/// channels of each output pixel.
template <typename Simd, typename Body>
[[gnu::always_inline]] inline void for_vectors(const ConvShape& shape, const PoolArgs& args,
                                               Part part, Body body) {
  const long channels = shape.in_channels, chunks = (channels + Simd::width - 1) / Simd::width;
  const std::ptrdiff_t size = args.output == Output::f32 ? sizeof(float) : 1;
  for_rows_and_chunks(out_rows(shape), chunks, part, [&](long row, long first, long last) {
    Window window = row_window(shape, row);
    for (long x = 0; x < shape.out[2]; ++x) {
      window.axis[2] = axis_window(shape, 2, x);
      const long pixel = row * shape.out[2] + x;
      for (long chunk = first; chunk < last; ++chunk) {
        const long channel = chunk * Simd::width, left = channels - channel;
        EpilogueTarget target;
        target.dst =
            static_cast<std::uint8_t*>(args.dst) + (pixel * args.dst_pitch + channel) * size;
        target.columns = left < Simd::width ? static_cast<int>(left) : Simd::width;
        body(window, channel, target);
      }
    }
  });
}

template <typename Simd>
void run_max(const ConvShape& shape, const PoolArgs& args, Part part) {
  using Vector = typename Simd::Vector;
  const EpilogueVectors e = load_epilogue({.table = args.table});
  for_vectors<Simd>(shape, args, part,
                    [&](const Window& window, long channel, const EpilogueTarget& target) {
                      Vector greatest = Simd::zero();
                      for_window_rows(shape, args, window,
                                      [&](const std::uint8_t* p, std::ptrdiff_t step, long count) {
                                        p += channel;
                                        for (long i = 0; i < count; ++i, p += step)
                                          greatest = Simd::max(greatest, Simd::load(p));
                                      });
                      if (args.table) greatest = look_up(greatest, e.table);
                      store_bytes<Simd::width>(greatest, target);
                    });
}

/// Sums of bytes, kept in 16 bits as long as they fit; 32-bit sums in the epilogue's order.
template <typename Simd>
struct WindowSum {
  using Vector = typename Simd::Vector;
  static constexpr long kMostTerms = 65535 / 255;

  Vector sums[4], low = Simd::zero(), high = Simd::zero();
  long terms = 0;

  explicit WindowSum(std::int32_t start) {
    for (Vector& sum : sums) sum = Simd::broadcast(start);
  }

  [[gnu::always_inline]] void add_row(const std::uint8_t* p, std::ptrdiff_t step, long count) {
    while (count > 0) {
      const long now = count < kMostTerms - terms ? count : kMostTerms - terms;
      for (long i = 0; i < now; ++i, p += step) {
        const Vector bytes = Simd::load(p);
        low = Simd::add16(low, Simd::low_bytes(bytes));
        high = Simd::add16(high, Simd::high_bytes(bytes));
      }
      count -= now;
      terms += now;
      if (terms == kMostTerms) flush();
    }
  }

  [[gnu::always_inline]] void flush() {
    sums[0] = Simd::add32(sums[0], Simd::low_words(low));
    sums[1] = Simd::add32(sums[1], Simd::high_words(low));
    sums[2] = Simd::add32(sums[2], Simd::low_words(high));
    sums[3] = Simd::add32(sums[3], Simd::high_words(high));
    low = high = Simd::zero();
    terms = 0;
  }
};

template <typename Simd, EpilogueForm form>
void run_average_form(const ConvShape& shape, const PoolArgs& args, Part part) {
  const EpilogueVectors e = load_epilogue(average_epilogue(args));
  alignas(64) float multipliers[Simd::width] = {}, biases[Simd::width];
  for (float& bias : biases) bias = no_float_bias;
  for_vectors<Simd>(
      shape, args, part, [&](const Window& window, long channel, const EpilogueTarget& target) {
        const float multiplier = average_multiplier(shape, args, window);
        if (multiplier != multipliers[0])
          for (float& m : multipliers) m = multiplier;
        WindowSum<Simd> sum(static_cast<std::int32_t>(-args.src_zero_point * window.count()));
        for_window_rows(shape, args, window,
                        [&](const std::uint8_t* p, std::ptrdiff_t step, long count) {
                          sum.add_row(p + channel, step, count);
                        });
        sum.flush();
        finish_quad<form, Simd::width>(sum.sums, multipliers, biases, e, target);
      });
}

template <typename Simd>
void run_average(const ConvShape& shape, const PoolArgs& args, Part part) {
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
