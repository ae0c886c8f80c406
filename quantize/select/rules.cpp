// One rule per operator family.
#include "quantize/select/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "graph/definition.hpp"

namespace intact {
namespace {

Choice chosen(Role role, std::vector<std::size_t> operands) {
  return {role, "", std::move(operands)};
}
Choice kept(std::string reason) {
  return {std::nullopt, std::move(reason), {}};
}

bool is_float(const Graph& graph, ValueId id) {
  return id != no_value && graph.value(id).type == ElementType::f32;
}

bool is_float_constant(const Graph& graph, ValueId id) {
  return graph.is_constant(id) && is_float(graph, id);
}

std::size_t rank_of(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (value.is_constant()) return value.constant.shape().size();
  return value.shape ? value.shape->size() : 0;
}

/// A bias operand is absent, or has one constant per output channel.
bool has_channel_bias(const Graph& graph, const Node& node, std::int64_t channels) {
  if (!node.has_input(2)) return true;
  if (!is_float_constant(graph, node.inputs[2])) return false;
  const Shape& shape = graph.value(node.inputs[2]).constant.shape();
  return !shape.empty() && shape.back() == channels && element_count(shape) == channels;
}

Choice judge_matrices(const Graph& graph, const Node& node) {
  if (rank_of(graph, node.inputs[0]) < 2 || rank_of(graph, node.inputs[1]) < 2)
    return kept("one of its operands has no two axes");
  return chosen(Role::matrices, {0, 1});
}

Choice judge_product(const Graph& graph, const Node& node) {
  const ValueId weights = node.inputs.at(1);
  if (graph.is_constant(node.inputs[0])) return kept("its first operand is constant");
  if (node.is("MatMul") && !graph.is_constant(weights)) return judge_matrices(graph, node);
  if (!is_float_constant(graph, weights)) return kept("its weights are not constant");
  const Shape& shape = graph.value(weights).constant.shape();
  if (element_count(shape) == 0) return kept("it has no weights");
  if (node.is("Conv") || node.is("ConvTranspose")) {
    if (shape.size() < 3 || shape.size() > 5)
      return kept("there is no integer kernel for more than three spatial axes");
  } else if (shape.size() != 2) {
    return kept("its weights are not a matrix");
  }
  if (node.is("ConvTranspose") && node.attributes.integer("group", 1) != 1)
    return kept(
        "ConvTranspose in groups is quantized by hand only: no axis of its weights has one "
        "element per output channel");
  if (node.is("Gemm") &&
      (node.attributes.integer("transA", 0) != 0 || node.attributes.number("alpha", 1) != 1 ||
       (node.has_input(2) && node.attributes.number("beta", 1) != 1)))
    return kept("Gemm with transA, alpha or beta is not quantized");
  const auto axis = static_cast<std::size_t>(output_channel_axis(node));
  if (!has_channel_bias(graph, node, shape[axis]))
    return kept("its bias is not one constant per output channel");
  return chosen(Role::product, {0});
}

Choice judge_arithmetic(const Graph& graph, const Node& node) {
  if (graph.is_constant(node.inputs.at(0)) && graph.is_constant(node.inputs.at(1)))
    return kept("both operands are constant");
  return chosen(Role::arithmetic, {0, 1});
}

Choice judge_extreme(const Graph& graph, const Node& node) {
  if (node.inputs.size() != 2) return kept("only Max and Min of two operands are quantized");
  // A bound may be far outside of the other operand, and even infinite.
  if (graph.is_constant(node.inputs[0]) || graph.is_constant(node.inputs[1]))
    return kept("one of its operands is constant");
  return chosen(Role::arithmetic, {0, 1});
}

bool averages_image(const Graph& graph, const Node& node) {
  const auto rank = static_cast<std::int64_t>(rank_of(graph, node.inputs[0]));
  if (rank < 4) return false;
  std::vector<std::int64_t> axes = node.attributes.integers("axes");
  if (node.has_input(1)) {
    if (!graph.is_constant(node.inputs[1])) return false;
    const auto given = graph.value(node.inputs[1]).constant.data<std::int64_t>();
    axes.assign(given.begin(), given.end());
  }
  for (std::int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  if (static_cast<std::int64_t>(axes.size()) != rank - 2) return false;
  for (std::size_t i = 0; i < axes.size(); ++i)
    if (axes[i] != static_cast<std::int64_t>(i) + 2) return false;
  return true;
}

Choice judge_average(const Graph& graph, const Node& node) {
  if (node.is("ReduceMean") && !averages_image(graph, node))
    return kept("only the mean over all spatial axes is quantized");
  return chosen(Role::average, {0});
}

/// The operand stays what it is: behind the scores of attention, and behind the sums along a
/// transformer, where few channels are far larger than the others, a grid would only cost accuracy,
/// since their row of floats lies in the cache.
Choice judge_rows(const Graph& graph, const Node& node) {
  const auto rank = static_cast<std::int64_t>(rank_of(graph, node.inputs[0]));
  const bool softmax = node.is("Softmax");
  const std::int64_t axis = node.attributes.integer("axis", softmax && node.version < 13 ? 1 : -1);
  if (axis != -1 && axis != rank - 1) return kept("it is not along the last axis");
  return chosen(Role::rows, {});
}

Choice judge_function(const Graph& graph, const Node& node) {
  if (node.is("Clip") && !is_clamp(graph, node)) return kept("its bounds are not constant");
  return chosen(Role::function, {0});
}

/// The padding value has to lie on the grid; the real zero does on every grid.
bool pads_zero(const Graph& graph, const Node& node) {
  if (node.attributes.text("mode", "constant") != "constant" || !node.has_input(2)) return true;
  if (!is_float_constant(graph, node.inputs[2])) return false;
  const Tensor& value = graph.value(node.inputs[2]).constant;
  return value.size() == 1 && value.data<float>()[0] == 0;
}

Choice judge_move(const Graph& graph, const Node& node) {
  if (node.is("Pad") && !pads_zero(graph, node)) return kept("it pads with another value than 0");
  if (node.is("MaxPool") && node.outputs.size() > 1) return kept("it also writes positions");
  if (graph.is_constant(node.inputs.at(0))) return kept("its operand is constant");
  // Cubic interpolation leaves the range of its operand.
  if (node.is("Resize") && node.attributes.text("mode", "nearest") == "cubic")
    return chosen(Role::average, {0});
  return chosen(Role::move, {0});
}

Choice judge_concat(const Graph& graph, const Node& node) {
  Choice choice = chosen(Role::concat, {});
  for (std::size_t i = 0; i < node.inputs.size(); ++i) choice.operands.push_back(i);
  return choice;
}

struct Rule {
  std::string_view op;
  Choice (*judge)(const Graph&, const Node&);
};

constexpr std::array rules = {
    Rule{"Softmax", judge_rows},
    Rule{"LayerNormalization", judge_rows},
    Rule{"Gelu", judge_function},
    Rule{"Swish", judge_function},
    Rule{"Mish", judge_function},
    Rule{"Conv", judge_product},
    Rule{"Gemm", judge_product},
    Rule{"MatMul", judge_product},
    Rule{"Add", judge_arithmetic},
    Rule{"Sub", judge_arithmetic},
    Rule{"Mul", judge_arithmetic},
    Rule{"Max", judge_extreme},
    Rule{"Min", judge_extreme},
    Rule{"AveragePool", judge_average},
    Rule{"GlobalAveragePool", judge_average},
    Rule{"ReduceMean", judge_average},
    Rule{"Relu", judge_function},
    Rule{"Clip", judge_function},
    Rule{"LeakyRelu", judge_function},
    Rule{"Sigmoid", judge_function},
    Rule{"HardSigmoid", judge_function},
    Rule{"HardSwish", judge_function},
    Rule{"Tanh", judge_function},
    Rule{"Elu", judge_function},
    Rule{"Celu", judge_function},
    Rule{"Selu", judge_function},
    Rule{"Softplus", judge_function},
    Rule{"Softsign", judge_function},
    Rule{"ThresholdedRelu", judge_function},
    Rule{"MaxPool", judge_move},
    Rule{"GlobalMaxPool", judge_move},
    Rule{"ReduceMax", judge_move},
    Rule{"ReduceMin", judge_move},
    Rule{"Reshape", judge_move},
    Rule{"Flatten", judge_move},
    Rule{"Squeeze", judge_move},
    Rule{"Unsqueeze", judge_move},
    Rule{"Transpose", judge_move},
    Rule{"Slice", judge_move},
    Rule{"Split", judge_move},
    Rule{"Pad", judge_move},
    Rule{"Resize", judge_move},
    Rule{"DepthToSpace", judge_move},
    Rule{"SpaceToDepth", judge_move},
    Rule{"Gather", judge_move},
    Rule{"Expand", judge_move},
    Rule{"Tile", judge_move},
    Rule{"Concat", judge_concat},
    Rule{"ConvTranspose", judge_product},
};

}  // namespace

bool is_clamp(const Graph& graph, const Node& node) {
  if (node.is("Relu")) return true;
  if (!node.is("Clip")) return false;
  for (const std::size_t i : {1, 2})
    if (node.has_input(i) && !is_float_constant(graph, node.inputs[i])) return false;
  return true;
}

int output_channel_axis(const Node& node) {
  if (node.is("Conv")) return 0;
  return node.is("Gemm") && node.attributes.integer("transB", 0) != 0 ? 0 : 1;
}

Choice judge(const Graph& graph, const Node& node) {
  if (node.outputs.empty() || !is_float(graph, node.outputs[0])) return {};
  if (!node.domain.empty())
    return kept(fmt::format("operators of domain {} are not quantized", node.domain));
  for (const Rule& rule : rules) {
    if (rule.op != node.op) continue;
    if (!node.has_input(0) || !is_float(graph, node.inputs[0]))
      return kept("its input is not float");
    return rule.judge(graph, node);
  }
  return kept(fmt::format("nodes of {} are not quantized", node.op));
}

}  // namespace intact
