// Ranks of tensors before shapes are known: some expansions have to name every axis.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "graph/graph.hpp"

namespace intact {

/// Followed through the nodes in order; a rank that does not follow stays unknown.
class Ranks {
 public:
  /// `declared`: what the file says about tensors that are neither inputs nor outputs.
  Ranks(const Graph& graph, std::map<ValueId, int> declared)
      : graph_(graph), known_(std::move(declared)) {}

  std::optional<int> of(ValueId id) const;
  void declare(ValueId id, int rank) { known_.emplace(id, rank); }
  /// Ranks of the outputs from those of the inputs.
  void follow(const Node& node);

 private:
  std::optional<int> of_output(const Node& node) const;
  std::optional<int> of_input(const Node& node, std::size_t i) const;

  const Graph& graph_;
  std::map<ValueId, int> known_;
};

}  // namespace intact
