// Softmax, LogSoftmax and Hardmax. Before operator set 13 they normalize over all axes from `axis`
// (default 1) on, since then along `axis` (default -1) alone.
#include "graph/ops/softmax.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/groups.hpp"

namespace intact {
namespace {

bool flattens(const Node& node) {
  return node.version > 0 && node.version < 13;
}

int softmax_axis(const Node& node, int rank) {
  const std::int64_t axis = node.attributes.integer("axis", flattens(node) ? 1 : -1);
  // One beyond the last axis: each element is a row of its own, as Flatten has it.
  if (flattens(node) && axis == rank) return rank;
  return normalize_axis(node, axis, rank);
}

std::vector<std::size_t> rows_of(const Node& node, const Shape& shape) {
  const int rank = static_cast<int>(shape.size());
  const int axis = softmax_axis(node, rank);
  std::vector<int> axes = {axis};
  if (flattens(node)) {
    axes.clear();
    for (int i = axis; i < rank; ++i) axes.push_back(i);
  }
  return broadcast_indices(reduced_shape(shape, axes), shape);
}

void harden(std::span<double> values, std::span<const std::size_t> rows,
            std::span<const double> highest) {
  std::vector<bool> found(highest.size(), false);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool first = values[i] == highest[rows[i]] && !found[rows[i]];
    if (first) found[rows[i]] = true;
    values[i] = first ? 1 : 0;
  }
}

}  // namespace

std::vector<TensorType> infer_softmax(const InferContext& context) {
  check_operands(context.node, 1, 1);
  check_type(context, 0, {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16});
  if (context.inputs[0].shape)
    softmax_axis(context.node, static_cast<int>(context.inputs[0].shape->size()));
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_softmax(const EvalContext& context) {
  const TensorType type = output_types(context, infer_softmax)[0];
  Tensor y = convert(context.inputs[0], ElementType::f64).clone();
  const auto values = y.data<double>();
  const std::vector<std::size_t> rows = rows_of(context.node, y.shape());
  // At most as many rows as elements.
  std::vector<double> highest(values.size(), -std::numeric_limits<double>::infinity());
  std::vector<double> sum(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    highest[rows[i]] = std::max(highest[rows[i]], values[i]);
  if (context.node.op == "Hardmax") {
    harden(values, rows, highest);
    return {convert(y, type.type)};
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] -= highest[rows[i]];
    sum[rows[i]] += std::exp(values[i]);
  }
  const bool logarithm = context.node.op == "LogSoftmax";
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = logarithm ? values[i] - std::log(sum[rows[i]]) : std::exp(values[i]) / sum[rows[i]];
  return {convert(y, type.type)};
}

}  // namespace intact
