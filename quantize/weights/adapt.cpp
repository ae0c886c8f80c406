// The inputs of products become outputs of a copy of the model; their moments decide how weights
// are rounded.
#include "quantize/weights/adapt.hpp"

#include <algorithm>
#include <atomic>

#include "core/thread_team.hpp"
#include "intact/cpu.hpp"
#include "quantize/calibration/observed_model.hpp"
#include "quantize/select/embeddings.hpp"
#include "quantize/weights/columns.hpp"
#include "quantize/weights/layout.hpp"
#include "quantize/weights/moments.hpp"
#include "quantize/weights/rounding.hpp"

namespace intact {
namespace {

/// Columns of a product over all samples: enough to tell covariances, no more than time allows.
std::size_t wanted_columns(std::size_t depth) {
  return std::clamp<std::size_t>(4 * depth, 512, 4096);
}

struct Product {
  int node = 0;
  WeightLayout layout;
  InputMoments moments;
};

class Adapter {
 public:
  Adapter(const Graph& graph, const Selection& selection, const GridPlan* plan,
          const QuantizeOptions& options);
  void observe(const CalibrationData& data, int samples);
  std::vector<std::optional<AdaptedWeights>> adapt() const;

 private:
  const Node& node(const Product& product) const {
    return graph_.nodes[static_cast<std::size_t>(product.node)];
  }
  const Tensor& weights(const Product& product) const {
    return graph_.value(node(product).inputs[1]).constant;
  }
  Grid grid_of(ValueId input, const Tensor& sample) const {
    return plan_ ? plan_->grid(input) : activation_grid(min_max(sample.data<float>()));
  }
  AdaptedWeights nearest(const Node& node) const;
  AdaptedWeights adapt(const Product& product) const;
  void change_means(const Product& product, AdaptedWeights& adapted) const;
  template <class Body>
  void for_each_product(const Body& body) const;

  const Graph& graph_;
  const Selection& selection_;
  const GridPlan* plan_;
  const QuantizeOptions& options_;
  std::vector<std::vector<int>> consumers_;
  std::vector<Product> products_;
  std::vector<ValueId> inputs_;  ///< of products_
};

Adapter::Adapter(const Graph& graph, const Selection& selection, const GridPlan* plan,
                 const QuantizeOptions& options)
    : graph_(graph),
      selection_(selection),
      plan_(plan),
      options_(options),
      consumers_(graph.consumers()) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (selection.nodes[i].role != Role::product) continue;
    const Node& node = graph.nodes[i];
    if (!has_layout(node)) continue;
    const WeightLayout layout = weight_layout(node, graph.value(node.inputs[1]).constant.shape());
    products_.push_back({static_cast<int>(i), layout, InputMoments(layout)});
    inputs_.push_back(node.inputs[0]);
  }
}

/// Each thread takes the next product; which one has no influence on the result.
template <class Body>
void Adapter::for_each_product(const Body& body) const {
  std::atomic<std::size_t> next{0};
  run_parallel(options_.threads == 0 ? usable_cpus() : options_.threads, [&](Part, Barrier&) {
    for (std::size_t i = next++; i < products_.size(); i = next++) body(i);
  });
}

void Adapter::observe(const CalibrationData& data, int samples) {
  const ObservedModel model(graph_, inputs_, options_.threads);
  const CalibrationSource source = data();
  for (std::uint64_t number = 0; const auto sample = source(); ++number) {
    const std::vector<Tensor> inputs = model.run(*sample);
    for_each_product([&](std::size_t i) {
      Product& product = products_[i];
      const std::size_t count =
          wanted_columns(product.layout.depth) / static_cast<std::size_t>(samples) + 1;
      std::vector<float> columns;
      sample_columns(node(product), weights(product).shape(), inputs[i], count, number * count,
                     columns);
      product.moments.add(columns, grid_of(node(product).inputs[0], inputs[i]));
    });
  }
}

AdaptedWeights Adapter::nearest(const Node& node) const {
  const std::optional<int> axis =
      options_.per_channel ? std::optional<int>(output_channel_axis(node)) : std::nullopt;
  // Where the input's grid is found at run time, the bias stays float.
  std::span<const float> own_bias;
  if (plan_ && node.has_input(2)) own_bias = graph_.value(node.inputs[2]).constant.data<float>();
  const float input_scale = plan_ ? plan_->grid(node.inputs[0]).scale[0] : 1;
  return {quantize_weights(graph_.value(node.inputs[1]).constant, axis, own_bias, input_scale,
                           largest_weight(options_)),
          {},
          {}};
}

