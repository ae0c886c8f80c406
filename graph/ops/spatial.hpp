// Geometry of sliding windows: what Conv, ConvInteger and the pools make of
// kernel_shape, strides, dilations, pads, auto_pad and ceil_mode. Shape inference, the reference
// evaluations and the engine's lowering all take it from here.
#pragma once

#include <array>

#include "graph/graph.hpp"

namespace intact {

/// One entry per spatial axis, outermost first ({height, width} for images).
struct SpatialGeometry {
  Shape in, kernel, stride, dilation, pad_begin, pad_end, out;

  std::size_t axes() const { return kernel.size(); }
  /// Extent of the dilated kernel: (kernel - 1) * dilation + 1.
  std::int64_t reach(std::size_t axis) const { return (kernel[axis] - 1) * dilation[axis] + 1; }
};

/// A geometry of up to three axes with leading axes of extent 1, for loops over {depth, height,
/// width}.
struct Space {
  using Extents = std::array<std::int64_t, 3>;
  Extents in = {1, 1, 1}, kernel = {1, 1, 1}, stride = {1, 1, 1}, dilation = {1, 1, 1};
  Extents pad_begin = {0, 0, 0}, pad_end = {0, 0, 0}, out = {1, 1, 1};
};
Space space_of(const SpatialGeometry& geometry);
inline std::int64_t volume(const Space::Extents& extents) {
  return extents[0] * extents[1] * extents[2];
}

/// Steps i in [0, count) for which i * stride + offset lies in [0, bound).
struct Steps {
  std::int64_t begin = 0, end = 0;
};
Steps steps_inside(std::int64_t count, std::int64_t stride, std::int64_t offset,
                   std::int64_t bound);

/// [batch, channels, spatial extents of the output...]. Throws Unsupported beyond three axes.
Shape spatial_shape(const Node& node, const SpatialGeometry& geometry, std::int64_t batch,
                    std::int64_t channels);

/// `input` is [batch, channels, spatial...], `kernel` has the spatial axes only. Padding that
/// auto_pad asks for is worked out; pad_end is as declared even where ceil_mode lets the last
/// window reach beyond it. With ceil_mode a window that would start in the padding behind the input
/// is dropped. Throws Error for attributes of wrong length or value, and for a kernel that is
/// larger than the padded input.
SpatialGeometry spatial_geometry(const Node& node, const Shape& input, const Shape& kernel);

/// Conv and its integer forms: `weights` is [out_channels, in_channels / group, kernel...]. Checks
/// channels, group and kernel_shape as well.
SpatialGeometry conv_geometry(const Node& node, const Shape& input, const Shape& weights);

/// Pools: the kernel is the attribute kernel_shape; for GlobalAveragePool and GlobalMaxPool it is
/// the whole image.
SpatialGeometry pool_geometry(const Node& node, const Shape& input);

/// ConvTranspose: `weights` is [in_channels, out_channels / group, kernel...]; output_padding and
/// output_shape are honoured. pad_begin and pad_end are what is cut off the full output.
SpatialGeometry conv_transpose_geometry(const Node& node, const Shape& input, const Shape& weights);

}  // namespace intact
