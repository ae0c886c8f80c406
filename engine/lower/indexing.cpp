// Elements by position: Gather of any indices, Pad that reflects, repeats the edge or wraps, Resize
// to the nearest of any factor, ArgMax, ArgMin and TopK, on bytes as they lie or on floats.
#include <algorithm>
#include <limits>
#include <optional>

#include "engine/lower/arrange.hpp"
#include "engine/lower/movement.hpp"
#include "engine/lower/reasons.hpp"
#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/folding.hpp"
#include "graph/ops/padding.hpp"

namespace intact {
namespace {

std::size_t axis_of(const Node& node, std::int64_t otherwise, std::size_t rank) {
  return static_cast<std::size_t>(
      normalize_axis(node, node.attributes.integer("axis", otherwise), static_cast<int>(rank)));
}

/// Elements around an axis in memory.
struct Around {
  std::int64_t outer = 1, inner = 1;
};
Around around(const StoredTensor& tensor, std::size_t axis) {
  Around result;
  bool behind = false;
  for (const std::size_t i : memory_order(tensor.shape.size(), tensor.layout)) {
    if (i == axis)
      behind = true;
    else
      (behind ? result.inner : result.outer) *= tensor.shape[i];
  }
  return result;
}

GatherOperation gather_along(const StoredTensor& from, std::size_t axis,
                             std::vector<std::int64_t> index) {
  GatherOperation gather;
  const Around rest = around(from, axis);
  gather.outer = rest.outer;
  gather.inner = rest.inner;
  gather.extent = from.shape[axis];
  gather.count = std::ssize(index);
  gather.index = std::move(index);
  return gather;
}

void set_precision(Operation& operation, const StoredTensor& from) {
  if (from.on_grid()) return;
  operation.precision = from.type == ElementType::f32 ? Precision::floating : Precision::shape;
  if (from.type == ElementType::f32)
    operation.reason =
        from.constant.defined() ? float_constant_reason(from.name) : float_reason(from.name);
}

// --- several axes, one after the other: Pad and Resize

/// Where each axis of the output reads; an axis that keeps its elements has no list.
using Positions = std::vector<std::vector<std::int64_t>>;

bool is_identity(const std::vector<std::int64_t>& index, std::int64_t extent) {
  if (std::ssize(index) != extent) return false;
  for (std::int64_t i = 0; i < extent; ++i)
    if (index[static_cast<std::size_t>(i)] != i) return false;
  return true;
}

bool gather_axes(Lowering& lowering, const Node& node, const Positions& positions) {
  TensorId source = moved(lowering, node, 0);
  // The axis that grows least first, so that little is copied twice.
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < positions.size(); ++i)
    if (!is_identity(positions[i], lowering.shape(node.inputs[0])[i])) axes.push_back(i);
  if (axes.empty() || !lowering.program().tensor(source).dense()) return false;
  const auto growth = [&](std::size_t axis) {
    return static_cast<double>(positions[axis].size()) /
           static_cast<double>(lowering.shape(node.inputs[0])[axis]);
  };
  std::stable_sort(axes.begin(), axes.end(),
                   [&](std::size_t a, std::size_t b) { return growth(a) < growth(b); });
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const StoredTensor from = lowering.program().tensor(source);
    StoredTensor output = output_like(lowering, node, from);
    output.layout = from.layout;
    output.shape = from.shape;
    output.shape[axes[k]] = std::ssize(positions[axes[k]]);
    GatherOperation gather = gather_along(from, axes[k], positions[axes[k]]);
    const bool last = k + 1 == axes.size();
    const TensorId target = last ? add_moved(lowering, node, std::move(output))
                                 : lowering.new_tensor(output.name, output.type, output.shape,
                                                       output.layout, output.grid);
    Operation& operation = lowering.emit(node, std::move(gather), {source}, target);
    if (!last) operation.sources.clear();
    set_precision(operation, from);
    source = target;
  }
  return true;
}

bool lower_pad(Lowering& lowering, const Node& node) {
  std::vector<Tensor> operands(node.inputs.size());
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (!node.has_input(i) || i == 2) continue;
    if (!lowering.is_constant(node.inputs[i])) return false;
    operands[i] = lowering.value(node.inputs[i]).constant;
  }
  const auto positions = padded_positions(node, lowering.shape(node.inputs[0]), operands);
  return positions && gather_axes(lowering, node, *positions);
}

bool lower_nearest(Lowering& lowering, const Node& node) {
  if (!moves_data(node)) return false;
  const auto axes = constant_resize_axes(lowering, node);
  if (!axes) return false;
  Positions positions;
  for (const ResizeAxis& axis : *axes) {
    if (!axis.copies()) return false;
    positions.push_back(axis.indices);
  }
  return gather_axes(lowering, node, positions);
}

// --- Gather

/// Constant positions, counted from the front; absent when one is out of range, which the reference
/// reports.
std::optional<std::vector<std::int64_t>> constant_positions(const Value& operand,
                                                            std::int64_t extent) {
  const Tensor wide = convert(operand.constant, ElementType::s64);
  std::vector<std::int64_t> index(wide.data<std::int64_t>().begin(),
                                  wide.data<std::int64_t>().end());
  for (std::int64_t& position : index) {
    if (position < -extent || position >= extent) return std::nullopt;
    if (position < 0) position += extent;
  }
  return index;
}

/// The data in a layout that the output can have, too: several axes of indices make it plain.
TensorId gathered_source(Lowering& lowering, const Node& node, bool keeps_rank) {
  const TensorId source = moved(lowering, node, 0);
  if (keeps_rank || lowering.program().tensor(source).layout == Layout::plain) return source;
  return lowering.program().tensor(source).type == ElementType::f32
             ? lowering.real(node.inputs[0], Layout::plain)
             : lowering.stored(node.inputs[0], Layout::plain);
}

