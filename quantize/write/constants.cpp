// Constants on grids.
#include "graph/passes/rewrite.hpp"
#include "graph/reals.hpp"
#include "quantize/grids/grids.hpp"
#include "quantize/write/write.hpp"

namespace intact {
namespace {

class Constants {
 public:
  Constants(Graph& graph, const Selection& selection, const GridPlan& plan)
      : graph_(graph),
        selection_(selection),
        plan_(plan),
        names_(graph),
        consumers_(graph.consumers()) {
    for (std::size_t i = 0; i < consumers_.size(); ++i)
      uses_.push_back(consumers_[i].size() + (graph.is_output(static_cast<ValueId>(i)) ? 1 : 0));
  }
  void quantize_product(std::size_t index, const AdaptedWeights& adapted);
  void quantize_operands(Node& node, const Choice& choice);

 private:
  void put(Node& node, std::size_t input, Tensor constant, std::optional<Grid> grid);
  void change_bias(std::size_t product, std::span<const double> change);

  Graph& graph_;
  const Selection& selection_;
  const GridPlan& plan_;
  FreshNames names_;
  std::vector<std::vector<int>> consumers_;
  std::vector<std::size_t> uses_;
};

/// A constant that others read too stays as it is beside its quantized copy.
void Constants::put(Node& node, std::size_t input, Tensor constant, std::optional<Grid> grid) {
  ValueId& id = node.inputs[input];
  if (uses_[static_cast<std::size_t>(id)] > 1)
    id = graph_.add_constant(names_.get(graph_.value(id).name + "/of/" + node.name), Tensor{});
  Value& value = graph_.value(id);
  value.type = ElementType::f32;
  value.shape = constant.shape();
  value.constant = std::move(constant);
  value.grid = std::move(grid);
}

/// Adds to the bias, which a Conv or Gemm gets where it has none.
void Constants::change_bias(std::size_t product, std::span<const double> change) {
  const BiasOperand operand =
      bias_operand(graph_, selection_, consumers_, static_cast<int>(product));
  Node& node = graph_.nodes[static_cast<std::size_t>(operand.node)];
  Tensor bias(ElementType::f32, {static_cast<std::int64_t>(change.size())});
  if (node.has_input(operand.input)) {
    bias = graph_.value(node.inputs[operand.input]).constant.clone();
  } else {
    node.inputs.resize(operand.input + 1, no_value);
    node.inputs[operand.input] = graph_.add_constant(names_.get(node.name + "/bias"), bias);
    uses_.resize(graph_.values.size(), 1);
  }
  const auto values = bias.data<float>();
  for (std::size_t c = 0; c < change.size(); ++c)
    values[c] = static_cast<float>(static_cast<double>(values[c]) + change[c]);
  put(node, operand.input, std::move(bias), std::nullopt);
}

void Constants::quantize_product(std::size_t index, const AdaptedWeights& adapted) {
  if (!adapted.bias_change.empty()) change_bias(index, adapted.bias_change);
  Node& node = graph_.nodes[index];
  const auto& [integers, grid] = adapted.weights;
  if (node.has_input(2)) {
    const Tensor bias = graph_.value(node.inputs[2]).constant;
    const float input_scale = plan_.grid(node.inputs[0]).scale[0];
    auto [bias_integers, bias_grid] = quantize_bias(bias, bias.rank() - 1, input_scale, grid);
    put(node, 2, std::move(bias_integers), std::move(bias_grid));
  }
  put(node, 1, integers, grid);
}

void Constants::quantize_operands(Node& node, const Choice& choice) {
  for (const std::size_t i : choice.operands) {
    if (!graph_.is_constant(node.inputs[i])) continue;
    const Grid& grid = plan_.grid(node.inputs[i]);
    put(node, i, quantize(graph_.value(node.inputs[i]).constant, grid), grid);
  }
}

}  // namespace

void quantize_constants(Graph& graph, const Selection& selection, const GridPlan& plan,
                        std::span<const std::optional<AdaptedWeights>> weights) {
  Constants constants(graph, selection, plan);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Choice& choice = selection.nodes[i];
    if (choice.role == Role::product)
      constants.quantize_product(i, *weights[i]);
    else if (choice.role)
      constants.quantize_operands(graph.nodes[i], choice);
  }
}

}  // namespace intact
