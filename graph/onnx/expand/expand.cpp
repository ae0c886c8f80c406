// The one table of expansions, and the walk that applies it.
#include "graph/onnx/expand/expand.hpp"

#include <algorithm>
#include <iterator>

#include "graph/onnx/expand/families.hpp"
#include "graph/onnx/expand/types.hpp"

namespace intact {
namespace {

using Key = std::pair<std::string_view, std::string_view>;  // domain, operator

std::map<Key, const ExpansionRule*> build_table() {
  std::map<Key, const ExpansionRule*> table;
  for (const auto rules : {standard_rules(), channels_last_rules(), quantized_rules(),
                           integer_rules(), blocked_rules(), other_tool_rules(), fused_rules(),
                           normalization_rules(), attention_rules()})
    for (const ExpansionRule& rule : rules) table.emplace(Key{rule.domain, rule.op}, &rule);
  return table;
}

const std::map<Key, const ExpansionRule*>& table() {
  static const std::map<Key, const ExpansionRule*> built = build_table();
  return built;
}

const ExpansionRule* rule_of(const Node& node) {
  const auto found = table().find({node.domain, node.op});
  return found == table().end() ? nullptr : found->second;
}

/// Whether a node computes the same in every run, as far as its operands tell.
bool has_constant_operands(const Walk& walk, const Node& node) {
  return !node.inputs.empty() && std::ranges::all_of(node.inputs, [&](ValueId id) {
    return id == no_value || walk.is_constant(id);
  });
}

/// Weights of this domain are laid out for the processor on which the file was written.
void refuse_blocked_layout(const Node& node) {
  if (node.domain == "com.microsoft.nchwc")
    refuse_unsupported(node,
                       "its tensors are blocked for one processor; write the optimized file at "
                       "the level ORT_ENABLE_EXTENDED instead of ORT_ENABLE_ALL");
}

}  // namespace

std::vector<std::pair<std::string_view, std::string_view>> expanded_operators() {
  std::vector<Key> operators;
  for (const auto& [key, rule] : table()) operators.push_back(key);
  return operators;
}

void expand_operators(Graph& graph, std::map<ValueId, int> ranks) {
  Walk walk{graph, FreshNames(graph), Ranks(graph, std::move(ranks)), {}, {}};
  std::vector<Node> nodes;
  for (Node& node : std::exchange(graph.nodes, {})) {
    refuse_blocked_layout(node);
    if (has_constant_operands(walk, node))
      walk.constants.insert(node.outputs.begin(), node.outputs.end());
    const ExpansionRule* rule = rule_of(node);
    if (rule == nullptr) {
      walk.ranks.follow(node);
      follow_types(graph, node);
      nodes.push_back(std::move(node));
      continue;
    }
    Expansion expansion(walk, std::move(node));
    rule->expand(expansion);
    std::vector<Node> made = expansion.finish();
    std::move(made.begin(), made.end(), std::back_inserter(nodes));
  }
  graph.nodes = std::move(nodes);
}

}  // namespace intact
