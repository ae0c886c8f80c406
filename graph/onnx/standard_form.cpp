// QuantizeLinear and DequantizeLinear for the canonical form's operators.
#include "graph/onnx/standard_form.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "graph/convert.hpp"
#include "graph/onnx/upgrade.hpp"
#include "graph/passes/rewrite.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

/// Operator sets in which QuantizeLinear learned what a grid needs.
int needed_opset(const Grid& grid) {
  if (grid.type == ElementType::u2 || grid.type == ElementType::s2) return 25;
  if (grid.block != 0) return 21;
  switch (grid.type) {
    case ElementType::u4:
    case ElementType::s4:
    case ElementType::u16:
    case ElementType::s16:
      return 21;
    default:
      return grid.per_tensor() ? 10 : 13;
  }
}

int target_opset(const Graph& graph) {
  const auto declared = graph.opsets.find("");
  int result = declared == graph.opsets.end() ? 13 : declared->second;
  for (const Node& node : graph.nodes) {
    if (node.domain.empty()) result = std::max(result, node.version);
    if (node.grid) result = std::max(result, needed_opset(*node.grid));
    for (const ValueId id : node.inputs)
      if (graph.is_constant(id) && graph.value(id).grid)
        result = std::max(result, needed_opset(*graph.value(id).grid));
  }
  return result;
}

class StandardForm {
 public:
  explicit StandardForm(Graph& graph) : graph_(graph), names_(graph) {}
  void run();

 private:
  std::pair<ValueId, ValueId> grid_constants(const Grid& grid, ValueId reals);
  Node quantization(const char* op, std::string name, const Grid& grid, ValueId from, ValueId to);
  void push_round(Node& node);
  void push_bytes(Node& node);
  void split_constant(ValueId id);
  void find_uses(const std::vector<Node>& nodes);

  Graph& graph_;
  FreshNames names_;
  std::vector<Node> nodes_;
  std::vector<std::pair<Grid, std::pair<ValueId, ValueId>>> known_grids_;
  /// The integers of a Round's output.
  std::map<ValueId, ValueId> integers_;
  std::set<ValueId> real_uses_;
};

/// The shape of the scales of a tensor on a grid; only blocks depend on the shape of the tensor.
Shape scale_shape(const Grid& grid, const Value& value) {
  if (grid.per_tensor()) return {};
  if (grid.block == 0) return {static_cast<std::int64_t>(grid.scale.size())};
  if (!value.shape)
    throw Unsupported(fmt::format("'{}' has scales per block, but no known shape", value.name));
  Shape shape = *value.shape;
  std::int64_t& extent = shape[static_cast<std::size_t>(*grid.axis)];
  extent = extent / grid.block + (extent % grid.block != 0 ? 1 : 0);
  return shape;
}

/// Scale and zero point of `reals` as constants, shared between equal grids.
std::pair<ValueId, ValueId> StandardForm::grid_constants(const Grid& grid, ValueId reals) {
  const Shape shape = scale_shape(grid, graph_.value(reals));
  for (const auto& [known, ids] : known_grids_)
    if (known == grid && graph_.value(ids.first).shape == shape) return ids;
  const std::string name = graph_.value(reals).name;
  const ValueId scale =
      graph_.add_constant(names_.get(name + "/scale"), Tensor::from<float>(shape, grid.scale));
  ValueId zero_point = no_value;
  // 32-bit integers (biases) have none where it is 0: other readers refuse it.
  const bool plain = std::all_of(grid.zero_point.begin(), grid.zero_point.end(),
                                 [](std::int32_t zero) { return zero == 0; });
  if (grid.type != ElementType::s32 || !plain)
    zero_point =
        graph_.add_constant(names_.get(name + "/zero_point"),
                            convert(Tensor::from<std::int32_t>(shape, grid.zero_point), grid.type));
  known_grids_.emplace_back(grid, std::pair(scale, zero_point));
  return {scale, zero_point};
}

Node StandardForm::quantization(const char* op, std::string name, const Grid& grid, ValueId from,
                                ValueId to) {
  const auto [scale, zero_point] = grid_constants(grid, to);
  Node node;
  node.op = op;
  node.version = graph_.opsets[""];
  node.name = std::move(name);
  node.inputs = {from, scale};
  if (zero_point != no_value) node.inputs.push_back(zero_point);
  node.outputs = {to};
  if (!grid.per_tensor()) node.attributes.set("axis", std::int64_t{*grid.axis});
  if (grid.block != 0) node.attributes.set("block_size", grid.block);
  return node;
}

void StandardForm::push_round(Node& node) {
  const ValueId reals = node.outputs[0];
  if (!integers_.contains(reals))
    integers_[reals] =
        graph_.add_value(names_.get(graph_.value(reals).name + "/quantized"), node.grid->type);
  const ValueId integers = integers_[reals];
  nodes_.push_back(quantization("QuantizeLinear", node.name, *node.grid, node.inputs[0], integers));
  if (real_uses_.contains(reals))
    nodes_.push_back(
        quantization("DequantizeLinear", node.name + "/dequantize", *node.grid, integers, reals));
}

/// Reading the integers of a Round is reading what its QuantizeLinear writes.
void StandardForm::push_bytes(Node& node) {
  const auto known = integers_.find(node.inputs[0]);
  if (known != integers_.end() && known->second == node.outputs[0]) return;
  // Moved data: rounding what lies on the grid returns the integers.
  nodes_.push_back(
      quantization("QuantizeLinear", node.name, *node.grid, node.inputs[0], node.outputs[0]));
}

/// Finds who reads the integers of Rounds, and who their reals.
void StandardForm::find_uses(const std::vector<Node>& nodes) {
  std::set<ValueId> rounded;
  real_uses_.insert(graph_.outputs.begin(), graph_.outputs.end());
  for (const Node& node : nodes) {
    if (node.is_round()) rounded.insert(node.outputs[0]);
    const bool first = node.is_bytes() && rounded.contains(node.inputs[0]) &&
                       integers_.emplace(node.inputs[0], node.outputs[0]).second;
    if (!first) real_uses_.insert(node.inputs.begin(), node.inputs.end());
  }
}

/// A constant on a grid keeps its name as DequantizeLinear's output.
void StandardForm::split_constant(ValueId id) {
  const Grid grid = *graph_.value(id).grid;
  const std::string name = graph_.value(id).name;
  const ValueId integers = graph_.add_constant(names_.get(name + "/quantized"),
                                               std::exchange(graph_.value(id).constant, {}));
  nodes_.push_back(quantization("DequantizeLinear", name + "/dequantize", grid, integers, id));
}

void StandardForm::run() {
  std::vector<Node> old = std::exchange(graph_.nodes, {});
  find_uses(old);
  for (const ValueId id : graph_.outputs)
    if (graph_.is_constant(id) && graph_.value(id).grid) split_constant(id);
  for (Node& node : old) {
    for (const ValueId id : node.inputs)
      if (graph_.is_constant(id) && graph_.value(id).grid) split_constant(id);
    if (node.is_round())
      push_round(node);
    else if (node.is_bytes())
      push_bytes(node);
    else if (node.is_from_bytes())
      nodes_.push_back(
          quantization("DequantizeLinear", node.name, *node.grid, node.inputs[0], node.outputs[0]));
    else
      nodes_.push_back(std::move(node));
  }
  graph_.nodes = std::move(nodes_);
}

}  // namespace

Graph standard_form(Graph graph) {
  raise_opset(graph, target_opset(graph));
  StandardForm(graph).run();
  return graph;
}

}  // namespace intact
