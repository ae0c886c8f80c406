// The scalar definition of the resize kernels: each output element from its taps alone.
#include "kernels/real_reference.hpp"
#include "kernels/resize/implementations.hpp"

namespace intact::kernels::reference {
namespace {

/// The weighted sum of at(index) over the taps of output position i.
template <class At>
float sum_of(const ResizeTaps& axis, std::int64_t i, const At& at) {
  const std::int64_t first = i * axis.taps;
  float sum = at(axis.index[first]);
  if (axis.taps > 1) sum *= axis.weight[first];
  for (std::int64_t k = first + 1; k < first + axis.taps; ++k)
    sum = std::fmaf(axis.weight[k], at(axis.index[k]), sum);
  return sum;
}

bool is_outside(const ResizeTaps& axis, std::int64_t i) {
  return axis.outside != nullptr && axis.outside[i] != 0;
}

}  // namespace

void resize_rows(const ResizeArgs& args, std::int64_t begin, std::int64_t end) {
  const auto& [depth, height, width] = args.axis;
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t oh = row % height.out, od = row / height.out % depth.out;
    const std::int64_t image = row / height.out / depth.out;
    for (std::int64_t ow = 0; ow < width.out; ++ow)
      for (std::int64_t c = 0; c < args.channels; ++c) {
        const auto at = [&](std::int64_t d, std::int64_t h, std::int64_t w) {
          const std::int64_t pixel = ((image * depth.in + d) * height.in + h) * width.in + w;
          return read_real(args.input, args.src, pixel * args.src_pitch + c, args.src_scale,
                           args.src_zero_point);
        };
        float y = sum_of(width, ow, [&](std::int64_t w) {
          return sum_of(height, oh, [&](std::int64_t h) {
            return sum_of(depth, od, [&](std::int64_t d) { return at(d, h, w); });
          });
        });
        if (is_outside(depth, od) || is_outside(height, oh) || is_outside(width, ow))
          y = args.extrapolation;
        write_real(args.output, args.dst,
                   ((row - args.first_row) * width.out + ow) * args.dst_pitch + c, y,
                   args.dst_scale, args.dst_zero_point);
      }
  }
}

}  // namespace intact::kernels::reference
