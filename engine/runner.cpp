// Stages by input shape, and running them.
#include "engine/runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "engine/cut.hpp"
#include "graph/definition.hpp"
#include "graph/passes/passes.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

/// Stages of one run behind each other; every one holds what is left of the graph.
constexpr int most_stages_in_a_row = 500;

/// Graph inputs whose values, not only shapes, decide about shapes: they are part of a stage's key.
std::vector<bool> shape_inputs(const Graph& graph, GraphRunner::Role role) {
  std::set<ValueId> wanted;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const Definition* definition = find_definition(node->op, node->domain);
    if (definition == nullptr) continue;
    const bool takes_data =
        definition->selects_by_value || (role == GraphRunner::Role::part && definition->moves_data);
    if (!takes_data)
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

int count_branches(const Graph& graph) {
  return static_cast<int>(std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                        [](const Node& node) { return node.is("If"); }));
}

/// Types, shapes and grids of all values. A branch that has been put in place of its If meets what
/// is around it on the same grids.
void infer(Graph& graph) {
  const int branches = count_branches(graph);
  infer_shapes(graph);
  if (count_branches(graph) < branches) {
    cancel_bytes(graph);
    infer_shapes(graph);
    propagate_grids(graph);
  }
}

/// Assigns slots of a stage to values.
class Slots {
 public:
  Slots(const Graph& graph, Stage& stage) : graph_(graph), stage_(stage) {}

  int of(ValueId id) {
    if (id == no_value) return -1;
    const auto [known, added] = slots_.emplace(id, static_cast<int>(stage_.slots.size()));
    if (added)
      stage_.slots.push_back(graph_.is_constant(id) ? Datum(real_constant(graph_.value(id)))
                                                    : Datum{});
    return known->second;
  }
  std::vector<int> of(std::span<const ValueId> ids) {
    std::vector<int> result;
    for (const ValueId id : ids) result.push_back(of(id));
    return result;
  }

 private:
  const Graph& graph_;
  Stage& stage_;
  std::map<ValueId, int> slots_;
};

StageNode stage_node(const Graph& graph, Slots& slots, Node node) {
  StageNode step;
  step.inputs = slots.of(node.inputs);
  step.outputs = slots.of(node.outputs);
  for (const ValueId id : node.inputs)
    if (id != no_value && !graph.is_constant(id)) step.reads.push_back(graph.value(id).name);
  for (const ValueId id : node.outputs)
    if (id != no_value) step.writes.push_back(graph.value(id).name);
  if (node.has_input(0)) step.element = graph.value(node.inputs[0]).type;
  step.node = std::move(node);
  return step;
}

}  // namespace

const GraphRunner& Machine::runner_of(const Subgraph& subgraph) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<GraphRunner>& runner = subgraphs_[subgraph];
  if (!runner) runner = std::make_unique<GraphRunner>(*subgraph, *this, GraphRunner::Role::part);
  return *runner;
}

GraphRunner::GraphRunner(Graph graph, Machine& machine, Role role, int depth)
    : graph_(std::move(graph)),
      machine_(machine),
      keyed_by_value_(shape_inputs(graph_, role)),
      depth_(depth) {
  if (depth > most_stages_in_a_row)
    throw Unsupported(
        fmt::format("shapes depend on data {} times in a row; run with --reference", depth));
}

bool GraphRunner::is_key(std::size_t input, const Datum& datum) const {
  // Values of shapes are few; a large input that shapes depend on is data.
  constexpr std::int64_t largest_shape = 1024;
  const auto* tensor = std::get_if<Tensor>(&datum);
  return keyed_by_value_[input] && tensor != nullptr && tensor->defined() &&
         tensor->size() <= largest_shape;
}

std::string GraphRunner::key_of(std::span<const Datum> inputs) const {
  std::string key;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto* tensor = std::get_if<Tensor>(&inputs[i]);
    if (tensor == nullptr) {
      key += "sequence;";
      continue;
    }
    key += element_name(tensor->type());
    key += to_string(tensor->shape()) + ";";
    if (is_key(i, inputs[i])) key.append(static_cast<const char*>(tensor->raw()), tensor->bytes());
  }
  return key;
}

std::shared_ptr<const Stage> GraphRunner::stage_for(std::span<const Datum> inputs) const {
  return stages_.get(key_of(inputs), [&] { return make_stage(inputs); });
}

