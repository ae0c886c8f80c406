// Constants on grids.
#include "graph/passes/rewrite.hpp"
#include "graph/reals.hpp"
#include "quantize/grids/grids.hpp"
#include "quantize/write/write.hpp"

namespace intact {
namespace {

class Constants {
 public:
  Constants(Graph& graph, const GridPlan& plan, const WeightOptions& options)
      : graph_(graph), plan_(plan), options_(options), names_(graph) {
    const auto consumers = graph.consumers();
    for (std::size_t i = 0; i < consumers.size(); ++i)
      uses_.push_back(consumers[i].size() + (graph.is_output(static_cast<ValueId>(i)) ? 1 : 0));
  }
  void quantize_product(Node& node);
  void quantize_operands(Node& node, const Choice& choice);

 private:
  void put(Node& node, std::size_t input, QuantizedWeights quantized);

  Graph& graph_;
  const GridPlan& plan_;
  const WeightOptions& options_;
  FreshNames names_;
  std::vector<std::size_t> uses_;
};

/// A constant that others read too stays as it is beside its quantized copy.
void Constants::put(Node& node, std::size_t input, QuantizedWeights quantized) {
  ValueId& id = node.inputs[input];
  if (uses_[static_cast<std::size_t>(id)] > 1)
    id = graph_.add_constant(names_.get(graph_.value(id).name + "/of/" + node.name), Tensor{});
  Value& value = graph_.value(id);
  value.type = ElementType::f32;
  value.shape = quantized.integers.shape();
  value.constant = std::move(quantized.integers);
  value.grid = std::move(quantized.grid);
}

void Constants::quantize_product(Node& node) {
  const float input_scale = plan_.grid(node.inputs[0]).scale[0];
  const std::optional<int> axis =
      options_.per_channel ? std::optional<int>(output_channel_axis(node)) : std::nullopt;
  const Tensor bias = node.has_input(2) ? graph_.value(node.inputs[2]).constant : Tensor{};
  const auto bias_values = bias.defined() ? bias.data<float>() : std::span<const float>{};
  QuantizedWeights weights =
      quantize_weights(graph_.value(node.inputs[1]).constant, axis, bias_values, input_scale);
  if (bias.defined()) put(node, 2, quantize_bias(bias, bias.rank() - 1, input_scale, weights.grid));
  put(node, 1, std::move(weights));
}

void Constants::quantize_operands(Node& node, const Choice& choice) {
  for (const std::size_t i : choice.operands) {
    if (!graph_.is_constant(node.inputs[i])) continue;
    const Grid& grid = plan_.grid(node.inputs[i]);
    put(node, i, {quantize(graph_.value(node.inputs[i]).constant, grid), grid});
  }
}

}  // namespace

void quantize_constants(Graph& graph, const Selection& selection, const GridPlan& plan,
                        const WeightOptions& options) {
  Constants constants(graph, plan, options);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Choice& choice = selection.nodes[i];
    if (choice.role == Role::product)
      constants.quantize_product(graph.nodes[i]);
    else if (choice.role)
      constants.quantize_operands(graph.nodes[i], choice);
  }
}

}  // namespace intact
