// Slice and Pad. Bounds come from files: they are clamped before any arithmetic and checked before
// any allocation.
#include <algorithm>
#include <limits>
#include <numeric>

#include "core/checked.hpp"
#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/padding.hpp"
#include "graph/ops/registry.hpp"
#include "graph/ops/strided.hpp"

namespace intact {

namespace {

// --- Slice: bounds are attributes before operator set 10, operands since
// --------------------------

/// start, step and number of elements along one axis.
struct Cut {
  std::int64_t start = 0, step = 1, count = 0;
};

Cut cut_axis(const Node& node, std::int64_t extent, std::int64_t start, std::int64_t end,
             std::int64_t step) {
  if (step == 0) refuse(node, "a step is 0; it must be positive or negative");
  const bool forward = step > 0;
  const std::int64_t low = forward ? 0 : -1, high = forward ? extent : extent - 1;
  const auto resolve = [&](std::int64_t bound) {
    return std::clamp(bound < 0 ? bound + extent : bound, low, high);
  };
  start = resolve(start);
  end = resolve(end);
  const std::int64_t span = forward ? end - start : start - end;
  if (span <= 0) return {0, 1, 0};
  // Steps beyond the extent all mean one element; clamping keeps -step in range.
  step = std::clamp(step, -extent - 1, extent + 1);
  const std::int64_t magnitude = forward ? step : -step;
  return {start, step, (span + magnitude - 1) / magnitude};
}

struct SliceBounds {
  std::vector<std::int64_t> starts, ends, axes, steps;
};

/// Nothing when an operand is not constant.
std::optional<SliceBounds> slice_bounds(const InferContext& context) {
  const Node& node = context.node;
  SliceBounds bounds;
  if (node.version < 10) {
    bounds.starts = node.attributes.integers("starts");
    bounds.ends = node.attributes.integers("ends");
    bounds.axes = node.attributes.integers("axes");
  } else {
    check_operands(node, 3, 5);
    for (std::size_t i = 1; i < context.inputs.size(); ++i)
      if (context.has(i) && !context.constants[i].defined()) return std::nullopt;
    bounds.starts = integers_of(node, context.constants[1], "starts");
    bounds.ends = integers_of(node, context.constants[2], "ends");
    if (context.has(3)) bounds.axes = integers_of(node, context.constants[3], "axes");
    if (context.has(4)) bounds.steps = integers_of(node, context.constants[4], "steps");
  }
  if (bounds.axes.empty() && !context.has(3)) {
    bounds.axes.resize(bounds.starts.size());
    std::iota(bounds.axes.begin(), bounds.axes.end(), 0);
  }
  if (bounds.steps.empty() && !context.has(4)) bounds.steps.assign(bounds.starts.size(), 1);
  const std::size_t count = bounds.starts.size();
  if (bounds.ends.size() != count || bounds.axes.size() != count || bounds.steps.size() != count)
    refuse(node, "{} starts, {} ends, {} axes and {} steps are given; their numbers must be equal",
           count, bounds.ends.size(), bounds.axes.size(), bounds.steps.size());
  return bounds;
}

std::vector<Cut> cut_axes(const Node& node, const SliceBounds& bounds, const Shape& shape) {
  std::vector<Cut> cuts;
  for (const std::int64_t extent : shape) cuts.push_back({0, 1, extent});
  const auto axes = normalize_axes(node, bounds.axes, static_cast<int>(shape.size()));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    cuts[axis] = cut_axis(node, shape[axis], bounds.starts[i], bounds.ends[i], bounds.steps[i]);
  }
  return cuts;
}

std::vector<TensorType> infer_slice(const InferContext& context) {
  check_operands(context.node, 1, 5);
  TensorType type = context.inputs[0];
  const auto bounds = slice_bounds(context);
  if (!type.shape || !bounds) return {{type.type, std::nullopt}};
  const auto cuts = cut_axes(context.node, *bounds, *type.shape);
  for (std::size_t i = 0; i < cuts.size(); ++i) (*type.shape)[i] = cuts[i].count;
  return {type};
}

std::vector<Tensor> evaluate_slice(const EvalContext& context) {
  const auto types = output_types(context, infer_slice);
  const Tensor& data = context.inputs[0];
  std::vector<TensorType> inputs;
  for (const Tensor& tensor : context.inputs) inputs.push_back({tensor.type(), tensor.shape()});
  const auto bounds = slice_bounds({context.node, inputs, context.inputs});
  const auto cuts = cut_axes(context.node, *bounds, data.shape());
  Tensor result = allocate(context.node, types[0]);
  if (result.size() == 0) return {result};
  std::vector<std::int64_t> strides = dense_strides(data.shape());
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    offset += cuts[i].start * strides[i];
    strides[i] *= cuts[i].step;
  }
  copy_strided(data, offset, strides, result);
  return {result};
}

