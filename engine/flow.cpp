// What runs in which precision and why, read off a plan.
#include <map>
#include <set>

#include "core/checked.hpp"
#include "engine/plan.hpp"
#include "intact/cpu.hpp"

namespace intact {
namespace {

bool is_conversion(const Step& step) {
  return step.op == "Quantize" || step.op == "Dequantize" || step.op == "Layout";
}

/// Float tensors that lie between two integer operators, conversions aside. Sums inside of an
/// operator are no activations, nor are single numbers: scales that the run finds.
int count_round_trips(const Program& program, const std::vector<std::unique_ptr<Step>>& steps) {
  const std::size_t count = program.tensors.size();
  std::vector<bool> after(count), before(count);  // by the tensor whose memory it is
  const auto at = [&](TensorId id) { return static_cast<std::size_t>(program.root(id)); };
  const auto integer = [](const Step& step) {
    return step.precision == Precision::int8 && !is_conversion(step);
  };
  for (const auto& step : steps) {
    bool follows = integer(*step);
    for (const TensorId id : step->inputs) follows = follows || after[at(id)];
    for (const TensorId id : step->outputs)
      if (id != no_tensor && follows) after[at(id)] = true;
  }
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    bool leads = integer(**step);
    for (const TensorId id : (*step)->outputs) leads = leads || (id != no_tensor && before[at(id)]);
    for (const TensorId id : (*step)->inputs)
      if (leads) before[at(id)] = true;
  }
  int trips = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const StoredTensor& tensor = program.tensors[i];
    if (tensor.type == ElementType::f32 && tensor.root == no_tensor && !tensor.constant.defined() &&
        element_count(tensor.shape) > 1 && !tensor.sums && after[i] && before[i])
      ++trips;
  }
  return trips;
}

std::vector<FlowNode> flow_nodes(const std::vector<std::unique_ptr<Step>>& steps) {
  std::vector<FlowNode> nodes;
  std::map<std::string, int> seen;
  for (const auto& step : steps) {
    FlowNode node;
    const int repeated = seen[step->name]++;
    node.name = repeated == 0 ? step->name : step->name + "#" + std::to_string(repeated + 1);
    node.op = step->op;
    node.onnx_nodes = step->sources;
    node.precision = step->precision == Precision::int8       ? "int8"
                     : step->precision == Precision::floating ? "float"
                                                              : "shape";
    node.kernel = step->kernel;
    node.isa = isa_name(step->isa);
    node.reason = step->reason;
    node.macs = step->macs;
    nodes.push_back(std::move(node));
  }
  return nodes;
}

}  // namespace

Flow Plan::flow() const {
  Flow flow;
  flow.nodes = flow_nodes(steps_);
  std::map<TensorId, FlowEdge> edges;
  const auto edge = [&](TensorId id) -> FlowEdge& {
    FlowEdge& result = edges[id];
    const StoredTensor& stored = program_.tensor(id);
    result.tensor = stored.name;
    result.storage = element_name(stored.type);
    if (stored.grid) result.grid = to_string(*stored.grid);
    return result;
  };
  // A view is the tensor that it shows, under another shape; a slot is a tensor of its own.
  const auto shown = [&](TensorId id) {
    while (program_.tensor(id).root != no_tensor && program_.tensor(id).pitch_elements == 0 &&
           program_.tensor(id).offset == 0)
      id = program_.tensor(id).root;
    return id;
  };
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const std::string& name = flow.nodes[i].name;
    for (const TensorId id : steps_[i]->inputs)
      if (!program_.tensor(id).constant.defined()) edge(shown(id)).to.push_back(name);
    for (const TensorId id : steps_[i]->outputs)
      if (id != no_tensor) edge(shown(id)).from = name;
    flow.total_macs = saturating_sum(flow.total_macs, steps_[i]->macs);
    if (steps_[i]->precision == Precision::int8) {
      ++flow.int8_nodes;
      flow.int8_macs = saturating_sum(flow.int8_macs, steps_[i]->macs);
    } else if (steps_[i]->precision == Precision::floating) {
      ++flow.float_nodes;
    }
  }
  for (auto& [id, value] : edges) flow.edges.push_back(std::move(value));
  for (const Removed& removed : program_.removed)
    flow.removed.push_back({removed.sources, removed.reason});
  flow.float_round_trips = count_round_trips(program_, steps_);
  return flow;
}

}  // namespace intact
