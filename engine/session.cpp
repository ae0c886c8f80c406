// Sessions: loading, checking inputs, plans by input shape.
#include "intact/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

#include "engine/plan_cache.hpp"
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
  info.rank_known = value.declared.has_value();
  if (!value.declared) return info;
  for (const Dimension& dimension : *value.declared) {
    info.shape.push_back(dimension.value);
    info.symbols.push_back(dimension.value >= 0 ? "" : dimension.symbol);
  }
  return info;
}

ModelInfo model_info(const Graph& graph) {
  ModelInfo info;
  info.name = graph.name;
  info.opsets.assign(graph.opsets.begin(), graph.opsets.end());
  std::map<std::string, int> operators;
  for (const Node& node : graph.nodes)
    ++operators[node.domain.empty() ? node.op : node.domain + "." + node.op];
  info.operators.assign(operators.begin(), operators.end());
  for (const Value& value : graph.values)
    if (value.is_constant()) info.parameters += value.constant.size();
  info.file_bytes = graph.file_bytes;
  info.metadata.assign(graph.metadata.begin(), graph.metadata.end());
  return info;
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

/// Graph inputs whose values, not only shapes, decide about shapes: they are part of a plan's key.
std::vector<bool> shape_inputs(const Graph& graph) {
  const auto producers = graph.producers();
  std::set<ValueId> wanted;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const Definition* definition = find_definition(node->op, node->domain);
    if (definition == nullptr) continue;
    for (const int operand : definition->shape_operands)
      if (node->has_input(static_cast<std::size_t>(operand)))
        wanted.insert(node->inputs[static_cast<std::size_t>(operand)]);
    const bool needed = std::any_of(node->outputs.begin(), node->outputs.end(),
                                    [&](ValueId id) { return wanted.contains(id); });
    if (!needed || node->is("Shape") || node->is("Size")) continue;
    for (const ValueId input : node->inputs)
      if (input != no_value) wanted.insert(input);
  }
  std::vector<bool> result;
  for (const ValueId id : graph.inputs) result.push_back(wanted.contains(id));
  return result;
}

void check_input(const TensorInfo& expected, const Tensor& given) {
  const auto declared = [&] {
    std::string text = "[";
    for (std::size_t i = 0; i < expected.shape.size(); ++i) {
      const std::string symbol = expected.symbols[i].empty() ? "?" : expected.symbols[i];
      text +=
          (i ? "," : "") + (expected.shape[i] >= 0 ? std::to_string(expected.shape[i]) : symbol);
    }
    return text + "]";
  };
  if (!given.defined())
    throw Error(fmt::format("input '{}' is missing; it is {} {}", expected.name,
                            element_name(expected.type), declared()));
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

}  // namespace

struct Session::State {
  Graph source;  ///< as imported; kept for reference sessions only
  Graph canonical;
  SessionOptions options;
  Isa isa = Isa::scalar;
  int threads = 1;
  std::vector<TensorInfo> inputs, outputs;
  std::vector<bool> keyed_by_value;
  ModelInfo info;
  std::optional<WeightCache> weights;  ///< of the constants of `canonical`
  PlanCache plans;                     ///< by input shapes

  State(Graph graph, const SessionOptions& given) : options(given) {
    isa = chosen_isa(given);
    if (given.threads < 0)
      throw Error(fmt::format("the number of threads is {}; it must be positive, or 0 for all CPUs",
                              given.threads));
    constexpr int most_threads = 1024;
    if (given.threads > most_threads)
      throw Error(fmt::format("the number of threads is {}; at most {} are possible", given.threads,
                              most_threads));
    threads = given.threads == 0 ? usable_cpus() : given.threads;
    info = model_info(graph);
    for (const ValueId id : graph.inputs) inputs.push_back(info_of(graph.value(id)));
    for (const ValueId id : graph.outputs) outputs.push_back(info_of(graph.value(id)));
    if (options.reference) {
      source = std::move(graph);
      return;
    }
    canonical = std::move(graph);
    canonicalize(canonical);
    weights.emplace(canonical);
    keyed_by_value = shape_inputs(canonical);
    plan_declared_shapes();
  }

