// Losses that exported training graphs carry: NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss.
#include <algorithm>
#include <cmath>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {

namespace {

enum class Mode { none, sum, mean };

Mode reduction_mode(const Node& node) {
  const std::string text = node.attributes.text("reduction", "mean");
  if (text == "none") return Mode::none;
  if (text == "sum") return Mode::sum;
  if (text == "mean") return Mode::mean;
  refuse(node, "the attribute reduction is '{}'; it must be none, sum or mean", text);
}

/// Scores are [batch, classes, spatial...], labels [batch, spatial...], weights [classes].
std::vector<TensorType> infer_loss(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 3);
  const TensorType &scores = context.inputs[0], &labels = context.inputs[1];
  if (!is_float(scores.type))
    refuse(node, "the scores have elements of type {}; they must be floating-point",
           element_name(scores.type));
  const Mode mode = reduction_mode(node);
  TensorType loss{scores.type, Shape{}};
  if (mode == Mode::none) loss.shape = labels.shape;
  if (!scores.shape || !labels.shape) return {loss, scores};
  Shape wanted = *scores.shape;
  if (wanted.size() < 2)
    refuse(node, "the scores have shape {}; they must be [batch, classes, ...]", to_string(wanted));
  if (context.has(2) && context.inputs[2].shape && *context.inputs[2].shape != Shape{wanted[1]})
    refuse(node, "the weights have shape {}; one per class, [{}], is needed",
           to_string(*context.inputs[2].shape), wanted[1]);
  wanted.erase(wanted.begin() + 1);
  if (*labels.shape != wanted)
    refuse(node, "the labels have shape {}; {} is needed", to_string(*labels.shape),
           to_string(wanted));
  return {loss, scores};
}

/// Joins the losses of single labels as the attribute says; the mean is weighted.
Tensor reduced_loss(const Node& node, const TensorType& type, const std::vector<double>& losses,
                    double total_weight) {
  if (reduction_mode(node) == Mode::none)
    return convert(Tensor::from<double>(*type.shape, losses), type.type);
  double sum = 0;
  for (const double loss : losses) sum += loss;
  return convert(Tensor::scalar(reduction_mode(node) == Mode::mean ? sum / total_weight : sum),
                 type.type);
}

/// The loss of log probabilities [batch, classes, inner].
Tensor likelihood_loss(const EvalContext& context, const TensorType& type,
                       const Tensor& log_probabilities) {
  const Node& node = context.node;
  const Tensor labels = convert(context.inputs[1], ElementType::s64);
  const Tensor weights = context.has(2) ? convert(context.inputs[2], ElementType::f64) : Tensor{};
  const bool ignores = node.attributes.has("ignore_index");
  const std::int64_t ignored = node.attributes.integer("ignore_index", 0);
  const std::int64_t classes = log_probabilities.shape()[1];
  const std::int64_t inner =
      extent_product(log_probabilities.shape(), 2, log_probabilities.shape().size());
  const auto scores = log_probabilities.data<double>();
  std::vector<double> losses(static_cast<std::size_t>(labels.size()));
  double total_weight = 0;
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    const std::int64_t label = labels.data<std::int64_t>()[static_cast<std::size_t>(i)];
    if (ignores && label == ignored) continue;
    if (label < 0 || label >= classes)
      refuse(node, "label {} is out of range for {} classes", label, classes);
    const double weight =
        weights.defined() ? weights.data<double>()[static_cast<std::size_t>(label)] : 1.0;
    const std::int64_t at = (i / inner * classes + label) * inner + i % inner;
    losses[static_cast<std::size_t>(i)] = -weight * scores[static_cast<std::size_t>(at)];
    total_weight += weight;
  }
  return reduced_loss(node, type, losses, total_weight);
}

std::vector<Tensor> evaluate_likelihood_loss(const EvalContext& context) {
  const auto types = output_types(context, infer_loss);
  return {likelihood_loss(context, types[0], convert(context.inputs[0], ElementType::f64))};
}

/// log(softmax) along the classes.
Tensor log_softmax(const Tensor& scores) {
  Tensor result = convert(scores, ElementType::f64).clone();
  const std::int64_t classes = scores.shape()[1];
  const std::int64_t inner = extent_product(scores.shape(), 2, scores.shape().size());
  const auto data = result.data<double>();
  const std::int64_t rows = classes == 0 ? 0 : scores.size() / classes;
  for (std::int64_t row = 0; row < rows; ++row) {
    double* first = data.data() + row / inner * classes * inner + row % inner;
    double greatest = first[0], sum = 0;
    for (std::int64_t c = 1; c < classes; ++c) greatest = std::max(greatest, first[c * inner]);
    for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(first[c * inner] - greatest);
    for (std::int64_t c = 0; c < classes; ++c) first[c * inner] -= greatest + std::log(sum);
  }
  return result;
}

std::vector<Tensor> evaluate_cross_entropy(const EvalContext& context) {
  const auto types = output_types(context, infer_loss);
  const Tensor log_probabilities = log_softmax(context.inputs[0]);
  return {likelihood_loss(context, types[0], log_probabilities),
          convert(log_probabilities, types[1].type)};
}

}  // namespace

std::span<const Definition> loss_definitions() {
  static const Definition definitions[] = {
      {.op = "NegativeLogLikelihoodLoss",
       .infer = infer_loss,
       .evaluate = evaluate_likelihood_loss},
      {.op = "SoftmaxCrossEntropyLoss", .infer = infer_loss, .evaluate = evaluate_cross_entropy},
  };
  return definitions;
}

}  // namespace intact
