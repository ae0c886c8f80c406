// Resize and Upsample by linear or cubic interpolation, and tf_crop_and_resize: from bytes to bytes
// where grids allow it. The resized axes and those between them are the depth, height and width of
// the kernel; what lies before them in memory are images, what lies behind them channels.
#include <algorithm>

#include "engine/lower/arrange.hpp"
#include "engine/lower/movement.hpp"
#include "graph/folding.hpp"

namespace intact {
namespace {

struct Interpolation {
  ResizeOperation operation;
  AxisOrder order;
};

ResizeOperation::Axis axis_of(const ResizeAxis& from) {
  ResizeOperation::Axis axis;
  axis.in = from.in;
  axis.out = from.out;
  axis.taps = from.taps;
  axis.index.assign(from.indices.begin(), from.indices.end());
  axis.weight.assign(from.weights.begin(), from.weights.end());
  axis.outside.assign(from.outside.begin(), from.outside.end());
  return axis;
}

ResizeOperation::Axis single_axis() {
  ResizeOperation::Axis axis;
  axis.index = {0};
  axis.weight = {1.0f};
  return axis;
}

/// Output and input are equal, whatever the taps: tf_crop_and_resize gives taps to every axis.
bool keeps(const ResizeAxis& axis) {
  if (axis.in != axis.out) return false;
  for (std::int64_t i = 0; i < axis.out; ++i) {
    if (!axis.outside.empty() && axis.outside[static_cast<std::size_t>(i)]) return false;
    double own = 0;
    for (std::int64_t k = i * axis.taps; k < (i + 1) * axis.taps; ++k) {
      const auto at = static_cast<std::size_t>(k);
      if (axis.indices[at] == i)
        own += axis.weights[at];
      else if (axis.weights[at] != 0)
        return false;
    }
    if (own != 1) return false;
  }
  return true;
}

/// Absent when the resized axes reach over more than three in this order.
std::optional<Interpolation> in_order(const std::vector<ResizeAxis>& axes, AxisOrder order) {
  const auto resized = [&](std::size_t axis) { return !keeps(axes[axis]); };
  const auto first = std::find_if(order.begin(), order.end(), resized);
  const auto last = std::find_if(order.rbegin(), order.rend(), resized).base();
  if (first == order.end() || last - first > 3) return std::nullopt;
  Interpolation result;
  for (auto i = order.begin(); i != first; ++i) result.operation.batch *= axes[*i].in;
  for (auto i = last; i != order.end(); ++i) result.operation.channels *= axes[*i].in;
  std::size_t at = 0;
  for (; at < 3 - static_cast<std::size_t>(last - first); ++at)
    result.operation.axis[at] = single_axis();
  for (auto i = first; i != last; ++i, ++at) result.operation.axis[at] = axis_of(axes[*i]);
  result.order = std::move(order);
  return result;
}

/// Channels innermost where they are kept, which kernels are fast along. Axes are resized in
/// ascending order in both.
std::optional<Interpolation> interpolation_of(const std::vector<ResizeAxis>& axes) {
  const std::size_t rank = axes.size();
  if (rank > 2 && keeps(axes[1]) && axes[1].in > 1)
    if (auto last = in_order(axes, memory_order(rank, Layout::channels_last))) return last;
  return in_order(axes, memory_order(rank, Layout::plain));
}

bool is_resize(const Node& node) {
  return (node.is("Resize") || node.is("Upsample")) && !moves_data(node);
}

}  // namespace

bool lower_interpolation(Lowering& lowering, const Node& node) {
  if (!is_resize(node)) return false;
  const ValueId x = node.inputs[0];
  if (lowering.value(x).type != ElementType::f32 || lowering.value(node.outputs[0]).grid ||
      lowering.is_constant(x))
    return false;
  const auto axes = constant_resize_axes(lowering, node);
  if (!axes) return false;
  auto interpolation = interpolation_of(*axes);
  if (!interpolation) return false;
  interpolation->operation.extrapolation = node.attributes.number("extrapolation_value", 0.0f);
  const bool on_bytes = lowering.on_stored_grid(x);
  const TensorId input = on_bytes ? arranged_bytes(lowering, x, interpolation->order)
                                  : arranged_real(lowering, x, interpolation->order);
  const Tail tail = lowering.take_round(node);
  const ArrangedResult output = arranged_result(lowering, tail, interpolation->order);
  if (on_bytes)
    lowering.emit(node, tail, std::move(interpolation->operation), {input}, output.written);
  else
    lowering.emit_float(node, tail, std::move(interpolation->operation), {input}, output.written);
  output.finish(lowering);
  return true;
}

}  // namespace intact