  /// Plans at load when the model declares all shapes (a first unknown extent counts as 1), so that
  /// the first run is as fast as the others. Other models are planned by their first run.
  void plan_declared_shapes() {
    std::vector<Tensor> examples;
    bool guessed = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Shape shape = inputs[i].shape;
      if (!shape.empty() && shape[0] < 0) {
        shape[0] = 1;
        guessed = true;
      }
      const bool known = inputs[i].rank_known && std::all_of(shape.begin(), shape.end(),
                                                             [](std::int64_t e) { return e >= 0; });
      if (!known || keyed_by_value[i]) return;
      examples.push_back(Tensor::borrow(inputs[i].type, shape, nullptr));
    }
    try {
      plan_for(examples);
    } catch (const Unsupported&) {
      throw;
    } catch (const Error&) {
      if (!guessed) throw;  // 1 may be no valid extent: runs decide
    }
  }

  std::string key_of(std::span<const Tensor> tensors) const {
    std::string key;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      key += to_string(tensors[i].shape()) + ";";
      if (is_key(i, tensors[i]))
        key.append(static_cast<const char*>(tensors[i].raw()), tensors[i].bytes());
    }
    return key;
  }

  std::shared_ptr<const Plan> plan_for(std::span<const Tensor> tensors) {
    return plans.get(key_of(tensors), [&] {
      Graph graph = canonical;
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        Value& value = graph.value(graph.inputs[i]);
        value.shape = tensors[i].shape();
        if (is_key(i, tensors[i])) value.constant = tensors[i].clone();
      }
      return std::make_shared<const Plan>(std::move(graph), options, isa, threads, *weights);
    });
  }

  /// For flow and planning ahead, where there are no values yet.
  std::shared_ptr<const Plan> plan_for_shapes(std::span<const Shape> shapes);

  /// Values of shapes are few; a large input that shapes depend on is data, and its plan is
  /// refused.
  bool is_key(std::size_t input, const Tensor& tensor) const {
    constexpr std::int64_t largest_shape = 1024;
    return keyed_by_value[input] && tensor.size() <= largest_shape;
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
  return state_->isa;
}
int Session::threads() const {
  return state_->threads;
}

std::vector<Tensor> Session::run(std::span<const Tensor> inputs,
                                 std::vector<StepTime>* profile) const {
  if (inputs.size() != state_->inputs.size())
    throw Error(fmt::format("{} inputs were given, but the model has {}", inputs.size(),
                            state_->inputs.size()));
  for (std::size_t i = 0; i < inputs.size(); ++i) check_input(state_->inputs[i], inputs[i]);
  if (state_->options.reference) return interpret(state_->source, inputs);
  return state_->plan_for(inputs)->run(inputs, profile);
}

std::vector<Shape> Session::default_shapes() const {
  std::vector<Shape> shapes;
  for (const TensorInfo& input : state_->inputs) {
    Shape shape = input.shape;
    if (!shape.empty() && shape[0] < 0) shape[0] = 1;
    if (!input.rank_known ||
        std::any_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent < 0; }))
      throw Error(
          fmt::format("the shape of input '{}' is not known beyond its first extent; give an input "
                      "of the wanted shape",
                      input.name));
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

std::shared_ptr<const Plan> Session::State::plan_for_shapes(std::span<const Shape> shapes) {
  if (options.reference)
    throw Error("a reference session has no plan; load the model without reference");
  if (shapes.size() != inputs.size())
    throw Error(fmt::format("{} shapes were given, but the model has {} inputs", shapes.size(),
                            inputs.size()));
  std::vector<Tensor> examples;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    examples.emplace_back(inputs[i].type, shapes[i]);
    check_input(inputs[i], examples.back());
  }
  return plan_for(examples);
}

void Session::plan(std::span<const Shape> input_shapes) const {
  state_->plan_for_shapes(input_shapes);
}

Flow Session::flow(std::span<const Shape> input_shapes) const {
  if (!input_shapes.empty()) return state_->plan_for_shapes(input_shapes)->flow();
  return state_->plan_for_shapes(default_shapes())->flow();
}

}  // namespace intact
