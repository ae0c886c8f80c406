// Geometry of sliding windows: what Conv, ConvInteger, QLinearConv and the pools make of
// kernel_shape, strides, dilations, pads, auto_pad and ceil_mode. Shape inference, the reference
// evaluations and the engine's lowering all take it from here.
#pragma once

#include "graph/graph.hpp"

namespace intact {

/// One entry per spatial axis, outermost first ({height, width} for images).
struct SpatialGeometry {
  Shape in, kernel, stride, dilation, pad_begin, pad_end, out;

  std::size_t axes() const { return kernel.size(); }
  /// Extent of the dilated kernel: (kernel - 1) * dilation + 1.
  std::int64_t reach(std::size_t axis) const { return (kernel[axis] - 1) * dilation[axis] + 1; }
};

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
