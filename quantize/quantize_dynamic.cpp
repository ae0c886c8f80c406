// Dynamic quantization from file to file: products with constant weights become integer operators
// on activations whose grids are found at run time. No sample is needed, and no shape; with samples
// channels are evened out and weights rounded for them.
//
//   x -> DynamicQuantizeLinear -> ConvInteger or MatMulInteger -> Cast -> Mul (scales) -> Add
//   (bias)
//   LSTM -> com.microsoft.DynamicQuantizeLSTM
//   Gather from a large table -> Gather of bytes -> DequantizeLinear
//
// A tensor has one DynamicQuantizeLinear for all products that read it.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "graph/onnx/upgrade.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"
#include "intact/quantize.hpp"
#include "quantize/calibration/collector.hpp"
#include "quantize/equalization/equalize.hpp"
#include "quantize/equalization/smooth.hpp"
#include "quantize/grids/grids.hpp"
#include "quantize/grids/plan.hpp"
#include "quantize/grids/report.hpp"
#include "quantize/prepare.hpp"
#include "quantize/progress.hpp"
#include "quantize/search/precision.hpp"
#include "quantize/search/trial.hpp"
#include "quantize/select/embeddings.hpp"
#include "quantize/select/patterns.hpp"
#include "quantize/select/rules.hpp"
#include "quantize/select/selection.hpp"
#include "quantize/weights/adapt.hpp"
#include "quantize/write/embeddings.hpp"
#include "quantize/write/write.hpp"

namespace intact {
namespace {

/// DynamicQuantizeLinear.
constexpr int needed_opset = 11;

std::string reason_to_keep_lstm(const Graph& graph, const Node& node) {
  if (node.attributes.integer("layout", 0) != 0) return "its batch axis comes first (layout 1)";
  for (const std::size_t i : {1, 2})
    if (!graph.is_constant(node.inputs.at(i)) ||
        graph.value(node.inputs[i]).constant.type() != ElementType::f32 ||
        graph.value(node.inputs[i]).constant.size() == 0)
      return "its weights are not constant f32";
  return "";
}

/// Why the operator stays float; empty: it becomes an integer operator; nothing: it is no product.
std::optional<std::string> reason_to_keep(const Graph& graph, const Node& node) {
  static const std::map<std::string, std::string> without_operator = {
      {"ConvTranspose", "there is no integer operator for ConvTranspose in ONNX"},
      {"GRU", "there is no integer operator for GRU in ONNX"},
      {"RNN", "there is no integer operator for RNN in ONNX"}};
  if (!node.domain.empty()) return std::nullopt;
  if (const auto found = without_operator.find(node.op); found != without_operator.end())
    return found->second;
  if (node.is("LSTM")) return reason_to_keep_lstm(graph, node);
  if (!node.is("Conv") && !node.is("MatMul") && !node.is("Gemm")) return std::nullopt;
  if (graph.is_constant(node.inputs.at(0))) return "its first operand is constant";
  if (!graph.is_constant(node.inputs.at(1))) return "its weights are not constant";
  const Tensor& weights = graph.value(node.inputs[1]).constant;
  if (weights.type() != ElementType::f32) return "its weights are not f32";
  if (weights.size() == 0) return "it has no weights";
  if (!node.is("Conv") && weights.rank() != 2) return "its weights are not a matrix";
  if (node.is("Conv") && node.has_input(2) && !graph.is_constant(node.inputs[2]))
    return "its bias is not constant";
  return unbounded_constant(graph, node);
}

Selection select_products(const Graph& graph, const std::set<std::string>& excluded) {
  Selection selection;
  selection.from_integer.resize(graph.values.size(), false);
  const std::map<ValueId, int> embeddings = find_embeddings(graph);
  for (const Node& node : graph.nodes) {
    Choice& choice = selection.nodes.emplace_back();
    if (embeddings.contains(node.outputs[0])) {
      choice.reason = "excluded";
      if (!excluded.contains(node.name)) choice = {Role::embedding, "", {}};
      continue;
    }
    const std::optional<std::string> reason = reason_to_keep(graph, node);
    if (!reason) continue;
    choice.reason = *reason;
    if (!reason->empty()) continue;
    if (excluded.contains(node.name))
      choice.reason = "excluded";
    else
      choice = node.is("LSTM") ? Choice{Role::recurrent, "", {}} : Choice{Role::product, "", {0}};
  }
  return selection;
}

/// By node: weights of its own, rounded for the samples; without samples tables of embeddings
/// alone.
std::vector<std::optional<AdaptedWeights>> adapt_products(const Graph& graph,
                                                          const Selection& selection,
                                                          const CalibrationData& data,
                                                          const QuantizeOptions& options,
                                                          QuantizeReport& report) {
  if (!data) {
    std::vector<std::optional<AdaptedWeights>> tables(graph.nodes.size());
    for (std::size_t i = 0; i < tables.size(); ++i)
      if (selection.nodes[i].role == Role::embedding)
        tables[i] = quantize_table(graph.value(graph.nodes[i].inputs[0]).constant, options);
    return tables;
  }
  report.samples =
      collect(graph, GridPlan(graph, selection, {}).measured(), data, options).samples();
  auto adapted =
      adapt_weights(graph, selection, nullptr,
                    counted(data, options.progress, "rounding of weights", report.samples),
                    report.samples, options);
  const auto consumers = graph.consumers();
  for (std::size_t i = 0; i < adapted.size(); ++i) {
    if (!adapted[i] || selection.nodes[i].role != Role::product) continue;
    const Node& node = graph.nodes[i];
    const bool shared = consumers[static_cast<std::size_t>(node.inputs[1])].size() > 1;
    if (shared) adapted[i].reset();
  }
  return adapted;
}

Tensor transposed(const Tensor& matrix) {
  const auto rows = static_cast<std::size_t>(matrix.shape()[0]);
  const auto columns = static_cast<std::size_t>(matrix.shape()[1]);
  Tensor result(matrix.type(), {matrix.shape()[1], matrix.shape()[0]});
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c)
      result.data<std::int8_t>()[c * rows + r] = matrix.data<std::int8_t>()[r * columns + c];
  return result;
}

/// Builds the new list of nodes.
class Writer {
 public:
  Writer(Graph& graph, const QuantizeOptions& options)
      : graph_(graph),
        options_(options),
        names_(graph),
        ranks_(find_embeddings(graph)),
        embeddings_(graph, names_) {}

