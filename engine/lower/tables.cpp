// Tables and float functions.
#include "engine/lower/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "graph/convert.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

/// Nodes between the grid `source` and `id`, in topological order.
void collect(const Lowering& lowering, ValueId id, ValueId source,
             std::vector<const Node*>& nodes) {
  if (id == source || id == no_value || lowering.is_constant(id)) return;
  const Node* node = lowering.producer(id);
  if (std::find(nodes.begin(), nodes.end(), node) != nodes.end()) return;
  for (const ValueId input : node->inputs) collect(lowering, input, source, nodes);
  nodes.push_back(node);
}

Tensor in_double(const Tensor& tensor) {
  Tensor result(ElementType::f64, tensor.shape());
  const auto from = tensor.data<float>();
  std::copy(from.begin(), from.end(), result.data<double>().begin());
  return result;
}

/// Values of the function at all stored integers.
std::vector<double> tabulate(const Lowering& lowering, ValueId id, ValueId source,
                             const std::vector<const Node*>& nodes) {
  const Grid& grid = *lowering.value(source).grid;
  const std::int32_t highest = stored_highest(grid);
  Tensor reals(ElementType::f64, {highest + 1});
  for (int q = 0; q <= highest; ++q)
    reals.data<double>()[static_cast<std::size_t>(q)] =
        static_cast<double>(grid.scale[0]) * (q - stored_zero_point(grid));
  std::map<ValueId, Tensor> known{{source, reals}};
  for (const Node* node : nodes) {
    std::vector<Tensor> inputs;
    for (const ValueId input : node->inputs) {
      if (input == no_value)
        inputs.emplace_back();
      else if (lowering.is_constant(input))
        inputs.push_back(in_double(real_constant(lowering.value(input))).reshaped({}));
      else
        inputs.push_back(known.at(input));
    }
    const Tensor result = definition_of(*node).evaluate({*node, inputs})[0];
    // A Cast to float is the one elementwise operator that does not stay in double.
    known[node->outputs[0]] = result.type() == ElementType::f32 ? in_double(result) : result;
  }
  const auto values = known.at(id).data<double>();
  return {values.begin(), values.end()};
}

/// Sources of nodes that no operation accounts for yet.
std::vector<std::string> claim(Lowering& lowering, const std::vector<const Node*>& nodes) {
  std::vector<std::string> sources;
  for (const Node* node : nodes)
    if (lowering.claim_sources(*node))
      sources.insert(sources.end(), node->sources.begin(), node->sources.end());
  return sources;
}

std::string joined_ops(const std::vector<const Node*>& nodes) {
  std::string result;
  for (const Node* node : nodes) result += (result.empty() ? "" : "+") + node->op;
  return result;
}

void emit_table(Lowering& lowering, const Node& last, ValueId source,
                const std::vector<const Node*>& nodes, TableOperation table) {
  const ValueId y = last.outputs[0];
  const Layout layout = lowering.layout_of(source);
  const bool to_grid = table.floats.empty();
  const std::optional<Grid> grid = to_grid ? lowering.value(y).grid : std::nullopt;
  const TensorId x = lowering.bytes(source, layout);
  const TensorId target =
      lowering.new_tensor(lowering.value(y).name, grid ? stored_type(*grid) : ElementType::f32,
                          lowering.shape(y), layout, grid);
  auto sources = claim(lowering, nodes);
  Operation& operation = lowering.emit(last, std::move(table), {x}, target);
  operation.op = nodes.empty() ? "Requantize" : joined_ops(nodes);
  if (last.is_round()) sources.insert(sources.end(), last.sources.begin(), last.sources.end());
  operation.sources = std::move(sources);
  lowering.bind(y, target);
}

/// Bounds the work per table, and recursion.
constexpr int longest_chain = 200;

/// The source of the node's output, given those of its inputs.
ValueId source_of(const Lowering& lowering, const Node& node, const std::vector<ValueId>& sources) {
  const ValueId id = node.outputs[0];
  if (lowering.value(id).type != ElementType::f32 || !lowering.value(id).shape) return no_value;
  const Definition* definition = find_definition(node.op, node.domain);
  if (definition == nullptr || !definition->elementwise || definition->random) return no_value;
  ValueId source = no_value;
  for (const ValueId input : node.inputs) {
    if (input == no_value) continue;
    if (lowering.value(input).type != ElementType::f32) return no_value;
    if (lowering.is_constant(input)) {
      if (lowering.value(input).constant.size() != 1) return no_value;
      continue;
    }
    const ValueId of = sources[static_cast<std::size_t>(input)];
    if (of == no_value || (source != no_value && of != source)) return no_value;
    source = of;
  }
  const bool fits = source != no_value && !lowering.is_constant(source) &&
                    lowering.shape(source) == lowering.shape(id);
  return fits ? source : no_value;
}

