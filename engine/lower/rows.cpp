// Softmax, LogSoftmax, the normalizations and LRN. They read the bytes of a grid and write those of
// a Round behind them; one row at a time is float. The axes of a row are innermost in memory, where
// a copy puts them if they do not lie so.
#include <algorithm>

#include "engine/lower/arrange.hpp"
#include "graph/checks.hpp"

namespace intact {
namespace {

using kernels::RowFunction;

/// What a node computes of which rows.
struct Rows {
  RowOperation operation;
  AxisOrder order;  ///< of the input: the axes of a row come last
};

void set_extents(Rows& rows, const Shape& shape, const AxisOrder& inner) {
  rows.order = order_with_inner(shape.size(), inner);
  rows.operation.length = 1;
  for (const std::size_t axis : inner) rows.operation.length *= shape[axis];
  rows.operation.rows = element_count(shape) / rows.operation.length;
}

AxisOrder axes_from(std::size_t first, std::size_t rank) {
  AxisOrder axes;
  for (std::size_t axis = first; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

std::size_t axis_of(const Node& node, std::int64_t otherwise, std::size_t rank) {
  return static_cast<std::size_t>(
      normalize_axis(node, node.attributes.integer("axis", otherwise), static_cast<int>(rank)));
}

bool read_softmax(const Node& node, const Shape& shape, Rows& rows) {
  const auto rank = shape.size();
  // Before operator set 13 all axes from `axis` on are one row.
  const bool flattens = node.version > 0 && node.version < 13;
  const std::int64_t given = node.attributes.integer("axis", flattens ? 1 : -1);
  if (rank == 0 || given == static_cast<std::int64_t>(rank)) return false;
  const std::size_t axis = axis_of(node, flattens ? 1 : -1, rank);
  set_extents(rows, shape, axes_from(axis, flattens ? rank : axis + 1));
  rows.operation.function = node.op == "Softmax" ? RowFunction::softmax : RowFunction::log_softmax;
  return true;
}

/// How often each factor of a row counts when the axes from `first` on are one row: 1 when there is
/// one per element. Absent when the factors differ between rows, or do not begin with the row.
std::optional<std::int64_t> repeat_of(const Lowering& lowering, ValueId id, const Shape& shape,
                                      std::size_t first) {
  const Value& factors = lowering.value(id);
  if (factors.type != ElementType::f32 || !factors.shape || factors.shape->size() > shape.size())
    return std::nullopt;
  Shape own(shape.size() - factors.shape->size(), 1);
  own.insert(own.end(), factors.shape->begin(), factors.shape->end());
  std::int64_t repeat = 1;
  bool repeats = true;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (i < first && own[i] != 1) return std::nullopt;
    if (i < first || shape[i] == 1) continue;
    repeats = repeats && own[i] == 1;
    if (repeats)
      repeat *= shape[i];
    else if (own[i] != shape[i])
      return std::nullopt;
  }
  return repeat;
}

bool writes_one_output(const Node& node) {
  return std::all_of(node.outputs.begin() + 1, node.outputs.end(),
                     [](ValueId id) { return id == no_value; });
}

/// LayerNormalization and RMSNormalization: all axes from `axis` on are one row.
bool read_layer_norm(const Lowering& lowering, const Node& node, const Shape& shape, Rows& rows) {
  if (shape.empty() || !node.has_input(1) || !writes_one_output(node)) return false;
  const std::size_t first = axis_of(node, -1, shape.size());
  set_extents(rows, shape, axes_from(first, shape.size()));
  rows.operation.function =
      node.op == "LayerNormalization" ? RowFunction::layer_norm : RowFunction::rms_norm;
  const auto repeat = repeat_of(lowering, node.inputs[1], shape, first);
  if (!repeat) return false;
  rows.operation.repeat = *repeat;
  return !node.has_input(2) || repeat_of(lowering, node.inputs[2], shape, first) == repeat;
}

bool are_vectors(const Lowering& lowering, const Node& node, std::int64_t length) {
  for (const std::size_t i : {1, 2})
    if (!node.has_input(i) || lowering.value(node.inputs[i]).type != ElementType::f32 ||
        lowering.shape(node.inputs[i]) != Shape{length})
      return false;
  return true;
}

/// One row per image and channel.
bool read_instance_norm(const Lowering& lowering, const Node& node, const Shape& shape,
                        Rows& rows) {
  if (shape.size() < 3 || !are_vectors(lowering, node, shape[1])) return false;
  set_extents(rows, shape, axes_from(2, shape.size()));
  rows.operation.period = shape[1];
  rows.operation.repeat = rows.operation.length;
  return true;
}

/// One row per image and group of channels.
bool read_group_norm(const Lowering& lowering, const Node& node, const Shape& shape, Rows& rows) {
  const std::int64_t groups = node.attributes.integer("num_groups", 0);
  if (shape.size() < 2 || groups < 1 || shape[1] % groups != 0) return false;
  // From operator set 21 on, factors are per channel; before, per group.
  const bool per_channel = node.version >= 21;
  if (!are_vectors(lowering, node, per_channel ? shape[1] : groups)) return false;
  set_extents(rows, shape, axes_from(1, shape.size()));
  RowOperation& operation = rows.operation;
  operation.rows *= groups;
  operation.length /= groups;
  operation.period = groups;
  operation.repeat = per_channel ? operation.length / (shape[1] / groups) : operation.length;
  return true;
}

bool read_mean_variance(const Node& node, const Shape& shape, Rows& rows) {
  AxisOrder inner;
  for (const int axis : normalize_axes(node, node.attributes.integers("axes", {0, 2, 3}),
                                       static_cast<int>(shape.size())))
    inner.push_back(static_cast<std::size_t>(axis));
  std::sort(inner.begin(), inner.end());
  set_extents(rows, shape, inner);
  return true;
}

/// One row per pixel.
bool read_response_norm(const Node& node, const Shape& shape, Rows& rows) {
  const std::int64_t size = node.attributes.integer("size", 1);
  if (shape.size() < 2 || size > 2 * kernels::Response::most_neighbours) return false;
  set_extents(rows, shape, {1});
  rows.operation.function = RowFunction::response_norm;
  kernels::Response& response = rows.operation.response;
  response.before = (size - 1) / 2;
  response.after = size / 2;
  response.factor = node.attributes.number("alpha", 1e-4f) / static_cast<float>(size);
  response.bias = node.attributes.number("bias", 1);
  response.exponent = node.attributes.number("beta", 0.75f);
  return true;
}

bool read_lp_norm(const Node& node, const Shape& shape, Rows& rows) {
  if (shape.empty()) return false;
  set_extents(rows, shape, {axis_of(node, -1, shape.size())});
  rows.operation.function =
      node.attributes.integer("p", 2) == 1 ? RowFunction::l1_norm : RowFunction::l2_norm;
  return true;
}

bool read_rows(const Lowering& lowering, const Node& node, const Shape& shape, Rows& rows) {
  if (node.op == "Softmax" || node.op == "LogSoftmax") return read_softmax(node, shape, rows);
  if (node.op == "LRN") return read_response_norm(node, shape, rows);
  if (node.op == "LpNormalization") return read_lp_norm(node, shape, rows);
  rows.operation.function = RowFunction::layer_norm;
  rows.operation.epsilon = node.attributes.number("epsilon", 1e-5f);
  if (node.op == "LayerNormalization" || node.op == "RMSNormalization")
    return read_layer_norm(lowering, node, shape, rows);
  if (node.op == "InstanceNormalization") return read_instance_norm(lowering, node, shape, rows);
  if (node.op == "GroupNormalization") return read_group_norm(lowering, node, shape, rows);
  if (node.op != "MeanVarianceNormalization") return false;
  rows.operation.epsilon = 1e-18f;
  return read_mean_variance(node, shape, rows);
}

}  // namespace

bool lower_rows(Lowering& lowering, const Node& node) {
  if (node.domain != "" || node.inputs.empty()) return false;
  const ValueId x = node.inputs[0];
  if (!lowering.value(x).shape || lowering.value(x).type != ElementType::f32 ||
      lowering.value(node.outputs[0]).grid)
    return false;
  Rows rows;
  if (!read_rows(lowering, node, lowering.shape(x), rows)) return false;
  const bool on_bytes = lowering.on_stored_grid(x);
  std::vector<TensorId> inputs = {on_bytes ? arranged_bytes(lowering, x, rows.order)
                                           : arranged_real(lowering, x, rows.order)};
  for (std::size_t i = 1; i < node.inputs.size(); ++i)
    if (node.has_input(i)) inputs.push_back(lowering.real(node.inputs[i], Layout::plain));
  const Tail tail = lowering.take_round(node);
  const ArrangedResult output = arranged_result(lowering, tail, rows.order);
  if (on_bytes)
    lowering.emit(node, tail, rows.operation, std::move(inputs), output.written);
  else
    lowering.emit_float(node, tail, rows.operation, std::move(inputs), output.written);
  output.finish(lowering);
  return true;
}

}  // namespace intact
