// QLinearConv, QLinearMatMul and the com.microsoft operators on integers become the operator on
// real numbers between FromBytes and Round. Constant integers become constants on their grids.
// Operators whose scales are computed at run time, or whose form has no real counterpart, stay.
#include <fmt/format.h>

#include <cmath>

#include "graph/passes/grid_operands.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

/// Position of a tensor's scale among a node's inputs; the zero point follows it.
struct Operand {
  std::size_t integers, scale;
};

/// How a node is read: gathers what the real operator needs and gives up by returning false.
class Conversion {
 public:
  Conversion(Graph& graph, Rewriter& rewriter, const Node& node)
      : graph_(graph), rewriter_(rewriter), node_(node) {
    real_.name = node.name;
    real_.sources = node.sources;
    real_.attributes = node.attributes;
    const auto opset = graph.opsets.find("");
    real_.version = opset == graph.opsets.end() ? 13 : opset->second;
  }

  Node& real() { return real_; }
  const Grid& input_grid(std::size_t i) const { return input_grids_[i]; }

  bool add_input(Operand operand, std::optional<int> channel_axis = std::nullopt);
  bool add_bias(std::size_t input, float factor, std::optional<int> axis);
  bool set_output_grid(std::size_t scale);
  bool finish();

 private:
  ElementType fallback_type(ValueId integers) const;
  ValueId reals_of(ValueId integers, const Grid& grid);

  Graph& graph_;
  Rewriter& rewriter_;
  const Node& node_;
  Node real_;
  std::vector<Grid> input_grids_;
  std::vector<ValueId> integers_;
  std::vector<Grid> grids_;
  std::optional<Grid> output_grid_;
};

/// Without zero points the type of the integers tells the grid's.
ElementType Conversion::fallback_type(ValueId integers) const {
  const ElementType type = graph_.value(integers).type;
  if (type != ElementType::undefined || grids_.empty()) return type;
  return grids_.front().type;
}

bool Conversion::add_input(Operand operand, std::optional<int> channel_axis) {
  if (!node_.has_input(operand.integers) || !node_.has_input(operand.scale)) return false;
  const ValueId integers = node_.inputs[operand.integers];
  GridOperands operands;
  operands.scale = node_.inputs[operand.scale];
  operands.zero_point =
      node_.has_input(operand.scale + 1) ? node_.inputs[operand.scale + 1] : no_value;
  operands.type = fallback_type(integers);
  operands.axis = channel_axis;
  operands.shared_zero_point = true;
  operands.shape = graph_.value(integers).shape;
  const bool several =
      graph_.is_constant(operands.scale) && graph_.value(operands.scale).constant.size() > 1;
  // Scales per row of an activation have no grid.
  if (several && !channel_axis) return false;
  std::optional<Grid> grid = constant_grid(graph_, node_, operands);
  if (!grid) return false;
  input_grids_.push_back(*grid);
  integers_.push_back(integers);
  grids_.push_back(std::move(*grid));
  return true;
}

/// A 32-bit bias counts in products of the scales of the first two inputs.
bool Conversion::add_bias(std::size_t input, float factor, std::optional<int> axis) {
  if (!node_.has_input(input)) return true;
  const Grid &x = input_grids_[0], &w = input_grids_[1];
  Grid grid{.type = ElementType::s32, .scale = {}, .zero_point = {}, .axis = std::nullopt};
  for (const float scale : w.scale) {
    grid.scale.push_back(factor * (x.scale[0] * scale));
    grid.zero_point.push_back(0);
    if (!std::isnormal(grid.scale.back()) || grid.scale.back() < 0) return false;
  }
  if (grid.scale.size() > 1) {
    const auto& shape = graph_.value(node_.inputs[input]).shape;
    if (!axis || !shape || static_cast<std::size_t>(*axis) >= shape->size() ||
        (*shape)[static_cast<std::size_t>(*axis)] != static_cast<std::int64_t>(grid.scale.size()))
      return false;
    grid.axis = axis;
  }
  integers_.push_back(node_.inputs[input]);
  grids_.push_back(std::move(grid));
  return true;
}

bool Conversion::set_output_grid(std::size_t scale) {
  if (!node_.has_input(scale)) return false;
  GridOperands operands;
  operands.scale = node_.inputs[scale];
  operands.zero_point = node_.has_input(scale + 1) ? node_.inputs[scale + 1] : no_value;
  operands.type = grids_.empty() ? ElementType::undefined : grids_.front().type;
  if (graph_.is_constant(operands.scale) && graph_.value(operands.scale).constant.size() > 1)
    return false;
  output_grid_ = constant_grid(graph_, node_, operands);
  return output_grid_.has_value();
}

ValueId Conversion::reals_of(ValueId integers, const Grid& grid) {
  // Copies: adding values moves them.
  const Tensor constant = graph_.value(integers).constant;
  const std::string name = graph_.value(integers).name;
  const ValueId reals = graph_.add_value(rewriter_.names.get(name + "/real"), ElementType::f32);
  graph_.value(reals).grid = grid;
  if (constant.defined()) {
    graph_.value(reals).constant = constant;
    graph_.value(reals).shape = constant.shape();
  } else {
    rewriter_.push(grid_node("FromBytes", node_.name + "/" + name, grid, integers, reals));
  }
  return reals;
}

