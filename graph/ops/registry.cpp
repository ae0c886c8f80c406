// The lookup of operator definitions, built once from the families' lists.
#include "graph/ops/registry.hpp"

#include <fmt/format.h>

#include <map>

#include "graph/ops/unsupported.hpp"
#include "intact/error.hpp"

namespace intact {

namespace {

using Key = std::pair<std::string_view, std::string_view>;  // domain, operator

std::map<Key, const Definition*> build_lookup() {
  std::map<Key, const Definition*> lookup;
  for (const std::span<const Definition> family :
       {elementwise_definitions(),    logical_definitions(),      unary_definitions(),
        activation_definitions(),     movement_definitions(),     reshape_definitions(),
        slice_definitions(),          gather_definitions(),       shape_definitions(),
        order_definitions(),          einsum_definitions(),       recurrent_definitions(),
        grid_sample_definitions(),    loss_definitions(),         detection_definitions(),
        conv_definitions(),           gemm_definitions(),         pool_definitions(),
        normalization_definitions(),  reduce_definitions(),       resize_definitions(),
        quantization_definitions(),   signal_definitions(),       unique_definitions(),
        sequence_definitions(),       control_flow_definitions(), ngram_definitions(),
        optimizer_definitions(),      random_definitions(),       affine_grid_definitions(),
        tensor_scatter_definitions(), col2im_definitions(),       deform_conv_definitions()})
    for (const Definition& definition : family)
      lookup.emplace(Key{definition.domain, definition.op}, &definition);
  return lookup;
}

const std::map<Key, const Definition*>& lookup() {
  static const std::map<Key, const Definition*> built = build_lookup();
  return built;
}

/// ": <reason>" for an operator that is left out on purpose.
std::string why_unsupported(const Node& node) {
  for (const UnsupportedOperator& other : unsupported_operators())
    if (node.is(other.op, other.domain)) return fmt::format(": {}", other.reason);
  return "";
}

}  // namespace

const Definition* find_definition(std::string_view op, std::string_view domain) {
  if (domain == "ai.onnx") domain = "";
  const auto found = lookup().find({domain, op});
  return found == lookup().end() ? nullptr : found->second;
}

const Definition& definition_of(const Node& node) {
  const Definition* definition = find_definition(node.op, node.domain);
  if (definition == nullptr)
    throw Unsupported(fmt::format("{}: the operator {} of domain '{}' is not supported",
                                  describe(node), node.op,
                                  node.domain.empty() ? "ai.onnx" : node.domain) +
                      why_unsupported(node));
  if (node.version < definition->first)
    throw Unsupported(fmt::format("{}: {} of operator set {} is not supported, only {} and later",
                                  describe(node), node.op, node.version, definition->first));
  return *definition;
}

std::vector<const Definition*> all_definitions() {
  std::vector<const Definition*> all;
  for (const auto& [key, definition] : lookup()) all.push_back(definition);
  return all;
}

}  // namespace intact
