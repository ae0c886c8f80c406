// Gathers by the size of their tables.
#include "quantize/select/embeddings.hpp"

#include "graph/ranks.hpp"
#include "quantize/select/rules.hpp"

namespace intact {
namespace {

/// Of all constants, in bytes.
constexpr double least_share = 0.01;

double bytes_of_constants(const Graph& graph) {
  double bytes = 0;
  for (const Value& value : graph.values)
    if (value.is_constant())
      bytes += static_cast<double>(value.constant.size()) *
               static_cast<double>(element_size(value.constant.type()));
  return bytes;
}

bool reads_rows(const Graph& graph, const Node& node) {
  if (!node.is("Gather") || !graph.is_constant(node.inputs[0]) || graph.is_constant(node.inputs[1]))
    return false;
  const Tensor& table = graph.value(node.inputs[0]).constant;
  const std::int64_t axis = node.attributes.integer("axis", 0);
  return table.type() == ElementType::f32 && table.rank() == 2 && table.size() > 0 &&
         (axis == 0 || axis == -2);
}

}  // namespace

std::map<ValueId, int> find_embeddings(const Graph& graph) {
  std::map<ValueId, int> found;
  Ranks ranks(graph, {});
  const double least_bytes = least_share * bytes_of_constants(graph);
  for (const Node& node : graph.nodes) {
    ranks.follow(node);
    if (!reads_rows(graph, node)) continue;
    const double bytes = static_cast<double>(graph.value(node.inputs[0]).constant.size()) *
                         static_cast<double>(sizeof(float));
    const std::optional<int> rank = ranks.of(node.outputs[0]);
    if (bytes >= least_bytes && rank && unbounded_constant(graph, node).empty())
      found[node.outputs[0]] = *rank;
  }
  return found;
}

}  // namespace intact
