// Looks at a graph backwards from one node, for passes that replace several operators by one. What
// the walk passes through is remembered: it may be replaced when nobody else reads it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {

class Pattern {
 public:
  explicit Pattern(Graph& graph)
      : names(graph), graph_(graph), producers_(graph.producers()), consumers_(graph.consumers()) {}

  /// A new match that ends at node `last`.
  void begin(int last) { taken_ = {last}; }

  /// The ONNX operator `op` that computes `id`, now part of the match; null when it is another one.
  const Node* take(ValueId id, std::string_view op);
  /// The result of `match`; when that is false, the walk stands where it stood before.
  template <class Match>
  bool attempt(const Match& match) {
    const std::size_t before = taken_.size();
    if (match()) return true;
    taken_.resize(before);
    return false;
  }
  /// match(a, b) with the operands of a binary operator in this order or the other one.
  template <class Match>
  bool either_order(const Node& node, const Match& match) {
    if (node.inputs.size() != 2) return false;
    return attempt([&] { return match(node.inputs[0], node.inputs[1]); }) ||
           attempt([&] { return match(node.inputs[1], node.inputs[0]); });
  }
  /// Add(x, c) or Add(c, x) with a constant number c, now part of the match.
  bool take_sum(ValueId id, ValueId& x, double& c);

  /// A floating-point constant of one element.
  std::optional<double> number(ValueId id) const;

  /// `id` is the result of the last node, or has one reader and is no output: its producer may be
  /// part of the match.
  bool is_inside(ValueId id) const;

  /// A product of tensors and one number, however it is written: Mul in any order and nesting, Div
  /// by a number, Pow with the exponents 2 and 3. Nested operators are part of the match when
  /// nothing else reads them; else their results are factors.
  struct Product {
    double number = 1;
    std::vector<ValueId> factors;
  };
  /// False for more factors than any pattern has.
  bool take_product(ValueId id, Product& product);

  /// Nobody else reads a result inside of the match.
  bool is_closed() const;
  /// Lets `node` compute what the match computes, with the sources and the output of its last node.
  /// False, and nothing happens, unless it is closed.
  bool replace(Node node) { return replace({std::move(node)}, 0); }
  /// The same with nodes in a row, fewer than the match has: the last one has the output, number
  /// `main` the name and the sources.
  bool replace(std::vector<Node> nodes, std::size_t main);

  Graph& graph() { return graph_; }
  const std::optional<Shape>& shape(ValueId id) const { return graph_.value(id).shape; }

  FreshNames names;

 private:
  bool take_factors(const Node& node, Product& product);
  void put(int place, Node node);
  /// Index of the node that computes a value; -1 for inputs and constants, also new ones.
  int producer(ValueId id) const {
    const auto index = static_cast<std::size_t>(id);
    return id == no_value || index >= producers_.size() ? -1 : producers_[index];
  }
  const std::vector<int>& readers(ValueId id) const {
    return consumers_[static_cast<std::size_t>(id)];
  }

  Graph& graph_;
  std::vector<int> producers_;
  std::vector<std::vector<int>> consumers_;
  std::vector<int> taken_;  ///< indices of nodes; the last node of the pattern comes first
};

/// Equal but for the rounding of float constants.
bool nearly(double a, double b);

}  // namespace intact
