// The flow of a graph in stages: those of its plans behind each other, and the nodes between them.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "core/checked.hpp"
#include "engine/runner.hpp"
#include "graph/definition.hpp"
#include "graph/dispatch.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

/// Later stages depend on data: reals between 0 and 1, the integer 1, true.
Datum example(const Tensor& shaped) {
  Tensor tensor(shaped.type(), shaped.shape());
  std::mt19937 generator(1);
  if (tensor.type() == ElementType::f32)
    for (float& x : tensor.data<float>()) x = static_cast<float>(generator() >> 8) * 0x1p-24f;
  else if (!is_float(tensor.type()))
    visit_element(tensor.type(), [&](auto type) {
      using T = decltype(type);
      auto* elements = static_cast<T*>(tensor.raw());
      std::fill(elements, elements + tensor.size(), static_cast<T>(1));
    });
  return tensor;
}

class FlowJoiner {
 public:
  void add(Flow flow) {
    std::map<std::string, std::string> renamed;
    for (FlowNode& node : flow.nodes) {
      const std::string name = unique(node.name);
      renamed[node.name] = name;
      node.name = name;
      result_.nodes.push_back(std::move(node));
    }
    for (FlowEdge& edge : flow.edges) {
      if (!edge.from.empty()) edge.from = renamed[edge.from];
      for (std::string& reader : edge.to) reader = renamed[reader];
      join(std::move(edge));
    }
    result_.removed.insert(result_.removed.end(), flow.removed.begin(), flow.removed.end());
    result_.int8_nodes += flow.int8_nodes;
    result_.float_nodes += flow.float_nodes;
    result_.float_round_trips += flow.float_round_trips;
    result_.int8_macs = saturating_sum(result_.int8_macs, flow.int8_macs);
    result_.total_macs = saturating_sum(result_.total_macs, flow.total_macs);
  }

  /// A node that runs between plans; its subgraphs are shown behind it.
  void add_step(const StageNode& step) {
    const Node& node = step.node;
    FlowNode shown;
    shown.name = unique(node.name);
    shown.op = node.op;
    shown.onnx_nodes = node.sources;
    shown.precision = "shape";
    shown.isa = "scalar";
    const Definition& definition = definition_of(node);
    if (!node.subgraphs().empty()) {
      shown.kernel = "subgraph";
      shown.reason = "runs its subgraph on tensors as the file declares them";
    } else if (definition.evaluate == nullptr) {
      shown.kernel = "sequence";
      shown.reason = "handles whole tensors, not elements";
    } else {
      shown.kernel = "reference";
      if (definition.moves_data && is_float(step.element)) {
        shown.precision = "float";
        ++result_.float_nodes;
      }
      if (definition.moves_data && element_size(step.element) == 1) {
        shown.precision = "int8";
        ++result_.int8_nodes;
      } else {
        shown.reason = "the shape of its output depends on data; what reads it is planned then";
      }
    }
    for (const std::string& tensor : step.reads) join({tensor, "", "", "", {shown.name}});
    for (const std::string& tensor : step.writes) join({tensor, "", "", shown.name, {}});
    result_.nodes.push_back(std::move(shown));
  }

  /// A graph that the example did not reach.
  void add_unreached(const Graph& graph) {
    for (const Node& node : graph.nodes) {
      FlowNode shown;
      shown.name = unique(node.name);
      shown.op = node.op;
      shown.onnx_nodes = node.all_sources();
      shown.precision = "shape";
      shown.kernel = "not planned";
      shown.isa = "scalar";
      shown.reason = "not reached by the example input; planned when a run reaches it";
      result_.nodes.push_back(std::move(shown));
    }
    for (const Removed& removed : graph.removed)
      result_.removed.push_back({removed.sources, removed.reason});
  }

  Flow take() { return std::move(result_); }

 private:
  std::string unique(const std::string& name) {
    std::string result = name;
    for (int k = 2; !names_.insert(result).second; ++k) result = name + "#" + std::to_string(k);
    return result;
  }

  /// A tensor that one plan writes and another one reads is one edge.
  void join(FlowEdge edge) {
    for (FlowEdge& known : result_.edges) {
      const bool storage_fits =
          known.storage == edge.storage || known.storage.empty() || edge.storage.empty();
      if (known.tensor != edge.tensor || !storage_fits) continue;
      if (!known.from.empty() && !edge.from.empty()) continue;
      if (known.storage.empty()) known.storage = edge.storage;
      if (known.grid.empty()) known.grid = edge.grid;
      if (known.from.empty()) known.from = edge.from;
      known.to.insert(known.to.end(), edge.to.begin(), edge.to.end());
      return;
    }
    result_.edges.push_back(std::move(edge));
  }

  Flow result_;
  std::set<std::string> names_;
};

using Visits = std::vector<std::pair<const GraphRunner*, std::shared_ptr<const Stage>>>;

/// One runner's stage, what its nodes run, and what is left behind it.
void add_stage(FlowJoiner& joiner, const GraphRunner& runner, Machine& machine,
               const Visits& visits, std::set<const GraphRunner*>& shown) {
  if (!shown.insert(&runner).second) return;  // a subgraph that two stages run
  const Stage* stage = nullptr;
  for (const auto& visit : visits)
    if (visit.first == &runner) stage = visit.second.get();
  if (stage == nullptr) return joiner.add_unreached(runner.graph());
  if (stage->plan) joiner.add(stage->plan->flow());
  for (const StageNode& step : stage->nodes) {
    joiner.add_step(step);
    for (const auto& [attribute, subgraph] : step.node.subgraphs())
      add_stage(joiner, machine.runner_of(subgraph), machine, visits, shown);
  }
  if (stage->rest) add_stage(joiner, *stage->rest, machine, visits, shown);
}

}  // namespace

Flow GraphRunner::flow(std::span<const Datum> shapes) const {
  const std::shared_ptr<const Stage> first = stage_for(shapes);
  if (first->whole) return first->plan->flow();
  std::vector<Datum> examples;
  for (const Datum& datum : shapes) examples.push_back(example(tensor_of(datum, "an input")));
  Visits visits;
  RunLog log;
  log.visited = &visits;
  log.most_subgraph_runs = 1000;
  try {
    run(examples, log);
  } catch (const Error&) {
    // Indices and trip counts of an example may make no sense: what was reached is shown.
  }
  FlowJoiner joiner;
  std::set<const GraphRunner*> shown;
  add_stage(joiner, *this, machine_, visits, shown);
  return joiner.take();
}

}  // namespace intact
