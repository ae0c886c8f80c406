// Dynamic quantization from file to file: products with constant weights become integer operators
// on activations whose grids are found at run time. No sample is needed, and no shape.
//
//   x -> DynamicQuantizeLinear -> ConvInteger or MatMulInteger -> Cast -> Mul (scales) -> Add
//   (bias)
//
// A tensor has one DynamicQuantizeLinear for all products that read it.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "graph/onnx/upgrade.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"
#include "intact/quantize.hpp"
#include "quantize/grids/grids.hpp"
#include "quantize/prepare.hpp"
#include "quantize/select/patterns.hpp"

namespace intact {
namespace {

/// DynamicQuantizeLinear.
constexpr int needed_opset = 11;

/// Why the operator stays float; empty: it becomes an integer operator; nothing: it is no product.
std::optional<std::string> reason_to_keep(const Graph& graph, const Node& node) {
  static const std::map<std::string, std::string> without_operator = {
      {"ConvTranspose", "there is no integer operator for ConvTranspose in ONNX"},
      {"LSTM", "there is no integer operator for LSTM in ONNX"},
      {"GRU", "there is no integer operator for GRU in ONNX"},
      {"RNN", "there is no integer operator for RNN in ONNX"}};
  if (!node.domain.empty()) return std::nullopt;
  if (const auto found = without_operator.find(node.op); found != without_operator.end())
    return found->second;
  if (!node.is("Conv") && !node.is("MatMul") && !node.is("Gemm")) return std::nullopt;
  if (graph.is_constant(node.inputs.at(0))) return "its first operand is constant";
  if (!graph.is_constant(node.inputs.at(1))) return "its weights are not constant";
  const Tensor& weights = graph.value(node.inputs[1]).constant;
  if (weights.type() != ElementType::f32) return "its weights are not f32";
  if (weights.size() == 0) return "it has no weights";
  if (!node.is("Conv") && weights.rank() != 2) return "its weights are not a matrix";
  if (node.is("Conv") && node.has_input(2) && !graph.is_constant(node.inputs[2]))
    return "its bias is not constant";
  if (node.is("Gemm") && node.attributes.integer("transA", 0) != 0)
    return "it transposes its first operand";
  if (node.is("Gemm") && node.has_input(2) && node.attributes.number("beta", 1) != 1 &&
      !graph.is_constant(node.inputs[2]))
    return "its third operand is not constant and has a factor";
  return "";
}

Tensor multiplied(const Tensor& tensor, float factor) {
  if (factor == 1) return tensor;
  Tensor result(ElementType::f32, tensor.shape());
  for (std::size_t i = 0; i < result.data<float>().size(); ++i)
    result.data<float>()[i] = tensor.data<float>()[i] * factor;
  return result;
}

Tensor transposed(const Tensor& matrix) {
  const auto rows = static_cast<std::size_t>(matrix.shape()[0]);
  const auto columns = static_cast<std::size_t>(matrix.shape()[1]);
  Tensor result(ElementType::f32, {matrix.shape()[1], matrix.shape()[0]});
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c)
      result.data<float>()[c * rows + r] = matrix.data<float>()[r * columns + c];
  return result;
}

/// Builds the new list of nodes.
class Writer {
 public:
  Writer(Graph& graph, const QuantizeOptions& options)
      : graph_(graph), options_(options), names_(graph) {}

  void run(const std::set<std::string>& excluded, QuantizeReport& report) {
    std::vector<Node> old = std::exchange(graph_.nodes, {});
    for (Node& node : old) {
      const auto reason = reason_to_keep(graph_, node);
      const bool wanted = reason && reason->empty();
      if (wanted && !excluded.contains(node.name)) {
        report.quantized.push_back(node.name);
        write_product(node);
        continue;
      }
      if (reason) report.kept_float.emplace_back(node.name, wanted ? "excluded" : *reason);
      nodes_.push_back(std::move(node));
    }
    graph_.nodes = std::move(nodes_);
  }

 private:
  struct Dynamic {
    ValueId bytes, scale, zero_point;
  };
  struct Weights {
    ValueId integers, scale;
  };

  ValueId add(const char* op, const std::string& name, std::vector<ValueId> inputs,
              ElementType type, ValueId output = no_value) {
    Node node;
    node.op = op;
    node.version = graph_.opsets[""];
    node.name = name;
    node.inputs = std::move(inputs);
    node.outputs = {output != no_value ? output : graph_.add_value(names_.get(name), type)};
    nodes_.push_back(std::move(node));
    return nodes_.back().outputs[0];
  }

  const Dynamic& bytes_of(ValueId x) {
    const auto [at, is_new] = dynamic_.try_emplace(x);
    if (!is_new) return at->second;
    const std::string name = graph_.value(x).name + "/quantize";
    const ValueId bytes = add("DynamicQuantizeLinear", name, {x}, ElementType::u8);
    at->second = {bytes, graph_.add_value(names_.get(name + "/scale"), ElementType::f32),
                  graph_.add_value(names_.get(name + "/zero_point"), ElementType::u8)};
    nodes_.back().outputs = {bytes, at->second.scale, at->second.zero_point};
    return at->second;
  }