std::shared_ptr<const Stage> GraphRunner::make_stage(std::span<const Datum> inputs) const {
  Graph graph = graph_;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Value& value = graph.value(graph.inputs[i]);
    const auto* tensor = std::get_if<Tensor>(&inputs[i]);
    value.type = tensor != nullptr ? tensor->type() : ElementType::undefined;
    value.shape.reset();
    value.grid.reset();
    if (tensor != nullptr && tensor->defined()) value.shape = tensor->shape();
    if (is_key(i, inputs[i])) value.constant = tensor->clone();
  }
  infer(graph);
  auto stage = std::make_shared<Stage>();
  const std::vector<ValueId> graph_inputs = graph.inputs, graph_outputs = graph.outputs;
  Cut cut = cut_graph(std::move(graph));
  stage->whole = cut.whole;
  if (!stage->whole) {
    const Graph& values = cut.rest;  // of all pieces
    Slots slots(values, *stage);
    stage->input_slots = slots.of(graph_inputs);
    stage->plan_inputs = slots.of(cut.planned.inputs);
    stage->plan_outputs = slots.of(cut.planned.outputs);
    for (Node& node : cut.steps) stage->nodes.push_back(stage_node(values, slots, std::move(node)));
    stage->rest_inputs = slots.of(cut.rest.inputs);
    stage->rest_outputs = slots.of(cut.rest.outputs);
    stage->output_slots = slots.of(graph_outputs);
  }
  if (!cut.rest.nodes.empty())
    stage->rest =
        std::make_unique<GraphRunner>(std::move(cut.rest), machine_, Role::part, depth_ + 1);
  if (stage->whole || !cut.planned.nodes.empty())
    stage->plan = std::make_unique<Plan>(std::move(cut.planned), machine_.options, machine_.isa,
                                         machine_.threads, *machine_.weights);
  return stage;
}

namespace {

std::vector<Datum> run_plan(const Plan& plan, std::vector<Tensor> inputs, RunLog& log) {
  const double begin = log.now();
  const std::size_t known = log.profile ? log.profile->size() : 0;
  std::vector<Tensor> outputs = plan.run(inputs, log.profile);
  for (std::size_t i = known; log.profile && i < log.profile->size(); ++i) {
    (*log.profile)[i].begin_us += begin;
    (*log.profile)[i].end_us += begin;
  }
  return {std::make_move_iterator(outputs.begin()), std::make_move_iterator(outputs.end())};
}

void run_node(const StageNode& step, std::vector<Datum>& slots, Machine& machine, RunLog& log) {
  const double begin = log.now();
  std::vector<Datum> operands;
  for (const int slot : step.inputs)
    operands.push_back(slot < 0 ? Datum{} : slots[static_cast<std::size_t>(slot)]);
  const std::span<const Datum> own(operands.data(), step.node.own_inputs());
  const std::span<const Datum> captured = std::span<const Datum>(operands).subspan(own.size());
  std::vector<Datum> results =
      evaluate_node(step.node, own, [&](const std::string& attribute, std::vector<Datum> inputs) {
        inputs.insert(inputs.end(), captured.begin(), captured.end());
        if (++log.subgraph_runs > log.most_subgraph_runs)
          throw Error(fmt::format("its subgraphs ran more than {} times", log.most_subgraph_runs));
        return machine.runner_of(step.node.attributes.graph(attribute)).run(inputs, log);
      });
  for (std::size_t i = 0; i < step.outputs.size(); ++i)
    if (step.outputs[i] >= 0)
      slots[static_cast<std::size_t>(step.outputs[i])] = std::move(results[i]);
  // What a subgraph takes is recorded by the steps in it.
  if (log.profile != nullptr && step.node.subgraphs().empty())
    log.profile->push_back({step.node.name, step.node.op, "reference", begin, log.now(), 0, 0});
}

}  // namespace

std::vector<Datum> GraphRunner::run(std::span<const Datum> inputs, RunLog& log) const {
  const std::shared_ptr<const Stage> stage = stage_for(inputs);
  if (log.visited != nullptr &&
      std::none_of(log.visited->begin(), log.visited->end(),
                   [&](const auto& visit) { return visit.first == this; }))
    log.visited->emplace_back(this, stage);
  if (stage->whole) {
    std::vector<Tensor> tensors;
    for (const Datum& datum : inputs) tensors.push_back(tensor_of(datum, "an input"));
    return run_plan(*stage->plan, std::move(tensors), log);
  }
  std::vector<Datum> slots = stage->slots;
  const auto fill = [&](const std::vector<int>& places, std::span<const Datum> data) {
    for (std::size_t i = 0; i < places.size(); ++i)
      slots[static_cast<std::size_t>(places[i])] = data[i];
  };
  const auto gather = [&](const std::vector<int>& places) {
    std::vector<Datum> data;
    for (const int slot : places) data.push_back(slots[static_cast<std::size_t>(slot)]);
    return data;
  };
  fill(stage->input_slots, inputs);
  if (stage->plan) {
    std::vector<Tensor> tensors;
    for (const Datum& datum : gather(stage->plan_inputs))
      tensors.push_back(tensor_of(datum, "an input"));
    fill(stage->plan_outputs, run_plan(*stage->plan, std::move(tensors), log));
  }
  for (const StageNode& node : stage->nodes) run_node(node, slots, machine_, log);
  if (stage->rest) fill(stage->rest_outputs, stage->rest->run(gather(stage->rest_inputs), log));
  return gather(stage->output_slots);
}

}  // namespace intact
