// Scalar pooling: every shape. The yardstick of the tests.
#include <cstdint>

#include "kernels/pool/common.hpp"
#include "kernels/pool/pool.hpp"

namespace intact::kernels {
namespace {

template <typename Body>
void for_taps(const ConvShape& shape, const Window& window, Body body) {
  const auto& axis = window.axis;
  for (long kd = axis[0].begin; kd < axis[0].end; ++kd)
    for (long kh = axis[1].begin; kh < axis[1].end; ++kh)
      for (long kw = axis[2].begin; kw < axis[2].end; ++kw)
        body(input_pixel(shape, window, kd, kh, kw));
}

template <class Integer>
void run_extreme(const ConvShape& shape, const PoolArgs& args, Part part) {
  const long channels = shape.in_channels;
  const auto* const src = static_cast<const Integer*>(args.src);
  const bool least = args.extreme == Extreme::least;
  for_rows_and_chunks(out_rows(shape), channels, part, [&](long row, long first, long last) {
    Window window = row_window(shape, row);
    for (long x = 0; x < shape.out[2]; ++x) {
      window.axis[2] = axis_window(shape, 2, x);
      auto* dst = static_cast<Integer*>(args.dst) + (row * shape.out[2] + x) * args.dst_pitch;
      for (long c = first; c < last; ++c) {
        auto extreme = static_cast<Integer>(least ? -1 : 0);
        for_taps(shape, window, [&](long pixel) {
          const Integer value = src[pixel * args.src_pitch + c];
          if (least ? value < extreme : value > extreme) extreme = value;
        });
        dst[c] = args.table ? args.table[extreme] : extreme;
      }
    }
  });
}

void run_max(const ConvShape& shape, const PoolArgs& args, Part part) {
  if (args.input == Element::u16) return run_extreme<std::uint16_t>(shape, args, part);
  run_extreme<std::uint8_t>(shape, args, part);
}

template <class Integer>
void run_average_of(const ConvShape& shape, const PoolArgs& args, Part part) {
  const long channels = shape.in_channels;
  const auto* const src = static_cast<const Integer*>(args.src);
  const Epilogue epilogue = average_epilogue(args);
  for_rows_and_chunks(out_rows(shape), channels, part, [&](long row, long first, long last) {
    Window window = row_window(shape, row);
    for (long x = 0; x < shape.out[2]; ++x) {
      window.axis[2] = axis_window(shape, 2, x);
      const float multiplier = average_multiplier(shape, args, window);
      for (long c = first; c < last; ++c) {
        std::int32_t sum = 0;
        for_taps(shape, window,
                 [&](long pixel) { sum += src[pixel * args.src_pitch + c] - args.src_zero_point; });
        write_reference(epilogue, scale_accumulator(sum, multiplier, no_float_bias),
                        row * shape.out[2] + x, c, args.dst, args.dst_pitch);
      }
    }
  });
}

void run_average(const ConvShape& shape, const PoolArgs& args, Part part) {
  if (args.input == Element::u16) return run_average_of<std::uint16_t>(shape, args, part);
  run_average_of<std::uint8_t>(shape, args, part);
}

}  // namespace

extern const PoolKernel max_pool_reference, average_pool_reference;
const PoolKernel max_pool_reference = {"max_pool_reference", Isa::scalar, refuses_max, run_max};
const PoolKernel average_pool_reference = {"average_pool_reference", Isa::scalar, refuses_average,
                                           run_average};

}  // namespace intact::kernels