  /// Integers and scales of a product's weights, shared by the products that use them alike.
  const Weights& weights_of(const Node& node) {
    const bool turned = node.is("Gemm") && node.attributes.integer("transB", 0) != 0;
    const float alpha = node.is("Gemm") ? node.attributes.number("alpha", 1) : 1.0f;
    const auto [at, is_new] = weights_.try_emplace({node.inputs[1], turned, alpha});
    if (!is_new) return at->second;
    const std::string name = graph_.value(node.inputs[1]).name;
    Tensor real = multiplied(graph_.value(node.inputs[1]).constant, alpha);
    if (turned) real = transposed(real);
    const bool conv = node.is("Conv");
    const std::optional<int> axis =
        options_.per_channel ? std::optional<int>(conv ? 0 : 1) : std::nullopt;
    const QuantizedWeights quantized = quantize_weights(real, axis, {}, 1);
    Shape shape;  // so that the scales meet the channels of the result
    if (axis) shape.push_back(real.shape()[static_cast<std::size_t>(*axis)]);
    if (axis && conv) shape.resize(static_cast<std::size_t>(real.rank()) - 1, 1);
    Tensor scales(ElementType::f32, shape);
    std::copy(quantized.grid.scale.begin(), quantized.grid.scale.end(),
              scales.data<float>().begin());
    at->second = {graph_.add_constant(names_.get(name + "/quantized"), quantized.integers),
                  graph_.add_constant(names_.get(name + "/scale"), scales)};
    return at->second;
  }

  /// What is added to the product; no_value for nothing.
  ValueId bias_of(const Node& node) {
    if (node.is("MatMul") || !node.has_input(2)) return no_value;
    const float beta = node.is("Gemm") ? node.attributes.number("beta", 1) : 1.0f;
    const Tensor given = graph_.value(node.inputs[2]).constant;  // a copy: values may move
    if (node.is("Gemm") && beta == 1) return node.inputs[2];
    const std::string name = names_.get(graph_.value(node.inputs[2]).name + "/of/" + node.name);
    if (node.is("Gemm")) return graph_.add_constant(name, multiplied(given, beta));
    Shape shape(static_cast<std::size_t>(graph_.value(node.inputs[1]).constant.rank()) - 1, 1);
    shape[0] = static_cast<std::int64_t>(given.size());
    return graph_.add_constant(name, given.reshaped(shape));
  }

  void write_product(const Node& node) {
    const bool conv = node.is("Conv");
    const Dynamic x = bytes_of(node.inputs[0]);
    const Weights weights = weights_of(node);
    const ValueId bias = bias_of(node), result = node.outputs[0];
    const ValueId sums = add(conv ? "ConvInteger" : "MatMulInteger", node.name,
                             {x.bytes, weights.integers, x.zero_point}, ElementType::s32);
    if (conv) nodes_.back().attributes = node.attributes;
    const ValueId cast = add("Cast", node.name + "/cast", {sums}, ElementType::f32);
    nodes_.back().attributes.set("to", std::int64_t{1});
    const ValueId scale =
        add("Mul", node.name + "/scale", {x.scale, weights.scale}, ElementType::f32);
    const bool biased = bias != no_value;
    const ValueId product = add("Mul", node.name + "/rescale", {cast, scale}, ElementType::f32,
                                biased ? no_value : result);
    if (biased) add("Add", node.name + "/bias", {product, bias}, ElementType::f32, result);
  }

  Graph& graph_;
  const QuantizeOptions& options_;
  FreshNames names_;
  std::vector<Node> nodes_;
  std::map<ValueId, Dynamic> dynamic_;
  std::map<std::tuple<ValueId, bool, float>, Weights> weights_;
};

}  // namespace

QuantizeReport quantize_dynamic(const std::filesystem::path& float_model,
                                const std::filesystem::path& output,
                                const QuantizeOptions& options) {
  Graph graph = load_float_model(float_model);
  const NodePatterns patterns(graph, options.exclude, options.include);
  preprocess(graph, options.preprocess);
  raise_opset(graph, needed_opset);
  QuantizeReport report;
  report.float_bytes = graph.file_bytes;
  Writer(graph, options).run(patterns.kept_out(graph), report);
  remove_dead_code(graph);
  if (std::any_of(graph.nodes.begin(), graph.nodes.end(),
                  [](const Node& node) { return node.is("ConvInteger"); }))
    report.notes.push_back(
        "the file has ConvInteger with s8 weights, which ONNX Runtime refuses before version 1.31");
  report.method = "dynamic";
  graph.metadata["intact.method"] = report.method;
  write_model(graph, output, report);
  return report;
}

}  // namespace intact
