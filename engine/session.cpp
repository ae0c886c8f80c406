// Sessions: loading, checking inputs, planning at load.
#include "intact/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>

#include "engine/runner.hpp"
#include "engine/session_of.hpp"
#include "graph/definition.hpp"
#include "graph/onnx/onnx.hpp"
#include "graph/passes/passes.hpp"
#include "intact/cpu.hpp"

namespace intact {
namespace {

TensorInfo info_of(const Value& value) {
  TensorInfo info;
  info.name = value.name;
  info.type = value.type;
  info.is_sequence = value.is_sequence;
  info.is_optional = value.is_optional;
  info.rank_known = value.declared.has_value();
  if (!value.declared) return info;
  for (const Dimension& dimension : *value.declared) {
    info.shape.push_back(dimension.value);
    info.symbols.push_back(dimension.value >= 0 ? "" : dimension.symbol);
  }
  return info;
}

/// The declared shape, where a first unknown extent counts as 1; nothing when more is unknown.
std::optional<Shape> assumed_shape(const TensorInfo& input) {
  if (!input.rank_known) return std::nullopt;
  Shape shape = input.shape;
  if (!shape.empty() && shape[0] < 0) shape[0] = 1;
  const bool known = std::all_of(shape.begin(), shape.end(), [](std::int64_t e) { return e >= 0; });
  return known ? std::optional(std::move(shape)) : std::nullopt;
}

void count(const Graph& graph, std::map<std::string, int>& operators, ModelInfo& info) {
  for (const Node& node : graph.nodes) {
    ++operators[node.domain.empty() ? node.op : node.domain + "." + node.op];
    for (const auto& [attribute, subgraph] : node.subgraphs()) count(*subgraph, operators, info);
  }
  for (const Value& value : graph.values)
    if (value.is_constant()) info.parameters += value.constant.size();
}

ModelInfo model_info(const Graph& graph) {
  ModelInfo info;
  info.name = graph.name;
  info.opsets.assign(graph.opsets.begin(), graph.opsets.end());
  std::map<std::string, int> operators;
  count(graph, operators, info);
  info.operators.assign(operators.begin(), operators.end());
  info.file_bytes = graph.file_bytes;
  info.metadata.assign(graph.metadata.begin(), graph.metadata.end());
  for (const Node& node : graph.nodes)
    for (const ValueId id : node.outputs)
      if (id != no_value) info.tensors.push_back({graph.value(id).name, node.name, node.op});
  return info;
}

void add_outputs(Graph& graph, const std::vector<std::string>& names) {
  std::map<std::string_view, ValueId> written;
  for (const Node& node : graph.nodes)
    for (const ValueId id : node.outputs)
      if (id != no_value) written.emplace(graph.value(id).name, id);
  for (const std::string& name : names) {
    const auto found = written.find(name);
    if (found == written.end())
      throw Error(fmt::format("no operator of the model writes a tensor '{}' to observe", name));
    if (!graph.is_output(found->second)) graph.outputs.push_back(found->second);
  }
}

Isa chosen_isa(const SessionOptions& options) {
  if (options.isa) {
    if (!cpu_supports(*options.isa))
      return parse_isa(isa_name(*options.isa));  // throws with the reason
    return *options.isa;
  }
  const char* environment = std::getenv("INTACT_ISA");
  return environment && *environment ? parse_isa(environment) : best_isa();
}

void check_tensor(const TensorInfo& expected, const Tensor& given) {
  const auto declared = [&] {
    std::string text = "[";
    for (std::size_t i = 0; i < expected.shape.size(); ++i) {
      const std::string symbol = expected.symbols[i].empty() ? "?" : expected.symbols[i];
      text +=
          (i ? "," : "") + (expected.shape[i] >= 0 ? std::to_string(expected.shape[i]) : symbol);
    }
    return text + "]";
  };
  if (!given.defined()) {
    if (expected.is_optional) return;
    throw Error(fmt::format("input '{}' is missing; it is {} {}", expected.name,
                            element_name(expected.type), declared()));
  }
  bool fits = given.type() == expected.type;
  if (expected.rank_known) {
    fits = fits && given.shape().size() == expected.shape.size();
    for (std::size_t i = 0; fits && i < expected.shape.size(); ++i)
      fits = expected.shape[i] < 0 || expected.shape[i] == given.shape()[i];
  }
  if (!fits)
    throw Error(fmt::format("input '{}' is {} {}, but the model wants {} {}", expected.name,
                            element_name(given.type()), to_string(given.shape()),
                            element_name(expected.type),
                            expected.rank_known ? declared() : "of any shape"));
}

void check_input(const TensorInfo& expected, const Datum& given) {
  const auto* sequence = std::get_if<std::vector<Tensor>>(&given);
  if (sequence == nullptr) {
    const Tensor& tensor = std::get<Tensor>(given);
    if (expected.is_sequence && tensor.defined())
      throw Error(fmt::format("input '{}' is a sequence of tensors, but one tensor is given",
                              expected.name));
    return check_tensor(expected, tensor);
  }
  if (!expected.is_sequence)
    throw Error(fmt::format("input '{}' is a tensor, but a sequence is given", expected.name));
  for (const Tensor& tensor : *sequence)
    if (tensor.type() != expected.type)
      throw Error(fmt::format("input '{}' is a sequence of {}, but holds a tensor of {}",
                              expected.name, element_name(expected.type),
                              element_name(tensor.type())));
}

}  // namespace

struct Session::State {
  Graph source;  ///< as imported; kept for reference sessions only
  Machine machine;
  std::unique_ptr<GraphRunner> runner;  ///< null in reference sessions
  std::vector<TensorInfo> inputs, outputs;
  ModelInfo info;