bool Conversion::finish() {
  if (node_.outputs.size() != 1) return false;
  for (std::size_t i = 0; i < integers_.size(); ++i) {
    const Value& value = graph_.value(integers_[i]);
    if (value.is_constant() && value.constant.type() != grids_[i].type) return false;
  }
  real_.inputs.clear();
  for (std::size_t i = 0; i < integers_.size(); ++i)
    real_.inputs.push_back(reals_of(integers_[i], grids_[i]));
  const ValueId output = node_.outputs[0];
  if (!output_grid_) {
    graph_.value(output).type = ElementType::f32;
    real_.outputs = {output};
    rewriter_.push(std::move(real_));
    return true;
  }
  const std::string name = graph_.value(output).name;
  const Grid& grid = *output_grid_;
  const ValueId reals = graph_.add_value(rewriter_.names.get(name + "/real"), ElementType::f32);
  const ValueId rounded =
      graph_.add_value(rewriter_.names.get(name + "/rounded"), ElementType::f32);
  graph_.value(rounded).grid = grid;
  graph_.value(output).type = grid.type;
  real_.outputs = {reals};
  rewriter_.push(std::move(real_));
  rewriter_.push(grid_node("Round", node_.name + "/round", grid, reals, rounded));
  rewriter_.push(grid_node("Bytes", node_.name + "/bytes", grid, rounded, output));
  return true;
}

bool convert_conv(Conversion& conversion) {
  conversion.real().op = "Conv";
  return conversion.add_input({0, 1}) && conversion.add_input({3, 4}, 0) &&
         conversion.add_bias(8, 1.0f, 0) && conversion.set_output_grid(6);
}

std::optional<int> last_axis(const Graph& graph, const Node& node, std::size_t input) {
  if (!node.has_input(input)) return std::nullopt;
  const auto& shape = graph.value(node.inputs[input]).shape;
  if (!shape || shape->empty()) return std::nullopt;
  return static_cast<int>(shape->size()) - 1;
}

bool convert_matmul(const Graph& graph, const Node& node, Conversion& conversion) {
  conversion.real().op = "MatMul";
  return conversion.add_input({0, 1}) && conversion.add_input({3, 4}, last_axis(graph, node, 3)) &&
         conversion.set_output_grid(6);
}

bool convert_gemm(const Graph& graph, const Node& node, Conversion& conversion) {
  conversion.real().op = "Gemm";
  const int channels = node.attributes.integer("transB", 0) != 0 ? 0 : 1;
  if (!conversion.add_input({0, 1}) || !conversion.add_input({3, 4}, channels)) return false;
  if (!conversion.add_bias(6, node.attributes.number("alpha", 1.0f), last_axis(graph, node, 6)))
    return false;
  // Without an output scale the result is float.
  return !node.has_input(7) || conversion.set_output_grid(7);
}

bool convert_binary(const char* op, Conversion& conversion) {
  conversion.real().op = op;
  return conversion.add_input({0, 1}) && conversion.add_input({3, 4}) &&
         conversion.set_output_grid(6);
}

bool convert_unary(const char* op, Conversion& conversion) {
  conversion.real().op = op;
  return conversion.add_input({0, 1}) && conversion.set_output_grid(3);
}

bool convert_softmax(const Node& node, Conversion& conversion) {
  // The operator names the operator set whose Softmax it means.
  conversion.real().version = static_cast<int>(node.attributes.integer("opset", 13));
  conversion.real().attributes.erase("opset");
  return convert_unary("Softmax", conversion);
}

bool convert_pool(const char* op, const Node& node, Conversion& conversion) {
  if (node.attributes.integer("channels_last", 0) != 0) return false;
  conversion.real().attributes.erase("channels_last");
  return convert_unary(op, conversion);
}

bool convert_reduce_mean(Graph& graph, Rewriter& rewriter, const Node& node,
                         Conversion& conversion) {
  if (!convert_unary("ReduceMean", conversion)) return false;
  // Axes are an attribute here; before opset 18 of ReduceMean too.
  conversion.real().version = std::min(conversion.real().version, 13);
  return true;
}

bool convert_concat(const Node& node, Conversion& conversion) {
  conversion.real().op = "Concat";
  if (node.inputs.size() < 5 || (node.inputs.size() - 2) % 3 != 0) return false;
  for (std::size_t i = 2; i < node.inputs.size(); i += 3)
    if (!conversion.add_input({i, i + 1})) return false;
  return conversion.set_output_grid(0);
}

bool convert(Graph& graph, Rewriter& rewriter, const Node& node) {
  Conversion conversion(graph, rewriter, node);
  const auto converts = [&] {
    if (node.is("QLinearConv")) return convert_conv(conversion);
    if (node.is("QLinearMatMul")) return convert_matmul(graph, node, conversion);
    if (node.domain != "com.microsoft") return false;
    if (node.op == "QGemm") return convert_gemm(graph, node, conversion);
    if (node.op == "QLinearAdd") return convert_binary("Add", conversion);
    if (node.op == "QLinearMul") return convert_binary("Mul", conversion);
    if (node.op == "QLinearSigmoid") return convert_unary("Sigmoid", conversion);
    if (node.op == "QLinearLeakyRelu") return convert_unary("LeakyRelu", conversion);
    if (node.op == "QLinearSoftmax") return convert_softmax(node, conversion);
    if (node.op == "QLinearAveragePool") return convert_pool("AveragePool", node, conversion);
    if (node.op == "QLinearGlobalAveragePool")
      return convert_pool("GlobalAveragePool", node, conversion);
    if (node.op == "QLinearReduceMean")
      return convert_reduce_mean(graph, rewriter, node, conversion);
    if (node.op == "QLinearConcat") return convert_concat(node, conversion);
    return false;
  };
  return converts() && conversion.finish();
}

}  // namespace

void import_quantized_operators(Graph& graph) {
  Rewriter rewriter(graph);
  for (Node& node : rewriter.take_nodes())
    if (!convert(graph, rewriter, node)) rewriter.push(std::move(node));
  rewriter.finish();
}

}  // namespace intact