// --- Pad: pads are attributes before operator set 11, operands since
// ------------------------------

/// Padding of each axis in front and behind; negative entries crop.
struct Padding {
  std::vector<std::int64_t> before, after;
};

std::optional<Padding> padding_of(const InferContext& context, int rank) {
  const Node& node = context.node;
  std::vector<std::int64_t> pads;
  std::vector<int> axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (node.version < 11) {
    pads = node.attributes.integers(node.version < 2 ? "paddings" : "pads");
  } else {
    check_operands(node, 2, 4);
    if (!context.constants[1].defined()) return std::nullopt;
    if (context.has(3) && !context.constants[3].defined()) return std::nullopt;
    pads = integers_of(node,
                       context.constants[1].rank() == 2
                           ? context.constants[1].reshaped({context.constants[1].size()})
                           : context.constants[1],
                       "pads");
    if (context.has(3))
      axes = normalize_axes(node, integers_of(node, context.constants[3], "axes"), rank);
  }
  if (pads.size() != 2 * axes.size())
    refuse(node, "{} pads are given for {} axes; two per axis are needed", pads.size(),
           axes.size());
  Padding padding;
  padding.before.resize(static_cast<std::size_t>(rank));
  padding.after.resize(static_cast<std::size_t>(rank));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    padding.before[static_cast<std::size_t>(axes[i])] = pads[i];
    padding.after[static_cast<std::size_t>(axes[i])] = pads[i + axes.size()];
  }
  return padding;
}

enum class PadMode { constant, reflect, edge, wrap };

PadMode pad_mode(const Node& node) {
  const std::string mode = node.attributes.text("mode", "constant");
  if (mode == "constant") return PadMode::constant;
  if (mode == "reflect") return PadMode::reflect;
  if (mode == "edge") return PadMode::edge;
  if (mode == "wrap") return PadMode::wrap;
  refuse(node, "the attribute mode is '{}'; it must be constant, reflect, edge or wrap", mode);
}

std::vector<TensorType> infer_pad(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 4);
  TensorType type = context.inputs[0];
  const PadMode mode = pad_mode(node);
  if (!type.shape) return {type};
  const Shape from = *type.shape;
  const auto padding = padding_of(context, static_cast<int>(from.size()));
  if (!padding) return {{type.type, std::nullopt}};
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::int64_t& extent = (*type.shape)[i];
    if (!checked_add(extent, padding->before[i], &extent) ||
        !checked_add(extent, padding->after[i], &extent) || extent < 0)
      refuse(node, "pads {} and {} do not fit axis {} of {} elements", padding->before[i],
             padding->after[i], i, from[i]);
    if (mode != PadMode::constant && from[i] == 0 && extent > 0)
      refuse(node, "axis {} has no elements; only constant padding can extend it", i);
  }
  return {type};
}

/// Which input element lies at `position` (counted from the first input element) of an axis; -1 for
/// the constant.
std::int64_t padded_source(PadMode mode, std::int64_t position, std::int64_t extent) {
  if (position >= 0 && position < extent) return position;
  switch (mode) {
    case PadMode::edge:
      return position < 0 ? 0 : extent - 1;
    case PadMode::wrap:
      return (position % extent + extent) % extent;
    case PadMode::reflect: {
      if (extent == 1) return 0;
      const std::int64_t period = 2 * (extent - 1);
      const std::int64_t phase = (position % period + period) % period;
      return phase < extent ? phase : period - phase;
    }
    case PadMode::constant:
      break;
  }
  return -1;
}

