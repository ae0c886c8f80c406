// Loops of convolution; see convolution.hpp. The innermost loop runs along rows of the image, so
// that whole models can be evaluated in reasonable time.
#include "graph/ops/convolution.hpp"

#include <algorithm>
#include <array>

namespace intact {
namespace {

using Extents = Space::Extents;

/// A pointwise convolution has one row per image.
Space convolution_space(const SpatialGeometry& geometry) {
  Space space = space_of(geometry);
  const bool pointwise = space.in == space.out && volume(space.kernel) == 1 &&
                         space.pad_begin == Extents{0, 0, 0} && space.stride == Extents{1, 1, 1};
  if (pointwise) space.in = space.out = {1, 1, volume(space.in)};
  return space;
}

void multiply_add(double weight, const double* x, std::int64_t x_step, double* y,
                  std::int64_t y_step, std::int64_t count) {
  if (x_step == 1 && y_step == 1) {
    for (std::int64_t i = 0; i < count; ++i) y[i] += weight * x[i];
  } else {
    for (std::int64_t i = 0; i < count; ++i) y[i * y_step] += weight * x[i * x_step];
  }
}

/// One axis of one kernel tap: the wide side (the image of a convolution, the output of a
/// transposed one) is at narrow * stride + offset.
struct Tap {
  Extents offset;
  std::array<Steps, 3> steps;
};
Tap tap_of(const Space& space, const Extents& at, const Extents& narrow, const Extents& wide) {
  Tap tap;
  for (std::size_t i = 0; i < 3; ++i) {
    tap.offset[i] = at[i] * space.dilation[i] - space.pad_begin[i];
    tap.steps[i] = steps_inside(narrow[i], space.stride[i], tap.offset[i], wide[i]);
  }
  return tap;
}

/// Calls body(tap, index of the tap) for all taps of the kernel.
template <class Body>
void for_taps(const Space& space, const Extents& narrow, const Extents& wide, Body body) {
  std::int64_t index = 0;
  for (std::int64_t d = 0; d < space.kernel[0]; ++d)
    for (std::int64_t h = 0; h < space.kernel[1]; ++h)
      for (std::int64_t w = 0; w < space.kernel[2]; ++w)
        body(tap_of(space, {d, h, w}, narrow, wide), index++);
}

/// Calls body(first narrow element, first wide element, count) for each row that the tap touches.
template <class Body>
void for_rows(const Space& space, const Tap& tap, const Extents& narrow, const Extents& wide,
              Body body) {
  const Steps columns = tap.steps[2];
  if (columns.begin >= columns.end) return;
  for (std::int64_t d = tap.steps[0].begin; d < tap.steps[0].end; ++d)
    for (std::int64_t h = tap.steps[1].begin; h < tap.steps[1].end; ++h) {
      const std::int64_t wide_row =
          (d * space.stride[0] + tap.offset[0]) * wide[1] + h * space.stride[1] + tap.offset[1];
      body((d * narrow[1] + h) * narrow[2] + columns.begin,
           wide_row * wide[2] + columns.begin * space.stride[2] + tap.offset[2],
           columns.end - columns.begin);
    }
}

void fill_with_bias(const Tensor& bias, Tensor& y) {
  const auto to = y.data<double>();
  if (!bias.defined()) {
    std::fill(to.begin(), to.end(), 0.0);
    return;
  }
  const auto values = bias.data<double>();
  const std::size_t planes = static_cast<std::size_t>(y.shape()[0]) * values.size();
  const std::size_t plane = to.size() / std::max<std::size_t>(planes, 1);
  for (std::size_t i = 0; i < planes; ++i)
    std::fill_n(to.begin() + static_cast<std::ptrdiff_t>(i * plane), plane,
                values[i % values.size()]);
}

}  // namespace

void convolve(const SpatialGeometry& geometry, std::int64_t group, const Tensor& x,
              const Tensor& weights, const Tensor& bias, Tensor& y) {
  const Space space = convolution_space(geometry);
  const std::int64_t batch = x.shape()[0], channels = x.shape()[1], outputs = weights.shape()[0];
  const std::int64_t per_group = weights.shape()[1], taps = volume(space.kernel);
  fill_with_bias(bias, y);
  const std::int64_t in_plane = volume(space.in), out_plane = volume(space.out);
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t m = 0; m < outputs; ++m) {
      double* to = y.data<double>().data() + (n * outputs + m) * out_plane;
      const double* w = weights.data<double>().data() + m * per_group * taps;
      const std::int64_t first = n * channels + m / (outputs / group) * per_group;
      const double* image = x.data<double>().data() + first * in_plane;
      for (std::int64_t c = 0; c < per_group; ++c, image += in_plane, w += taps)
        for_taps(space, space.out, space.in, [&](const Tap& tap, std::int64_t k) {
          for_rows(space, tap, space.out, space.in,
                   [&](std::int64_t out, std::int64_t in, std::int64_t count) {
                     multiply_add(w[k], image + in, space.stride[2], to + out, 1, count);
                   });
        });
    }
}

void convolve_transposed(const SpatialGeometry& geometry, std::int64_t group, const Tensor& x,
                         const Tensor& weights, const Tensor& bias, Tensor& y) {
  const Space space = convolution_space(geometry);
  const std::int64_t batch = x.shape()[0], channels = x.shape()[1];
  const std::int64_t per_group = weights.shape()[1], taps = volume(space.kernel);
  const std::int64_t outputs = per_group * group;
  fill_with_bias(bias, y);
  const std::int64_t in_plane = volume(space.in), out_plane = volume(space.out);
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t c = 0; c < channels; ++c) {
      const double* image = x.data<double>().data() + (n * channels + c) * in_plane;
      const double* w = weights.data<double>().data() + c * per_group * taps;
      const std::int64_t first = n * outputs + c / (channels / group) * per_group;
      double* to = y.data<double>().data() + first * out_plane;
      for (std::int64_t m = 0; m < per_group; ++m, to += out_plane, w += taps)
        for_taps(space, space.in, space.out, [&](const Tap& tap, std::int64_t k) {
          for_rows(space, tap, space.in, space.out,
                   [&](std::int64_t in, std::int64_t out, std::int64_t count) {
                     multiply_add(w[k], image + in, 1, to + out, space.stride[2], count);
                   });
        });
    }
}

}  // namespace intact
