// Geometry of sliding windows; see spatial.hpp.
#include "graph/ops/spatial.hpp"

#include <algorithm>
#include <limits>

#include "core/checked.hpp"
#include "graph/checks.hpp"

namespace intact {
namespace {

// Extents beyond this cannot be meant, and keep the sums below away from overflow.
constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();

enum class AutoPad { explicit_pads, same_upper, same_lower, valid };

AutoPad auto_pad(const Node& node) {
  const std::string text = node.attributes.text("auto_pad", "NOTSET");
  if (text == "NOTSET" || text.empty()) return AutoPad::explicit_pads;
  if (text == "SAME_UPPER") return AutoPad::same_upper;
  if (text == "SAME_LOWER") return AutoPad::same_lower;
  if (text == "VALID") return AutoPad::valid;
  refuse(node, "auto_pad is '{}'; it must be NOTSET, SAME_UPPER, SAME_LOWER or VALID", text);
}

Shape read_extents(const Node& node, const char* name, std::size_t count, std::int64_t fallback,
                   std::int64_t least) {
  const Shape values = node.attributes.integers(name, Shape(count, fallback));
  if (values.size() != count)
    refuse(node, "{} has {} entries; it must have {} for {} spatial axes", name, values.size(),
           count, name == std::string_view("pads") ? count / 2 : count);
  for (const std::int64_t value : values)
    if (value < least || value > kLargest)
      refuse(node, "{} contains {}; entries must be at least {} and below 2^31", name, value,
             least);
  return values;
}

/// Everything but `out`, with explicit pads.
SpatialGeometry window_attributes(const Node& node, const Shape& input, const Shape& kernel) {
  if (input.size() < 3)
    refuse(node, "the input has shape {}; it must be [batch, channels, spatial...]",
           to_string(input));
  const std::size_t axes = input.size() - 2;
  if (kernel.size() != axes)
    refuse(node, "the kernel {} has {} axes; the input {} has {} spatial axes", to_string(kernel),
           kernel.size(), to_string(input), axes);
  SpatialGeometry geometry;
  geometry.in.assign(input.begin() + 2, input.end());
  geometry.kernel = kernel;
  for (std::size_t i = 0; i < axes; ++i) {
    if (kernel[i] < 1 || kernel[i] > kLargest)
      refuse(node, "the kernel {} must have extents from 1 to 2^31 - 1", to_string(kernel));
    if (geometry.in[i] > kLargest)
      refuse(node, "the input {} is too large; spatial extents must be below 2^31",
             to_string(input));
  }
  geometry.stride = read_extents(node, "strides", axes, 1, 1);
  geometry.dilation = read_extents(node, "dilations", axes, 1, 1);
  geometry.pad_begin.assign(axes, 0);
  geometry.pad_end.assign(axes, 0);
  if (auto_pad(node) == AutoPad::explicit_pads) {
    const Shape pads = read_extents(node, "pads", 2 * axes, 0, 0);
    geometry.pad_begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(axes));
    geometry.pad_end.assign(pads.begin() + static_cast<std::ptrdiff_t>(axes), pads.end());
  }
  geometry.out.assign(axes, 0);
  return geometry;
}

std::int64_t ceil_divide(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

void place_same_padding(SpatialGeometry& geometry, std::size_t axis, AutoPad mode) {
  geometry.out[axis] = ceil_divide(geometry.in[axis], geometry.stride[axis]);
  const std::int64_t needed =
      (geometry.out[axis] - 1) * geometry.stride[axis] + geometry.reach(axis) - geometry.in[axis];
  const std::int64_t total = std::max<std::int64_t>(needed, 0);
  const std::int64_t smaller = total / 2;
  geometry.pad_begin[axis] = mode == AutoPad::same_upper ? smaller : total - smaller;
  geometry.pad_end[axis] = total - geometry.pad_begin[axis];
}

std::int64_t window_count(const Node& node, const SpatialGeometry& geometry, std::size_t axis,
                          bool ceil_mode) {
  const std::int64_t padded = geometry.in[axis] + geometry.pad_begin[axis] + geometry.pad_end[axis];
  const std::int64_t room = padded - geometry.reach(axis);
  if (room < 0)
    refuse(
        node,
        "along spatial axis {} the kernel reaches over {} positions, but the padded input has {}; "
        "the kernel must fit into it",
        axis, geometry.reach(axis), padded);
  const std::int64_t stride = geometry.stride[axis];
  if (!ceil_mode) return room / stride + 1;
  const std::int64_t count = ceil_divide(room, stride) + 1;
  const bool starts_behind = (count - 1) * stride >= geometry.in[axis] + geometry.pad_begin[axis];
  return starts_behind ? count - 1 : count;
}

void check_kernel_shape(const Node& node, const Shape& kernel) {
  const Shape declared = node.attributes.integers("kernel_shape", kernel);
  if (declared != kernel)
    refuse(node, "kernel_shape is {}, but the weights have the kernel {}; they must be equal",
           to_string(declared), to_string(kernel));
}

Shape kernel_of_weights(const Node& node, const Shape& input, const Shape& weights) {
  if (weights.size() < 3 || weights.size() != input.size())
    refuse(node,
           "the input has shape {} and the weights {}; both must have the same rank, at least 3",
           to_string(input), to_string(weights));
  const Shape kernel(weights.begin() + 2, weights.end());
  check_kernel_shape(node, kernel);
  return kernel;
}

std::int64_t read_group(const Node& node) {
  const std::int64_t group = node.attributes.integer("group", 1);
  if (group < 1 || group > kLargest) refuse(node, "group is {}; it must be positive", group);
  return group;
}

}  // namespace

Space space_of(const SpatialGeometry& geometry) {
  Space space;
  const std::size_t axes = geometry.axes();
  for (std::size_t i = 0; i < axes; ++i) {
    const std::size_t to = 3 - axes + i;
    space.in[to] = geometry.in[i];
    space.kernel[to] = geometry.kernel[i];
    space.stride[to] = geometry.stride[i];
    space.dilation[to] = geometry.dilation[i];
    space.pad_begin[to] = geometry.pad_begin[i];
    space.pad_end[to] = geometry.pad_end[i];
    space.out[to] = geometry.out[i];
  }
  return space;
}

Steps steps_inside(std::int64_t count, std::int64_t stride, std::int64_t offset,
                   std::int64_t bound) {
  const std::int64_t begin = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  const std::int64_t end = offset >= bound ? 0 : (bound - 1 - offset) / stride + 1;
  return {begin, std::min(end, count)};
}

Shape spatial_shape(const Node& node, const SpatialGeometry& geometry, std::int64_t batch,
                    std::int64_t channels) {
  if (geometry.axes() > 3)
    refuse_unsupported(node, "{} spatial axes are not supported, only up to 3", geometry.axes());
  Shape shape = {batch, channels};
  shape.insert(shape.end(), geometry.out.begin(), geometry.out.end());
  return shape;
}

SpatialGeometry spatial_geometry(const Node& node, const Shape& input, const Shape& kernel) {
  SpatialGeometry geometry = window_attributes(node, input, kernel);
  const AutoPad mode = auto_pad(node);
  const bool ceil_mode = node.attributes.integer("ceil_mode", 0) != 0;
  for (std::size_t i = 0; i < geometry.axes(); ++i) {
    if (mode == AutoPad::same_upper || mode == AutoPad::same_lower)
      place_same_padding(geometry, i, mode);
    else
      geometry.out[i] = window_count(node, geometry, i, ceil_mode);
  }
  return geometry;
}

SpatialGeometry conv_geometry(const Node& node, const Shape& input, const Shape& weights) {
  const Shape kernel = kernel_of_weights(node, input, weights);
  const std::int64_t group = read_group(node);
  std::int64_t channels = 0;
  if (!checked_multiply(weights[1], group, &channels) || channels != input[1])
    refuse(
        node,
        "the input {} has {} channels, but weights {} in {} group(s) take {} per group; channels "
        "must be their product",
        to_string(input), input[1], to_string(weights), group, weights[1]);
  if (weights[0] % group != 0)
    refuse(node, "{} output channels do not divide into {} groups", weights[0], group);
  return spatial_geometry(node, input, kernel);
}

SpatialGeometry pool_geometry(const Node& node, const Shape& input) {
  if (node.op.find("Global") != std::string::npos) {
    if (input.size() < 2)
      refuse(node, "the input has shape {}; it must be [batch, channels, spatial...]",
             to_string(input));
    SpatialGeometry geometry;
    geometry.in.assign(input.begin() + 2, input.end());
    geometry.kernel = geometry.in;
    geometry.stride = geometry.dilation = geometry.out = Shape(geometry.in.size(), 1);
    geometry.pad_begin = geometry.pad_end = Shape(geometry.in.size(), 0);
    return geometry;
  }
  if (!node.attributes.has("kernel_shape")) refuse(node, "the attribute kernel_shape is missing");
  return spatial_geometry(node, input, node.attributes.integers("kernel_shape"));
}

SpatialGeometry conv_transpose_geometry(const Node& node, const Shape& input,
                                        const Shape& weights) {
  const Shape kernel = kernel_of_weights(node, input, weights);
  const std::int64_t group = read_group(node);
  if (weights[0] != input[1] || input[1] % group != 0)
    refuse(
        node,
        "the input {} has {} channels and the weights {} take {} in {} group(s); channels must be "
        "equal and divide into the groups",
        to_string(input), input[1], to_string(weights), weights[0], group);
  std::int64_t out_channels = 0;
  if (!checked_multiply(weights[1], group, &out_channels))
    refuse(node, "weights {} in {} groups have too many output channels", to_string(weights),
           group);

  SpatialGeometry geometry = window_attributes(node, input, kernel);
  const std::size_t axes = geometry.axes();
  const Shape extra = read_extents(node, "output_padding", axes, 0, 0);
  const bool wants_shape = !node.attributes.integers("output_shape").empty();
  const AutoPad mode = auto_pad(node);
  const bool same = mode == AutoPad::same_upper || mode == AutoPad::same_lower;
  Shape wanted = wants_shape ? read_extents(node, "output_shape", axes, 0, 1) : Shape{};
  for (std::size_t i = 0; i < axes; ++i) {
    if (geometry.in[i] < 1) refuse(node, "the input {} has no elements", to_string(input));
    const std::int64_t full =
        (geometry.in[i] - 1) * geometry.stride[i] + geometry.reach(i) + extra[i];
    if (wants_shape || same) {
      geometry.out[i] = wants_shape ? wanted[i] : geometry.in[i] * geometry.stride[i];
      const std::int64_t total = full - geometry.out[i];
      const std::int64_t half = total < 0 ? 0 : total / 2;
      geometry.pad_begin[i] =
          mode == AutoPad::same_upper ? half : std::max<std::int64_t>(total, 0) - half;
      geometry.pad_end[i] = total - geometry.pad_begin[i];
    } else {
      geometry.out[i] = full - geometry.pad_begin[i] - geometry.pad_end[i];
    }
    if (geometry.out[i] < 1)
      refuse(node, "pads cut off all {} positions of the output along spatial axis {}", full, i);
  }
  return geometry;
}

}  // namespace intact