bool lower_gather(Lowering& lowering, const Node& node) {
  const ValueId x = node.inputs[0], at = node.inputs[1], y = node.outputs[0];
  const Value &data = lowering.value(x), &indices = lowering.value(at), &result = lowering.value(y);
  if (data.type != result.type || (result.grid && result.grid != data.grid) ||
      (data.grid && !lowering.on_byte_grid(x) && data.type != ElementType::f32))
    return false;
  if (indices.type != ElementType::s64 && indices.type != ElementType::s32) return false;
  const std::size_t axis = axis_of(node, 0, lowering.shape(x).size());
  std::optional<std::vector<std::int64_t>> index;
  if (indices.is_constant()) {
    index = constant_positions(indices, lowering.shape(x)[axis]);
    if (!index) return false;
  }
  const bool keeps_rank = lowering.shape(at).size() == 1;
  const TensorId source = gathered_source(lowering, node, keeps_rank);
  const StoredTensor from = lowering.program().tensor(source);
  StoredTensor output = output_like(lowering, node, from);
  if (keeps_rank) output.layout = from.layout;
  GatherOperation gather = gather_along(from, axis, index.value_or(std::vector<std::int64_t>{}));
  gather.count = element_count(lowering.shape(at));
  std::vector<TensorId> inputs = {source};
  if (!index) inputs.push_back(lowering.plain(at));
  const TensorId target = add_moved(lowering, node, std::move(output));
  set_precision(lowering.emit(node, std::move(gather), std::move(inputs), target), from);
  return true;
}

// --- extremes

/// Positions are counted in 32 bits while they are looked for.
bool fits(std::int64_t extent) {
  return extent <= std::numeric_limits<std::int32_t>::max();
}

bool lower_arg_extreme(Lowering& lowering, const Node& node) {
  const ValueId x = node.inputs[0], y = node.outputs[0];
  if (lowering.value(x).type != ElementType::f32 || lowering.is_constant(x)) return false;
  const std::size_t axis = axis_of(node, 0, lowering.shape(x).size());
  if (!fits(lowering.shape(x)[axis])) return false;
  // With the channels gone, what is left lies in the order of the file.
  const bool last = lowering.layout_of(x) == Layout::channels_last && axis == 1;
  const Layout layout = last ? Layout::channels_last : Layout::plain;
  const bool bytes = lowering.on_byte_grid(x);
  if (!bytes && lowering.on_stored_grid(x)) return false;  // words
  const TensorId source = bytes ? lowering.bytes(x, layout) : lowering.real(x, layout);
  const StoredTensor from = lowering.program().tensor(source);
  const Around rest = around(from, axis);
  ArgExtremeOperation extreme;
  extreme.least = node.op == "ArgMin";
  extreme.last = node.attributes.integer("select_last_index", 0) != 0;
  extreme.outer = rest.outer;
  extreme.inner = rest.inner;
  extreme.extent = from.shape[axis];
  const TensorId target = lowering.new_tensor(lowering.value(y).name, ElementType::s64,
                                              lowering.shape(y), Layout::plain);
  lowering.bind(y, target);
  Operation& operation = lowering.emit(node, extreme, {source}, target);
  if (!bytes) operation.precision = Precision::shape;
  return true;
}

/// Along the last axis, of bytes.
bool lower_top_k(Lowering& lowering, const Node& node) {
  const ValueId x = node.inputs[0];
  const std::size_t rank = lowering.shape(x).size();
  if (!lowering.on_byte_grid(x) || lowering.is_constant(x) || axis_of(node, -1, rank) + 1 != rank)
    return false;
  if (node.outputs[0] != no_value && !lowering.on_byte_grid(node.outputs[0])) return false;
  TopBytesOperation top;
  top.least = node.attributes.integer("largest", 1) == 0;
  top.length = lowering.shape(x).back();
  top.rows = element_count(lowering.shape(x)) / top.length;
  top.count = lowering.shape(node.outputs[0]).back();
  const TensorId source = lowering.bytes(x, Layout::plain);
  std::vector<TensorId> outputs;
  for (std::size_t i = 0; i < 2; ++i) {
    const ValueId id = i < node.outputs.size() ? node.outputs[i] : no_value;
    outputs.push_back(no_tensor);
    if (id == no_value) continue;
    outputs[i] =
        lowering.new_tensor(lowering.value(id).name, i == 0 ? ElementType::u8 : ElementType::s64,
                            lowering.shape(id), Layout::plain, lowering.value(id).grid);
    lowering.bind(id, outputs[i]);
  }
  lowering.emit(node, top, {source}, outputs[0]).outputs = outputs;
  return true;
}

}  // namespace

bool lower_indexing(Lowering& lowering, const Node& node) {
  if (node.domain != "" || node.inputs.empty()) return false;
  if (node.op == "ArgMax" || node.op == "ArgMin") return lower_arg_extreme(lowering, node);
  if (node.op == "TopK") return lower_top_k(lowering, node);
  if (node.op == "Gather") return lower_gather(lowering, node);
  const Value &x = lowering.value(node.inputs[0]), &y = lowering.value(node.outputs[0]);
  if (x.type != y.type || x.is_constant() || (y.grid && y.grid != x.grid)) return false;
  if (node.op == "Pad") return lower_pad(lowering, node);
  if (node.op == "Resize" || node.op == "Upsample") return lower_nearest(lowering, node);
  return false;
}

}  // namespace intact
