// One rule per operator family.
#include "quantize/select/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

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
  std::int64_t channels = shape[static_cast<std::size_t>(output_channel_axis(node))];
  if (node.is("ConvTranspose")) channels *= node.attributes.integer("group", 1);
  if (!has_channel_bias(graph, node, channels))
    return kept("its bias is not one constant per output channel");
  return chosen(Role::product, {0});
}

Choice judge_arithmetic(const Graph& graph, const Node& node) {
  if (graph.is_constant(node.inputs.at(0)) && graph.is_constant(node.inputs.at(1)))
    return kept("both operands are constant");
  return chosen(Role::arithmetic, {0, 1});
}

/// A divisor that is computed could be rounded to 0, and so could the smallest of a constant's.
Choice judge_quotient(const Graph& graph, const Node& node) {
  const ValueId divisor = node.inputs.at(1);
  if (graph.is_constant(node.inputs[0])) return kept("its dividend is constant");
  if (!is_float_constant(graph, divisor))
    return kept("its divisor is computed, and could be rounded to 0");
  float least = std::numeric_limits<float>::infinity(), low = 0, high = 0;
  for (const float x : graph.value(divisor).constant.data<float>()) {
    least = std::min(least, std::abs(x));
    low = std::min(low, x);
    high = std::max(high, x);
  }
  if (!(least >= (high - low) / 255))
    return kept("the smallest of its divisors would be rounded to 0");
  return chosen(Role::arithmetic, {0, 1});
}

/// Chooses between two tensors on one grid, on which a constant has to lie too.
Choice judge_where(const Graph& graph, const Node& node) {
  for (const std::size_t i : {1, 2}) {
    if (!graph.is_constant(node.inputs.at(i))) continue;
    const auto values = graph.value(node.inputs[i]).constant.data<float>();
    if (std::any_of(values.begin(), values.end(), [](float x) { return x != 0; }))
      return kept("one of its operands is a constant other than 0");
  }
  return chosen(Role::concat, {1, 2});
}

Choice judge_extreme(const Graph& graph, const Node& node) {
  if (node.inputs.size() != 2) return kept("only Max and Min of two operands are quantized");
  // A bound may be far outside of the other operand, and even infinite.
  if (graph.is_constant(node.inputs[0]) || graph.is_constant(node.inputs[1]))
    return kept("one of its operands is constant");
  return chosen(Role::arithmetic, {0, 1});
}

bool has_constant_axes(const Graph& graph, const Node& node) {
  return !node.has_input(1) || graph.is_constant(node.inputs[1]);
}

/// Mean squares, and means that are squared beside them: variances are small differences of them.
bool belongs_to_variance(const Graph& graph, const Node& node) {
  const ValueId x = node.inputs[0];
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& other) {
    const bool squares = (other.is("Mul") && other.inputs[0] == other.inputs[1]) || other.is("Pow");
    return squares && (other.outputs[0] == x || other.inputs[0] == x);
  });
}

Choice judge_reduction(const Graph& graph, const Node& node) {
  if (belongs_to_variance(graph, node)) return kept("a variance follows from it");
  if (!has_constant_axes(graph, node)) return kept("its axes are computed");
  return chosen(Role::own_grid, {0});
}

/// Pools that average, normalizations of images.
Choice judge_own_grid(const Graph& graph, const Node& node) {
  if (graph.is_constant(node.inputs[0])) return kept("its operand is constant");
  return chosen(Role::own_grid, {0});
}

Choice judge_response_norm(const Graph& graph, const Node& node) {
  constexpr std::int64_t most_neighbours = 32;
  if (node.attributes.integer("size", 1) > most_neighbours)
    return kept("there is no integer kernel for more than 32 neighbouring channels");
  return judge_own_grid(graph, node);
}

/// The operand stays what it is: behind the scores of attention, and behind the sums along a
/// transformer, where few channels are far larger than the others, a grid would only cost accuracy,
/// since their row of floats lies in the cache.
Choice judge_rows(const Graph&, const Node&) {
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
    return chosen(Role::own_grid, {0});
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
    Rule{"LogSoftmax", judge_rows},
    Rule{"LayerNormalization", judge_rows},
    Rule{"RMSNormalization", judge_rows},
    Rule{"InstanceNormalization", judge_own_grid},
    Rule{"GroupNormalization", judge_own_grid},
    Rule{"MeanVarianceNormalization", judge_own_grid},
    Rule{"LpNormalization", judge_own_grid},
    Rule{"LRN", judge_response_norm},
    Rule{"Gelu", judge_function},
    Rule{"Swish", judge_function},
    Rule{"Mish", judge_function},
    Rule{"Conv", judge_product},
    Rule{"Gemm", judge_product},
    Rule{"MatMul", judge_product},
    Rule{"Add", judge_arithmetic},
    Rule{"Sub", judge_arithmetic},
    Rule{"Mul", judge_arithmetic},
    Rule{"Div", judge_quotient},
    Rule{"Where", judge_where},
    Rule{"Max", judge_extreme},
    Rule{"Min", judge_extreme},
    Rule{"AveragePool", judge_own_grid},
    Rule{"GlobalAveragePool", judge_own_grid},
    Rule{"ReduceMean", judge_reduction},
    Rule{"ReduceSum", judge_reduction},
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
    Rule{"TopK", judge_move},
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

std::string unbounded_constant(const Graph& graph, const Node& node) {
  for (const ValueId id : node.inputs) {
    if (!is_float_constant(graph, id)) continue;
    bool finite = true;  // without branches, since weights are many
    for (const float x : graph.value(id).constant.data<float>())
      finite = finite & (std::abs(x) <= std::numeric_limits<float>::max());
    if (!finite)
      return fmt::format("its constant '{}' holds infinities or NaN, which lie on no grid",
                         graph.value(id).name);
  }
  return "";
}

Choice judge(const Graph& graph, const Node& node) {
  if (node.outputs.empty() || !is_float(graph, node.outputs[0])) return {};
  if (!node.domain.empty())
    return kept(fmt::format("operators of domain {} are not quantized", node.domain));
  for (const Rule& rule : rules) {
    if (rule.op != node.op) continue;
    const std::size_t data = node.is("Where") ? 1 : 0;
    if (!node.has_input(data) || !is_float(graph, node.inputs[data]))
      return kept("its input is not float");
    Choice choice = rule.judge(graph, node);
    // Bounds of a Clip may be infinite.
    if (!choice.role || choice.role == Role::function) return choice;
    std::string reason = unbounded_constant(graph, node);
    return reason.empty() ? choice : kept(std::move(reason));
  }
  return kept(fmt::format("nodes of {} are not quantized", node.op));
}

}  // namespace intact
