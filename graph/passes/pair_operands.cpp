// Kernels join two tensors: Max, Min and Sum of more are chains of them, and Mean is a quotient of
// their Sum. ReduceLogSum is the Log of a ReduceSum.
#include <string_view>
#include <utility>

#include "graph/folding.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

bool joins_any_number(const Node& node) {
  if (!node.domain.empty() || node.inputs.empty()) return false;
  if (node.op == "Sum" || node.op == "Mean") return true;
  return (node.op == "Max" || node.op == "Min") && node.inputs.size() != 2;
}

class Pairing {
 public:
  explicit Pairing(Graph& graph) : graph_(graph), rewriter_(graph) {}

  void run() {
    for (Node& node : rewriter_.take_nodes()) {
      if (!can_be_rewritten(node))
        rewriter_.push(std::move(node));
      else if (node.is("ReduceLogSum"))
        take_logarithm(std::move(node));
      else if (node.op == "Mean")
        divide(std::move(node));
      else
        join(std::move(node));
    }
    rewriter_.finish();
  }

 private:
  bool can_be_rewritten(const Node& node) const {
    if (!joins_any_number(node) && !node.is("ReduceLogSum")) return false;
    const Value& y = graph_.value(node.outputs[0]);
    return y.type == ElementType::f32 && y.shape.has_value();
  }

  ValueId new_value(const Node& node, const std::string& op) {
    return graph_.add_value(rewriter_.names.get(node.name + "/" + op), ElementType::f32);
  }

  /// The result of a node in front of `node`, which keeps the sources.
  ValueId push_inner(const Node& node, std::string_view op, std::vector<ValueId> inputs) {
    Node inner = node;
    inner.op = op;
    inner.inputs = std::move(inputs);
    inner.sources.clear();
    const ValueId result = new_value(node, inner.op);
    inner.outputs = {result};
    inner.name = graph_.value(result).name;
    graph_.value(result).shape = infer_node(graph_, inner)[0].shape;
    rewriter_.push(std::move(inner));
    return result;
  }

  /// Max, Min or Sum, from the first operand to the last.
  void join(Node node) {
    const std::vector<ValueId> operands = std::exchange(node.inputs, {});
    if (operands.size() == 1)
      node.op = "Identity";
    else if (node.op == "Sum")
      node.op = "Add";
    node.inputs = {operands[0]};
    for (std::size_t i = 1; i < operands.size(); ++i) {
      node.inputs.push_back(operands[i]);
      if (i + 1 < operands.size()) node.inputs = {push_inner(node, node.op, node.inputs)};
    }
    rewriter_.push(std::move(node));
  }

  void take_logarithm(Node node) {
    node.inputs = {push_inner(node, "ReduceSum", node.inputs)};
    node.op = "Log";
    node.attributes = {};
    rewriter_.push(std::move(node));
  }

  void divide(Node node) {
    const ValueId count =
        graph_.add_constant(rewriter_.names.get(node.name + "/count"),
                            Tensor::scalar(static_cast<float>(node.inputs.size())));
    graph_.value(count).shape = Shape{};
    Node sum = node;
    sum.op = "Sum";
    sum.sources.clear();
    sum.outputs = {new_value(node, sum.op)};
    sum.name = graph_.value(sum.outputs[0]).name;
    graph_.value(sum.outputs[0]).shape = graph_.value(node.outputs[0]).shape;
    node.op = "Div";
    node.inputs = {sum.outputs[0], count};
    join(std::move(sum));
    rewriter_.push(std::move(node));
  }

  Graph& graph_;
  Rewriter rewriter_;
};

}  // namespace

void pair_operands(Graph& graph) {
  Pairing(graph).run();
}

}  // namespace intact