  /// `adapted`: by node.
  void run(const Selection& selection, std::span<const std::optional<AdaptedWeights>> adapted) {
    std::vector<Node> old = std::exchange(graph_.nodes, {});
    for (std::size_t i = 0; i < old.size(); ++i) {
      const std::optional<Role>& role = selection.nodes[i].role;
      if (role == Role::recurrent)
        nodes_.push_back(dynamic_lstm(graph_, names_, std::move(old[i]), options_));
      else if (role == Role::embedding)
        write_embedding(std::move(old[i]), *adapted[i]);
      else if (role)
        write_product(old[i], adapted[i] ? &*adapted[i] : nullptr);
      else
        nodes_.push_back(std::move(old[i]));
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
  const Weights& weights_of(const Node& node, const AdaptedWeights* adapted) {
    const bool turned = node.is("Gemm") && node.attributes.integer("transB", 0) != 0;
    const auto [at, is_new] = weights_.try_emplace({node.inputs[1], turned});
    if (!is_new) return at->second;
    const std::string name = graph_.value(node.inputs[1]).name;
    const Tensor real = graph_.value(node.inputs[1]).constant;
    const bool conv = node.is("Conv");
    const std::optional<int> axis =
        options_.per_channel ? std::optional<int>(output_channel_axis(node)) : std::nullopt;
    QuantizedWeights quantized =
        adapted ? adapted->weights : quantize_weights(real, axis, {}, 1, largest_weight(options_));
    if (turned) quantized.integers = transposed(quantized.integers);
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
  ValueId bias_of(const Node& node, const AdaptedWeights* adapted) {
    const bool given = !node.is("MatMul") && node.has_input(2), conv = node.is("Conv");
    const std::span<const double> change =
        adapted ? adapted->bias_change : std::span<const double>();
    if (!given && change.empty()) return no_value;
    if (!conv && change.empty()) return node.inputs[2];
    Tensor bias(ElementType::f32, {static_cast<std::int64_t>(change.size())});
    std::string name = node.name + "/bias";
    if (given) {
      bias = graph_.value(node.inputs[2]).constant.clone();
      name = graph_.value(node.inputs[2]).name + "/of/" + node.name;
    }
    for (std::size_t c = 0; c < change.size(); ++c) {
      float& value = bias.data<float>()[c];
      value = static_cast<float>(static_cast<double>(value) + change[c]);
    }
    if (conv) {
      Shape shape(static_cast<std::size_t>(graph_.value(node.inputs[1]).constant.rank()) - 1, 1);
      shape[0] = static_cast<std::int64_t>(bias.size());
      bias = bias.reshaped(shape);
    }
    return graph_.add_constant(names_.get(name), bias);
  }

  void write_embedding(Node gather, const AdaptedWeights& table) {
    const int rank = ranks_.at(gather.outputs[0]);
    embeddings_.write(std::move(gather), table.weights, rank, nodes_);
  }

  void write_product(const Node& node, const AdaptedWeights* adapted) {
    const bool conv = node.is("Conv");
    const Dynamic x = bytes_of(node.inputs[0]);
    const Weights weights = weights_of(node, adapted);
    const ValueId bias = bias_of(node, adapted), result = node.outputs[0];
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
  std::map<ValueId, int> ranks_;  ///< of embeddings
  EmbeddingWriter embeddings_;
  std::vector<Node> nodes_;
  std::map<ValueId, Dynamic> dynamic_;
  std::map<std::pair<ValueId, bool>, Weights> weights_;  ///< by constant, and whether transposed
};

/// The finished model with some products in float.
class DynamicModel : public MixedModel {
 public:
  /// `adapted`: by node.
  DynamicModel(const Graph& graph, const QuantizeOptions& options,
               std::span<const std::optional<AdaptedWeights>> adapted)
      : graph_(graph), options_(options), adapted_(adapted) {}

  Graph quantized(const std::set<std::string>& excluded) const override {
    Graph result = graph_;
    Writer(result, options_).run(select_products(graph_, excluded), adapted_);
    remove_dead_code(result);
    return result;
  }

  std::vector<GridReaders> readers(const std::set<std::string>& excluded) const override {
    const Selection selection = select_products(graph_, excluded);
    double total = 0;
    std::map<ValueId, GridReaders> by_tensor;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!selection.nodes[i].role || selection.nodes[i].role == Role::embedding) continue;
      const Node& node = graph_.nodes[i];
      const double macs = multiply_adds(graph_, node, selection.nodes[i]);
      total += macs;
      by_tensor[node.inputs[0]].nodes.push_back(node.name);
      by_tensor[node.inputs[0]].share += macs;
    }
    return with_shares(std::move(by_tensor), total);
  }

 private:
  const Graph& graph_;
  const QuantizeOptions& options_;
  std::span<const std::optional<AdaptedWeights>> adapted_;
};

}  // namespace

QuantizeReport quantize_dynamic(const std::filesystem::path& float_model,
                                const std::filesystem::path& output, const QuantizeOptions& options,
                                const CalibrationData& calibration) {
  Graph graph = load_float_model(float_model);
  const NodePatterns patterns(graph, options.exclude, options.include);
  preprocess(graph, options.preprocess);
  if (calibration) {
    complete(graph, first_sample(calibration));
    if (options.preprocess) {
      const CalibrationData samples = counted(calibration, options.progress, "channels", 0);
      equalize(graph, samples, options.threads);
      smooth(graph, samples, options.threads);
    }
  } else if (options.preprocess) {
    smooth_normalizations(graph);
  }
  raise_opset(graph, needed_opset);
  QuantizeReport report;
  report.float_bytes = graph.file_bytes;
  std::set<std::string> excluded = patterns.kept_out(graph);
  const std::vector<std::optional<AdaptedWeights>> adapted =
      adapt_products(graph, select_products(graph, excluded), calibration, options, report);
  const DynamicModel model(graph, options, adapted);
  std::optional<Trial> trial;
  if (calibration)
    trial.emplace(graph, calibration, report.samples, most_trial_samples, options.threads);
  std::optional<PrecisionSearch> search;
  if (const std::optional<Goal> goal = goal_of(options); goal && trial) {
    search.emplace(model, excluded, *trial, options.threads, options.progress);
    meet_goal(*search, *goal, *trial, [&](const auto& names) { return model.quantized(names); });
    excluded = search->excluded();
  }
  report_operators(graph, select_products(graph, excluded), report);
  if (search) search->report_gains(report);
  Graph quantized = model.quantized(excluded);
  if (trial) {
    const Agreement agreement = trial->run(quantized);
    report.sqnr_db = agreement.sqnr_db;
    report.disagreement = agreement.disagreement;
    note_missed_goals(options, agreement, report);
  }
  if (std::any_of(quantized.nodes.begin(), quantized.nodes.end(),
                  [](const Node& node) { return node.is("ConvInteger"); }))
    report.notes.push_back(
        "the file has ConvInteger with s8 weights, which ONNX Runtime refuses before version 1.31");
  report.method = "dynamic";
  quantized.metadata["intact.method"] = report.method;
  if (calibration) quantized.metadata["intact.samples"] = std::to_string(report.samples);
  write_model(quantized, output, report);
  return report;
}

}  // namespace intact
