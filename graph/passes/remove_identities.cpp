// Drops nodes that return their input: Identity, Dropout at inference, Cast and CastLike to the
// same type, Transpose that keeps the order, Concat of one tensor.
#include "graph/element_numbers.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

bool is_ascending(const std::vector<std::int64_t>& order) {
  for (std::size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<std::int64_t>(i)) return false;
  return true;
}

bool trains(const Graph& graph, const Node& node) {
  if (!node.has_input(2)) return false;
  if (!graph.is_constant(node.inputs[2])) return true;
  const Tensor& mode = graph.value(node.inputs[2]).constant;
  return mode.type() != ElementType::boolean || mode.size() != 1 || mode.data<bool>()[0];
}

bool is_identity(const Graph& graph, const Node& node) {
  if (!node.domain.empty() || !node.has_input(0) || node.outputs[0] == no_value) return false;
  if (node.op == "Identity") return true;
  if (node.op == "Dropout") return !trains(graph, node);
  if (node.op == "Concat") return node.inputs.size() == 1;
  if (node.op == "Transpose")
    return node.attributes.has("perm") && is_ascending(node.attributes.integers("perm"));
  const ElementType type = graph.value(node.inputs[0]).type;
  if (type == ElementType::undefined) return false;
  if (node.op == "Cast") return type == element_type_numbered(node.attributes.integer("to", 0));
  if (node.op == "CastLike") return node.has_input(1) && type == graph.value(node.inputs[1]).type;
  return false;
}

/// Outputs behind the first (Dropout's mask) must not be read.
bool only_first_output_is_read(const Graph& graph, const Node& node,
                               const std::vector<std::vector<int>>& consumers) {
  for (std::size_t i = 1; i < node.outputs.size(); ++i)
    if (node.outputs[i] != no_value &&
        (graph.is_output(node.outputs[i]) ||
         !consumers[static_cast<std::size_t>(node.outputs[i])].empty()))
      return false;
  return true;
}

}  // namespace

void remove_identities(Graph& graph) {
  const auto consumers = graph.consumers();
  Rewriter rewriter(graph);
  for (Node& node : rewriter.take_nodes()) {
    rewriter.redirect_inputs(node);
    if (is_identity(graph, node) && only_first_output_is_read(graph, node, consumers) &&
        rewriter.redirect(node.outputs[0], node.inputs[0]))
      remove_sources(graph, node, "identity");
    else
      rewriter.push(std::move(node));
  }
  rewriter.finish();
}

}  // namespace intact