AdaptedWeights Adapter::adapt(const Product& product) const {
  const InputMoments& moments = product.moments;
  AdaptedWeights result = nearest(node(product));
  if (moments.count() == 0) return result;
  const BiasOperand bias = bias_operand(graph_, selection_, consumers_, product.node);
  const bool around_mean = bias.node >= 0;
  result.weights.integers = round_by_moments(weights(product), product.layout, result.weights.grid,
                                             moments, around_mean, largest_weight(options_));
  if (!around_mean) return result;
  change_means(product, result);
  return result;
}

/// E[w x] before, E[q s x'] after, with E[w c] between them for the clipped c. The taps of a
/// ConvTranspose serve one output in turns.
void Adapter::change_means(const Product& product, AdaptedWeights& adapted) const {
  const WeightLayout& layout = product.layout;
  const InputMoments& moments = product.moments;
  const Grid& grid = adapted.weights.grid;
  const auto values = weights(product).data<float>();
  const auto integers = adapted.weights.integers.data<std::int8_t>();
  double turns = 1;
  if (layout.same_columns)
    for (const std::int64_t step : node(product).attributes.integers("strides"))
      turns *= static_cast<double>(step);
  adapted.bias_change.resize(layout.channels());
  adapted.clipping_change.resize(layout.channels());
  for (std::size_t group = 0; group < layout.groups; ++group) {
    for (std::size_t output = 0; output < layout.outputs; ++output) {
      const std::size_t channel = layout.channel(group, output);
      const auto scale = static_cast<double>(grid.scale[grid.per_tensor() ? 0 : channel]);
      for (std::size_t row = 0; row < layout.depth; ++row) {
        const std::size_t at = layout.element(group, row, output);
        const std::size_t i = (layout.same_columns ? 0 : group * layout.depth) + row;
        const auto weight = static_cast<double>(values[at]);
        adapted.bias_change[channel] +=
            (weight * moments.clipped_mean(i) - scale * integers[at] * moments.rounded_mean(i)) /
            turns;
        adapted.clipping_change[channel] +=
            weight * (moments.mean(i) - moments.clipped_mean(i)) / turns;
      }
    }
  }
}

std::vector<std::optional<AdaptedWeights>> Adapter::adapt() const {
  std::vector<std::optional<AdaptedWeights>> result(graph_.nodes.size());
  const std::map<ValueId, int> embeddings = find_embeddings(graph_);
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    // Those that move on a grid now too: they do not when their readers stay float.
    if (selection_.nodes[i].role && embeddings.contains(node.outputs[0]))
      result[i] = quantize_table(graph_.value(node.inputs[0]).constant, options_);
    else if (selection_.nodes[i].role == Role::product && !has_layout(node))
      result[i] = nearest(node);
  }
  for_each_product([&](std::size_t i) {
    result[static_cast<std::size_t>(products_[i].node)] = adapt(products_[i]);
  });
  return result;
}

}  // namespace

AdaptedWeights quantize_table(const Tensor& table, const QuantizeOptions& options) {
  const std::optional<int> columns = options.per_channel ? std::optional<int>(1) : std::nullopt;
  return {quantize_weights(table, columns, {}, 1), {}, {}};
}

BiasOperand bias_operand(const Graph& graph, const Selection& selection,
                         const std::vector<std::vector<int>>& consumers, int product) {
  const Node& node = graph.nodes[static_cast<std::size_t>(product)];
  if (!node.is("MatMul")) return {product, 2};
  for (const int consumer : consumers[static_cast<std::size_t>(node.outputs[0])]) {
    if (selection.nodes[static_cast<std::size_t>(consumer)].role != Role::bias) continue;
    const Node& add = graph.nodes[static_cast<std::size_t>(consumer)];
    return {consumer, add.inputs[0] == node.outputs[0] ? 1u : 0u};
  }
  return {};
}

std::vector<std::optional<AdaptedWeights>> adapt_weights(const Graph& graph,
                                                         const Selection& selection,
                                                         const GridPlan* plan,
                                                         const CalibrationData& data, int samples,
                                                         const QuantizeOptions& options) {
  Adapter adapter(graph, selection, plan, options);
  if (options.effort != Effort::low && data && samples > 0) adapter.observe(data, samples);
  return adapter.adapt();
}

}  // namespace intact