/// Someone needs the function's values as floats: a graph output, or an operator outside of tables.
bool needed_as_float(const Lowering& lowering, const Node& node) {
  const ValueId y = node.outputs[0];
  if (lowering.graph().is_output(y)) return true;
  for (const int index : lowering.consumers(y)) {
    const Node& consumer = lowering.graph().nodes[static_cast<std::size_t>(index)];
    const bool into_table = consumer.is_round() ? lowering.on_stored_grid(consumer.outputs[0])
                                                : lowering.unary_source(consumer.outputs[0]) ==
                                                      lowering.unary_source(y);
    if (!into_table) return true;
  }
  return false;
}

}  // namespace

std::vector<ValueId> find_unary_sources(const Lowering& lowering) {
  const Graph& graph = lowering.graph();
  std::vector<ValueId> sources(graph.values.size(), no_value);
  std::vector<int> depth(graph.values.size(), 0);
  for (std::size_t i = 0; i < sources.size(); ++i)
    if (lowering.on_stored_grid(static_cast<ValueId>(i))) sources[i] = static_cast<ValueId>(i);
  for (const Node& node : graph.nodes) {
    if (node.outputs.size() != 1 || sources[static_cast<std::size_t>(node.outputs[0])] != no_value)
      continue;
    const auto output = static_cast<std::size_t>(node.outputs[0]);
    for (const ValueId input : node.inputs)
      if (input != no_value)
        depth[output] = std::max(depth[output], depth[static_cast<std::size_t>(input)] + 1);
    if (depth[output] <= longest_chain) sources[output] = source_of(lowering, node, sources);
  }
  return sources;
}

bool lower_table(Lowering& lowering, const Node& round) {
  const ValueId x = round.inputs[0];
  const ValueId source = lowering.unary_source(x);
  if (source == no_value || lowering.is_constant(source)) return false;
  const Grid& grid = *lowering.value(round.outputs[0]).grid;
  std::vector<const Node*> nodes;
  collect(lowering, x, source, nodes);
  TableOperation table;
  const bool bytes = lowering.on_byte_grid(source) && !has_words(grid);
  for (const double real : tabulate(lowering, x, source, nodes)) {
    const auto q =
        round_to_integer(real, grid.scale[0], grid.zero_point[0], grid.type) - lowest(grid.type);
    if (bytes)
      table.bytes.push_back(static_cast<std::uint8_t>(q));
    else
      table.words.push_back(static_cast<std::uint16_t>(q));
  }
  if (!bytes) table.words.push_back(0);
  emit_table(lowering, round, source, nodes, std::move(table));
  return true;
}

