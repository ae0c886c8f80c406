// Loading, folding, shapes.
#include "quantize/prepare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "graph/definition.hpp"
#include "graph/onnx/onnx.hpp"
#include "graph/onnx/upgrade.hpp"
#include "graph/passes/passes.hpp"
#include "intact/error.hpp"
#include "intact/version.hpp"
#include "quantize/plain_gemm.hpp"

namespace intact {
namespace {

/// QuantizeLinear and DequantizeLinear with an axis.
constexpr int needed_opset = 13;

bool is_quantization(const Node& node) {
  return node.op.find("QuantizeLinear") != std::string::npos ||
         node.op.find("DequantizeLinear") != std::string::npos || node.op == "ConvInteger" ||
         node.op == "MatMulInteger";
}

/// Here because shapes have to be inferred before a session exists that would check them.
void check_sample(const Graph& graph, std::span<const Tensor> sample) {
  if (sample.size() != graph.inputs.size())
    throw Error(fmt::format("a calibration sample has {} tensors, but the model has {} inputs",
                            sample.size(), graph.inputs.size()));
  for (std::size_t i = 0; i < sample.size(); ++i) {
    const Value& input = graph.value(graph.inputs[i]);
    bool fits = sample[i].type() == input.type;
    Shape wanted;
    if (input.declared) {
      for (const Dimension& dimension : *input.declared) wanted.push_back(dimension.value);
      const Shape& given = sample[i].shape();
      fits = fits && std::equal(wanted.begin(), wanted.end(), given.begin(), given.end(),
                                [](std::int64_t w, std::int64_t g) { return w < 0 || w == g; });
    }
    if (!fits)
      throw Error(
          fmt::format("input '{}' of a calibration sample is {} {}, but the model wants {} {}",
                      input.name, sample[i].defined() ? element_name(sample[i].type()) : "missing",
                      to_string(sample[i].shape()), element_name(input.type), to_string(wanted)));
  }
}

}  // namespace

Graph load_float_model(const std::filesystem::path& path) {
  Graph graph = load_onnx(path);
  for (const Node& node : graph.nodes)
    if (is_quantization(node))
      throw Error(fmt::format("{} contains {} '{}'; a model to be quantized has to be float",
                              path.string(), node.op, node.name));
  return graph;
}

void preprocess(Graph& graph, bool fold_neighbours) {
  remove_identities(graph);
  fold_constants(graph);
  make_gemm_plain(graph);
  if (fold_neighbours) {
    fold_bias(graph);
    fold_batch_normalization(graph);
    fold_pad(graph);
  }
  remove_dead_code(graph);
}

void complete(Graph& graph, std::span<const Tensor> sample) {
  check_sample(graph, sample);
  Graph known = graph;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i)
    known.value(graph.inputs[i]).shape = sample[i].shape();
  infer_shapes(known);
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    graph.values[i].type = known.values[i].type;
    graph.values[i].shape = known.values[i].shape;
  }
  raise_opset(graph, needed_opset);
}

std::vector<Tensor> first_sample(const CalibrationData& data) {
  std::optional<std::vector<Tensor>> sample = data ? data()() : std::nullopt;
  if (!sample) throw Error("no calibration sample was given; quantization needs at least one");
  return std::move(*sample);
}

std::vector<Tensor> sample_of_declared_shapes(const Graph& graph) {
  std::vector<Tensor> sample;
  for (const ValueId id : graph.inputs) {
    const Value& input = graph.value(id);
    Shape shape;
    bool known = input.declared.has_value();
    for (std::size_t i = 0; known && i < input.declared->size(); ++i) {
      const std::int64_t extent = (*input.declared)[i].value;
      known = extent >= 0 || i == 0;
      shape.push_back(extent < 0 ? 1 : extent);
    }
    if (!known)
      throw Error(
          fmt::format("the shape of input '{}' is not declared; give a calibration sample, "
                      "which shows it",
                      input.name));
    sample.emplace_back(input.type, shape);
  }
  return sample;
}

void write_model(Graph& graph, const std::filesystem::path& output, QuantizeReport& report) {
  graph.metadata["intact.version"] = version;
  report.int8_bytes = save_onnx(graph, output);
}

}  // namespace intact
