// Batch, instance, layer and group normalization, LRN, LpNormalization and
// MeanVarianceNormalization. (Softmax and its relatives: softmax.cpp.)
#include <algorithm>
#include <cmath>
#include <numeric>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/groups.hpp"
#include "graph/ops/registry.hpp"
#include "graph/ops/softmax.hpp"

namespace intact {
namespace {

void check_floating(const InferContext& context) {
  check_type(context, 0, {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16});
}

/// Checks that operands first.. are vectors with one entry per channel (axis 1).
void check_channel_operands(const InferContext& context, std::size_t first, std::size_t last) {
  const auto& x = context.inputs[0].shape;
  if (!x) return;
  if (x->size() < 2)
    refuse(context.node, "the input has shape {}; it must be [batch, channels, ...]",
           to_string(*x));
  for (std::size_t i = first; i < last; ++i)
    check_shape(context, i, {(*x)[1]}, "a per-channel operand");
}

/// Statistics of the batch instead of those given, which are updated: outputs 1 and 2.
bool trains(const Node& node) {
  return node.attributes.integer("training_mode", 0) != 0;
}

std::vector<TensorType> infer_batch(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 5, 5);
  check_floating(context);
  check_channel_operands(context, 1, 5);
  if (node.version < 7 && node.attributes.integer("is_test", 0) == 0)
    refuse_unsupported(node, "training mode is not supported before operator set 14");
  if (node.attributes.integer("spatial", 1) == 0)
    refuse_unsupported(node, "spatial = 0 is not supported, only one mean per channel");
  if (!trains(node)) return {context.inputs[0]};
  return {context.inputs[0], context.inputs[3], context.inputs[4]};
}

std::vector<double> values_of(const Tensor& tensor) {
  const Tensor wide = convert(tensor, ElementType::f64);
  return {wide.data<double>().begin(), wide.data<double>().end()};
}

std::vector<std::size_t> channel_indices(const Shape& shape) {
  Shape channels(shape.size() - 1, 1);
  channels[0] = shape[1];
  return broadcast_indices(channels, shape);
}

/// A fresh f64 copy of operand 0, to be normalized in place.
Tensor working_copy(const EvalContext& context) {
  Tensor y = allocate(context.node, {ElementType::f64, context.inputs[0].shape()});
  const std::vector<double> x = values_of(context.inputs[0]);
  std::copy(x.begin(), x.end(), y.data<double>().begin());
  return y;
}

double epsilon_of(const Node& node) {
  return node.attributes.number("epsilon", 1e-5F);
}

/// Moves the running statistic in operand i towards that of the batch.
Tensor updated(const EvalContext& context, std::size_t i, const std::vector<double>& batch) {
  const double momentum = context.node.attributes.number("momentum", 0.9F);
  Tensor result = convert(context.inputs[i], ElementType::f64).clone();
  const auto running = result.data<double>();
  for (std::size_t c = 0; c < running.size(); ++c)
    running[c] = running[c] * momentum + batch[c] * (1 - momentum);
  return convert(result, context.inputs[i].type());
}

std::vector<Tensor> evaluate_batch(const EvalContext& context) {
  const TensorType type = output_types(context, infer_batch)[0];
  const auto scale = values_of(context.inputs[1]), bias = values_of(context.inputs[2]);
  auto mean = values_of(context.inputs[3]), variance = values_of(context.inputs[4]);
  const double epsilon = epsilon_of(context.node);
  Tensor y = working_copy(context);
  const auto out = y.data<double>();
  const auto channels = channel_indices(y.shape());
  std::vector<Tensor> statistics;
  if (trains(context.node)) {
    const Moments moments = moments_of(out, channels, mean.size());
    mean = moments.mean;
    variance = moments.variance;
    statistics = {updated(context, 3, mean), updated(context, 4, variance)};
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t c = channels[i];
    out[i] = (out[i] - mean[c]) / std::sqrt(variance[c] + epsilon) * scale[c] + bias[c];
  }
  std::vector<Tensor> results = {convert(y, type.type)};
  results.insert(results.end(), statistics.begin(), statistics.end());
  return results;
}

/// y = (y - mean) / sqrt(variance + epsilon) for each of the groups.
Moments standardize(Tensor& y, std::span<const std::size_t> groups, std::size_t count,
                    double epsilon) {
  const auto values = y.data<double>();
  Moments moments = moments_of(values, groups, count);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] =
        (values[i] - moments.mean[groups[i]]) / std::sqrt(moments.variance[groups[i]] + epsilon);
  return moments;
}