  State(Graph graph, const SessionOptions& given) {
    machine.options = given;
    machine.isa = chosen_isa(given);
    if (given.threads < 0)
      throw Error(fmt::format("the number of threads is {}; it must be positive, or 0 for all CPUs",
                              given.threads));
    constexpr int most_threads = 1024;
    if (given.threads > most_threads)
      throw Error(fmt::format("the number of threads is {}; at most {} are possible", given.threads,
                              most_threads));
    machine.threads = given.threads == 0 ? usable_cpus() : given.threads;
    info = model_info(graph);
    add_outputs(graph, given.observe);
    for (const ValueId id : graph.inputs) inputs.push_back(info_of(graph.value(id)));
    for (const ValueId id : graph.outputs) outputs.push_back(info_of(graph.value(id)));
    if (given.reference) {
      source = std::move(graph);
      return;
    }
    canonicalize(graph);
    machine.weights.emplace(graph);
    runner = std::make_unique<GraphRunner>(std::move(graph), machine, GraphRunner::Role::model);
    plan_declared_shapes();
  }

  /// For flow and planning ahead, where there are no values yet: zeros of these shapes.
  std::vector<Datum> examples_of(std::span<const Shape> shapes) const;

  /// Plans at load when the model declares all shapes but for first extents, so that the first run
  /// is as fast as the others. Other models are planned by their first run.
  void plan_declared_shapes() {
    std::vector<Datum> examples;
    bool guessed = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::optional<Shape> shape = assumed_shape(inputs[i]);
      if (!shape || inputs[i].is_sequence || runner->keyed_by_value(i)) return;
      guessed = guessed || *shape != inputs[i].shape;
      examples.emplace_back(Tensor::borrow(inputs[i].type, *shape, nullptr));
    }
    try {
      runner->stage_for(examples);
    } catch (const Unsupported&) {
      throw;
    } catch (const Error&) {
      if (!guessed) throw;  // 1 may be no valid extent: runs decide
    }
  }
};

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Session Session::load(const std::filesystem::path& model, const SessionOptions& options) {
  return Session(std::make_unique<State>(load_onnx(model), options));
}

Session Session::parse(std::span<const std::byte> model, const SessionOptions& options) {
  return Session(std::make_unique<State>(parse_onnx(model), options));
}

Session session_of(Graph graph, const SessionOptions& options) {
  return Session(std::make_unique<Session::State>(std::move(graph), options));
}

const std::vector<TensorInfo>& Session::inputs() const {
  return state_->inputs;
}
const std::vector<TensorInfo>& Session::outputs() const {
  return state_->outputs;
}
const ModelInfo& Session::info() const {
  return state_->info;
}
Isa Session::isa() const {
  return state_->machine.isa;
}
int Session::threads() const {
  return state_->machine.threads;
}

std::vector<Datum> Session::run_data(std::span<const Datum> inputs,
                                     std::vector<StepTime>* profile) const {
  if (inputs.size() != state_->inputs.size())
    throw Error(fmt::format("{} inputs were given, but the model has {}", inputs.size(),
                            state_->inputs.size()));
  for (std::size_t i = 0; i < inputs.size(); ++i) check_input(state_->inputs[i], inputs[i]);
  if (!state_->runner) return interpret_data(state_->source, inputs);
  RunLog log{profile};
  return state_->runner->run(inputs, log);
}

std::vector<Tensor> Session::run(std::span<const Tensor> inputs,
                                 std::vector<StepTime>* profile) const {
  const std::vector<Datum> data(inputs.begin(), inputs.end());
  std::vector<Datum> results = run_data(data, profile);
  std::vector<Tensor> outputs;
  for (std::size_t i = 0; i < results.size(); ++i)
    outputs.push_back(tensor_of(results[i], fmt::format("output '{}'", state_->outputs[i].name)));
  return outputs;
}

std::vector<Shape> Session::default_shapes() const {
  std::vector<Shape> shapes;
  for (const TensorInfo& input : state_->inputs) {
    if (input.is_sequence)
      throw Error(
          fmt::format("input '{}' is a sequence of tensors, which has no shape", input.name));
    const std::optional<Shape> shape = assumed_shape(input);
    if (!shape)
      throw Error(
          fmt::format("the shape of input '{}' is not known beyond its first extent; give an input "
                      "of the wanted shape",
                      input.name));
    shapes.push_back(*shape);
  }
  return shapes;
}

std::vector<Datum> Session::State::examples_of(std::span<const Shape> shapes) const {
  if (!runner) throw Error("a reference session has no plan; load the model without reference");
  if (shapes.size() != inputs.size())
    throw Error(fmt::format("{} shapes were given, but the model has {} inputs", shapes.size(),
                            inputs.size()));
  std::vector<Datum> examples;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    examples.emplace_back(Tensor(inputs[i].type, shapes[i]));
    check_input(inputs[i], examples.back());
  }
  return examples;
}

void Session::plan(std::span<const Shape> input_shapes) const {
  const std::vector<Datum> examples = state_->examples_of(input_shapes);
  state_->runner->stage_for(examples);
}

Flow Session::flow(std::span<const Shape> input_shapes) const {
  const std::vector<Datum> examples = input_shapes.empty() ? state_->examples_of(default_shapes())
                                                           : state_->examples_of(input_shapes);
  return state_->runner->flow(examples);
}

}  // namespace intact
