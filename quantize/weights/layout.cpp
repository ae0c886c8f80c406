// Strides of the weights' axes.
#include "quantize/weights/layout.hpp"

#include "quantize/select/selection.hpp"

namespace intact {

bool has_layout(const Node& node) {
  return !node.is("ConvTranspose") || node.attributes.integer("group", 1) == 1;
}

WeightLayout weight_layout(const Node& node, const Shape& weights) {
  const auto extent = [&](std::size_t axis) { return static_cast<std::size_t>(weights[axis]); };
  std::size_t taps = 1;
  for (std::size_t axis = 2; axis < weights.size(); ++axis) taps *= extent(axis);
  WeightLayout layout;
  if (node.is("Conv")) {
    layout.groups = static_cast<std::size_t>(node.attributes.integer("group", 1));
    layout.depth = extent(1) * taps;
    layout.outputs = extent(0) / layout.groups;
    layout.depth_step = 1;
    layout.output_step = layout.depth;
    layout.group_step = layout.outputs * layout.depth;
  } else if (node.is("ConvTranspose")) {
    layout = {taps, extent(0), extent(1), 1, extent(1) * taps, taps, true};
  } else if (output_channel_axis(node) == 0) {
    layout = {1, extent(1), extent(0), 0, 1, extent(1)};
  } else {
    layout = {1, extent(0), extent(1), 0, extent(1), 1};
  }
  return layout;
}

}  // namespace intact