/// The input position of each output position of every axis, -1 for the constant.
std::vector<std::vector<std::int64_t>> padded_sources(PadMode mode, const Padding& padding,
                                                      const Shape& shape) {
  std::vector<std::vector<std::int64_t>> sources(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i)
    for (std::int64_t o = 0; o < shape[i] + padding.before[i] + padding.after[i]; ++o)
      sources[i].push_back(padded_source(mode, o - padding.before[i], shape[i]));
  return sources;
}

/// Copies axis by axis: sources[axis][i] is the input index of output index i, or -1 for `fill`.
template <class T>
void pad_elements(const T* in, const std::vector<std::vector<std::int64_t>>& sources,
                  const std::vector<std::int64_t>& strides, T fill, T* out, std::size_t axis) {
  if (axis == sources.size()) {
    *out = *in;
    return;
  }
  std::int64_t inner = 1;
  for (std::size_t i = axis + 1; i < sources.size(); ++i)
    inner *= static_cast<std::int64_t>(sources[i].size());
  for (const std::int64_t source : sources[axis]) {
    if (source < 0)
      std::fill(out, out + inner, fill);
    else
      pad_elements(in + source * strides[axis], sources, strides, fill, out, axis + 1);
    out += inner;
  }
}

/// The constant as one element of the data's type.
Tensor pad_value(const EvalContext& context, ElementType type) {
  if (context.has(2)) {
    if (context.inputs[2].size() != 1)
      refuse(context.node, "the constant has shape {}; it must be a scalar",
             to_string(context.inputs[2].shape()));
    return convert(context.inputs[2], type);
  }
  return convert(Tensor::scalar(context.node.attributes.number("value", 0.0f)), type);
}

std::vector<Tensor> evaluate_pad(const EvalContext& context) {
  const auto types = output_types(context, infer_pad);
  const Tensor& data = context.inputs[0];
  std::vector<TensorType> inputs;
  for (const Tensor& tensor : context.inputs) inputs.push_back({tensor.type(), tensor.shape()});
  const auto padding = padding_of({context.node, inputs, context.inputs}, data.rank());
  const PadMode mode = pad_mode(context.node);
  const Tensor fill = pad_value(context, data.type());
  Tensor result = allocate(context.node, types[0]);
  if (result.size() == 0) return {result};
  const auto sources = padded_sources(mode, *padding, data.shape());
  visit_width(data.type(), [&]<class T>(T) {
    pad_elements(static_cast<const T*>(data.raw()), sources, dense_strides(data.shape()),
                 *static_cast<const T*>(fill.raw()), static_cast<T*>(result.raw()), 0);
  });
  return {result};
}

}  // namespace

std::optional<std::vector<std::vector<std::int64_t>>> padded_positions(
    const Node& node, const Shape& shape, const std::vector<Tensor>& operands) {
  std::vector<TensorType> types;
  for (const Tensor& operand : operands) types.push_back({operand.type(), operand.shape()});
  const auto padding = padding_of({node, types, operands}, static_cast<int>(shape.size()));
  if (!padding) return std::nullopt;
  auto sources = padded_sources(pad_mode(node), *padding, shape);
  for (const auto& axis : sources)
    if (std::find(axis.begin(), axis.end(), -1) != axis.end()) return std::nullopt;
  return sources;
}

std::span<const Definition> slice_definitions() {
  static const Definition definitions[] = {
      {.op = "Slice",
       .infer = infer_slice,
       .evaluate = evaluate_slice,
       .moves_data = true,
       .shape_operands = {1, 2, 3, 4}},
      // The constant need not lie on the grid of the data, so Pad does not keep grids by itself.
      {.op = "Pad", .infer = infer_pad, .evaluate = evaluate_pad, .shape_operands = {1, 3}},
  };
  return definitions;
}

}  // namespace intact