namespace {

/// Pow with the exponent 2.
bool is_square(const Lowering& lowering, const Node& node) {
  if (!node.is("Pow") || !lowering.is_constant(node.inputs[1])) return false;
  const Tensor& exponent = lowering.value(node.inputs[1]).constant;
  return exponent.size() == 1 &&
         convert(real_constant(lowering.value(node.inputs[1])), ElementType::f64)
                 .data<double>()[0] == 2 &&
         lowering.shape(node.inputs[0]) == lowering.shape(node.outputs[0]);
}

std::optional<FloatUnaryOperation> float_function(const Lowering& lowering, const Node& node) {
  using kernels::FloatUnary;
  const Attributes& a = node.attributes;
  if (node.is("LeakyRelu"))
    return FloatUnaryOperation{FloatUnary::leaky_relu, a.number("alpha", 0.01f), 0};
  if (node.is("HardSigmoid"))
    return FloatUnaryOperation{FloatUnary::hard_sigmoid, a.number("alpha", 0.2f),
                               a.number("beta", 0.5f)};
  if (node.is("HardSwish")) return FloatUnaryOperation{FloatUnary::hard_swish, 0, 0};
  if (node.is("Elu")) return FloatUnaryOperation{FloatUnary::elu, a.number("alpha", 1.0f), 1};
  if (node.is("Selu"))
    return FloatUnaryOperation{FloatUnary::elu, a.number("alpha", 1.67326319217681884765625f),
                               a.number("gamma", 1.05070102214813232421875f)};
  if (node.op == "QuickGelu")
    return FloatUnaryOperation{FloatUnary::silu, a.number("alpha", 1.702f), 0};
  if (node.op == "Gelu")
    return FloatUnaryOperation{
        a.text("approximate", "none") == "tanh" ? FloatUnary::gelu_tanh : FloatUnary::gelu_erf, 0,
        0};
  if (node.is("Swish")) return FloatUnaryOperation{FloatUnary::silu, a.number("alpha", 1.0f), 0};
  if (node.is("Mish")) return FloatUnaryOperation{FloatUnary::mish, 0, 0};
  if (node.is("Sigmoid")) return FloatUnaryOperation{FloatUnary::sigmoid, 0, 0};
  if (node.is("Tanh")) return FloatUnaryOperation{FloatUnary::tanh, 0, 0};
  if (node.is("Exp")) return FloatUnaryOperation{FloatUnary::exp, 0, 0};
  if (node.is("Sqrt")) return FloatUnaryOperation{FloatUnary::square_root, 0, 0};
  if (node.is("Reciprocal")) return FloatUnaryOperation{FloatUnary::reciprocal, 0, 0};
  if (node.is("Abs")) return FloatUnaryOperation{FloatUnary::absolute, 0, 0};
  if (node.is("Neg")) return FloatUnaryOperation{FloatUnary::negative, 0, 0};
  if (node.is("Erf")) return FloatUnaryOperation{FloatUnary::error_function, 0, 0};
  if (node.is("Log")) return FloatUnaryOperation{FloatUnary::natural_logarithm, 0, 0};
  if (node.is("Softplus")) return FloatUnaryOperation{FloatUnary::softplus, 0, 0};
  if (node.is("Softsign")) return FloatUnaryOperation{FloatUnary::softsign, 0, 0};
  if (node.is("Round")) return FloatUnaryOperation{FloatUnary::nearest_even, 0, 0};
  if (node.is("Floor")) return FloatUnaryOperation{FloatUnary::floor, 0, 0};
  if (node.is("Ceil")) return FloatUnaryOperation{FloatUnary::ceiling, 0, 0};
  if (is_square(lowering, node)) return FloatUnaryOperation{FloatUnary::square, 0, 0};
  return std::nullopt;
}

}  // namespace

bool lower_unary(Lowering& lowering, const Node& node) {
  const ValueId y = node.outputs[0];
  const Definition* definition = find_definition(node.op, node.domain);
  if (definition == nullptr || !definition->elementwise || lowering.on_stored_grid(y)) return false;
  if (const ValueId source = lowering.unary_source(y); source != no_value) {
    if (!needed_as_float(lowering, node)) return true;
    std::vector<const Node*> nodes;
    collect(lowering, y, source, nodes);
    TableOperation table;
    for (const double real : tabulate(lowering, y, source, nodes))
      table.floats.push_back(static_cast<float>(real));
    emit_table(lowering, node, source, nodes, std::move(table));
    return true;
  }
  if (lowering.value(y).type != ElementType::f32 || lowering.is_constant(node.inputs[0]))
    return false;
  const Layout layout = lowering.layout_of(node.inputs[0]);
  if (const auto bounds = clamp_bounds(lowering.graph(), node);
      bounds && bounds->first <= bounds->second) {
    const TensorId x = lowering.real(node.inputs[0], layout);
    const TensorId target =
        lowering.new_tensor(lowering.value(y).name, ElementType::f32, lowering.shape(y), layout);
    lowering.emit_float(
        node, FloatUnaryOperation{kernels::FloatUnary::clip, bounds->first, bounds->second}, {x},
        target);
    lowering.bind(y, target);
    return true;
  }
  const auto function = float_function(lowering, node);
  if (!function) return false;
  const TensorId x = lowering.real(node.inputs[0], layout);
  const TensorId target =
      lowering.new_tensor(lowering.value(y).name, ElementType::f32, lowering.shape(y), layout);
  lowering.emit_float(node, *function, {x}, target);
  lowering.bind(y, target);
  return true;
}

}  // namespace intact