/// y = y * scale[index] + bias[index]; an empty bias is zero.
void scale_and_shift(Tensor& y, std::span<const std::size_t> indices, std::span<const double> scale,
                     std::span<const double> bias) {
  const auto values = y.data<double>();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = values[i] * scale[indices[i]] + (bias.empty() ? 0.0 : bias[indices[i]]);
}

std::vector<std::size_t> groups_along(const Shape& shape, int first_axis) {
  std::vector<int> axes(shape.size() - static_cast<std::size_t>(first_axis));
  std::iota(axes.begin(), axes.end(), first_axis);
  return broadcast_indices(reduced_shape(shape, axes), shape);
}

std::vector<TensorType> infer_instance(const InferContext& context) {
  check_operands(context.node, 3, 3);
  check_floating(context);
  check_channel_operands(context, 1, 3);
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_instance(const EvalContext& context) {
  const TensorType type = output_types(context, infer_instance)[0];
  Tensor y = working_copy(context);
  const Shape& shape = y.shape();
  standardize(y, groups_along(shape, 2), static_cast<std::size_t>(extent_product(shape, 0, 2)),
              epsilon_of(context.node));
  scale_and_shift(y, channel_indices(shape), values_of(context.inputs[1]),
                  values_of(context.inputs[2]));
  return {convert(y, type.type)};
}

/// From operator set 21 on, scale and bias are per channel; before, per group.
std::vector<TensorType> infer_group(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 3, 3);
  check_floating(context);
  const auto& x = context.inputs[0].shape;
  if (!x) return {context.inputs[0]};
  const std::int64_t groups = node.attributes.integer("num_groups", 0);
  if (x->size() < 2 || groups < 1 || (*x)[1] % groups != 0)
    refuse(node, "the channels of an input {} do not divide into {} groups", to_string(*x), groups);
  const std::int64_t entries = node.version >= 21 ? (*x)[1] : groups;
  check_shape(context, 1, {entries}, "the scale");
  check_shape(context, 2, {entries}, "the bias");
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_group(const EvalContext& context) {
  const TensorType type = output_types(context, infer_group)[0];
  const Shape& shape = context.inputs[0].shape();
  const std::int64_t groups = context.node.attributes.integer("num_groups", 0);
  const std::int64_t members = extent_product(shape, 1, shape.size()) / groups;
  Tensor y = working_copy(context).reshaped({shape[0], groups, members});
  standardize(y, groups_along(y.shape(), 2), static_cast<std::size_t>(shape[0] * groups),
              epsilon_of(context.node));
  const Shape scaled = context.node.version >= 21 ? shape : y.shape();
  y = y.reshaped(scaled);
  scale_and_shift(y, channel_indices(scaled), values_of(context.inputs[1]),
                  values_of(context.inputs[2]));
  return {convert(y.reshaped(shape), type.type)};
}

std::vector<TensorType> infer_layer(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 3);
  check_floating(context);
  const auto& x = context.inputs[0].shape;
  TensorType statistics{ElementType::f32, std::nullopt};
  if (!x) return {context.inputs[0], statistics, statistics};
  const int axis =
      normalize_axis(node, node.attributes.integer("axis", -1), static_cast<int>(x->size()));
  for (std::size_t i = 1; i < 3; ++i)
    if (context.has(i) && context.inputs[i].shape &&
        broadcast(node, *x, *context.inputs[i].shape) != *x)
      refuse(node, "operand {} has shape {}; it must broadcast to the input {}", i,
             to_string(*context.inputs[i].shape), to_string(*x));
  statistics.shape = *x;
  std::fill(statistics.shape->begin() + axis, statistics.shape->end(), 1);
  return {context.inputs[0], statistics, statistics};
}

std::vector<Tensor> evaluate_layer(const EvalContext& context) {
  const std::vector<TensorType> types = output_types(context, infer_layer);
  Tensor y = working_copy(context);
  const Shape& shape = y.shape();
  const int axis =
      normalize_axis(context.node, context.node.attributes.integer("axis", -1), y.rank());
  Tensor mean = allocate(context.node, types[1]), deviation = allocate(context.node, types[2]);
  const double epsilon = epsilon_of(context.node);
  const Moments moments =
      standardize(y, groups_along(shape, axis), static_cast<std::size_t>(mean.size()), epsilon);
  for (std::size_t g = 0; g < moments.mean.size(); ++g) {
    mean.data<float>()[g] = static_cast<float>(moments.mean[g]);
    deviation.data<float>()[g] = static_cast<float>(1 / std::sqrt(moments.variance[g] + epsilon));
  }
  scale_and_shift(y, broadcast_indices(context.inputs[1].shape(), shape),
                  values_of(context.inputs[1]), {});
  if (context.has(2)) {
    const auto bias = values_of(context.inputs[2]);
    const auto indices = broadcast_indices(context.inputs[2].shape(), shape);
    const auto values = y.data<double>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += bias[indices[i]];
  }
  return {convert(y, types[0].type), mean, deviation};
}

std::vector<TensorType> infer_rms(const InferContext& context) {
  check_operands(context.node, 2, 2);
  return {infer_layer(context)[0]};
}

/// x / sqrt(mean(x * x) + epsilon) * scale over the axes from `axis` on.
std::vector<Tensor> evaluate_rms(const EvalContext& context) {
  const TensorType type = output_types(context, infer_rms)[0];
  Tensor y = working_copy(context);
  const int axis =
      normalize_axis(context.node, context.node.attributes.integer("axis", -1), y.rank());
  const auto groups = groups_along(y.shape(), axis);
  const auto values = y.data<double>();
  std::vector<double> squares(values.size()), members(values.size());  // at most as many groups
  for (std::size_t i = 0; i < values.size(); ++i) {
    squares[groups[i]] += values[i] * values[i];
    members[groups[i]] += 1;
  }
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] /= std::sqrt(squares[groups[i]] / members[groups[i]] + epsilon_of(context.node));
  scale_and_shift(y, broadcast_indices(context.inputs[1].shape(), y.shape()),
                  values_of(context.inputs[1]), {});
  return {convert(y, type.type)};
}

std::vector<TensorType> infer_lrn(const InferContext& context) {
  check_operands(context.node, 1, 1);
  check_floating(context);
  check_channel_operands(context, 1, 1);
  const std::int64_t size = context.node.attributes.integer("size", 0);
  if (size < 1) refuse(context.node, "size is {}; it must be positive", size);
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_lrn(const EvalContext& context) {
  const TensorType type = output_types(context, infer_lrn)[0];
  const Attributes& attributes = context.node.attributes;
  const double alpha = attributes.number("alpha", 1e-4F), beta = attributes.number("beta", 0.75F);
  const double bias = attributes.number("bias", 1);
  Tensor y = working_copy(context);
  const Shape& shape = y.shape();
  const std::vector<double> x = values_of(context.inputs[0]);
  const std::int64_t channels = shape[1], plane = extent_product(shape, 2, shape.size());
  const std::int64_t size = std::min(attributes.integer("size", 1), 2 * channels + 1);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t c = i / plane % channels;
    const std::int64_t first = std::max<std::int64_t>(c - (size - 1) / 2, 0);
    const std::int64_t last = std::min(c + size / 2, channels - 1);
    double squares = 0;
    for (std::int64_t k = first; k <= last; ++k) {
      const double value = x[static_cast<std::size_t>(i + (k - c) * plane)];
      squares += value * value;
    }
    const auto divided = alpha / static_cast<double>(attributes.integer("size", 1));
    y.data<double>()[static_cast<std::size_t>(i)] /= std::pow(bias + divided * squares, beta);
  }
  return {convert(y, type.type)};
}

std::vector<TensorType> infer_lp(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 1);
  check_floating(context);
  const std::int64_t p = node.attributes.integer("p", 2);
  if (p != 1 && p != 2) refuse(node, "p is {}; it must be 1 or 2", p);
  if (context.inputs[0].shape)
    normalize_axis(node, node.attributes.integer("axis", -1),
                   static_cast<int>(context.inputs[0].shape->size()));
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_lp(const EvalContext& context) {
  const TensorType type = output_types(context, infer_lp)[0];
  Tensor y = working_copy(context);
  const int axis =
      normalize_axis(context.node, context.node.attributes.integer("axis", -1), y.rank());
  const bool absolute = context.node.attributes.integer("p", 2) == 1;
  const Shape reduced = reduced_shape(y.shape(), {axis});
  const auto groups = broadcast_indices(reduced, y.shape());
  const auto values = y.data<double>();
  std::vector<double> norm(static_cast<std::size_t>(element_count(reduced)));
  for (std::size_t i = 0; i < values.size(); ++i)
    norm[groups[i]] += absolute ? std::fabs(values[i]) : values[i] * values[i];
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double length = absolute ? norm[groups[i]] : std::sqrt(norm[groups[i]]);
    values[i] = length == 0 ? 0 : values[i] / length;
  }
  return {convert(y, type.type)};
}

std::vector<int> mean_variance_axes(const Node& node, int rank) {
  return normalize_axes(node, node.attributes.integers("axes", {0, 2, 3}), rank);
}

std::vector<TensorType> infer_mean_variance(const InferContext& context) {
  check_operands(context.node, 1, 1);
  check_floating(context);
  if (context.inputs[0].shape)
    mean_variance_axes(context.node, static_cast<int>(context.inputs[0].shape->size()));
  return {context.inputs[0]};
}

std::vector<Tensor> evaluate_mean_variance(const EvalContext& context) {
  const TensorType type = output_types(context, infer_mean_variance)[0];
  Tensor y = working_copy(context);
  const Shape reduced = reduced_shape(y.shape(), mean_variance_axes(context.node, y.rank()));
  standardize(y, broadcast_indices(reduced, y.shape()),
              static_cast<std::size_t>(element_count(reduced)), 1e-18);
  return {convert(y, type.type)};
}

const Definition definitions[] = {
    {.op = "BatchNormalization", .infer = infer_batch, .evaluate = evaluate_batch},
    {.op = "InstanceNormalization", .infer = infer_instance, .evaluate = evaluate_instance},
    {.op = "LayerNormalization", .infer = infer_layer, .evaluate = evaluate_layer},
    {.op = "RMSNormalization", .first = 23, .infer = infer_rms, .evaluate = evaluate_rms},
    {.op = "GroupNormalization", .first = 18, .infer = infer_group, .evaluate = evaluate_group},
    {.op = "LRN", .infer = infer_lrn, .evaluate = evaluate_lrn},
    {.op = "LpNormalization", .infer = infer_lp, .evaluate = evaluate_lp},
    {.op = "MeanVarianceNormalization",
     .first = 9,
     .infer = infer_mean_variance,
     .evaluate = evaluate_mean_variance},
    {.op = "Softmax", .infer = infer_softmax, .evaluate = evaluate_softmax},
    {.op = "LogSoftmax", .infer = infer_softmax, .evaluate = evaluate_softmax},
    {.op = "Hardmax", .infer = infer_softmax, .evaluate = evaluate_softmax},
};

}  // namespace

std::span<const Definition> normalization_definitions() {
  return definitions;
}

}  // namespace intact
