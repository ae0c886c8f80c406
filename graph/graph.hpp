// The graph in memory: values, and nodes in topological order. Two dialects share it:
//  - as imported: ONNX operators as the file has them (QuantizeLinear, QLinearConv, ...);
//  - canonical (after graph/passes/passes.hpp): tensors of real numbers, some on grids; the
//    quantization operators are replaced by Round, Bytes and FromBytes of domain "intact".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/grid.hpp"
#include "graph/attributes.hpp"
#include "intact/tensor.hpp"

namespace intact {

using ValueId = int;
constexpr ValueId no_value = -1;  ///< an optional operand that is absent

/// Extent of a declared shape: `value` is -1 when unknown; then `symbol` may name it.
struct Dimension {
  std::int64_t value = -1;
  std::string symbol;
};

struct Value {
  std::string name;
  /// Element type. A tensor on a grid stands for real numbers: f32, whatever its integers are.
  ElementType type = ElementType::undefined;
  /// A sequence of tensors of `type`; an optional that may hold nothing.
  bool is_sequence = false, is_optional = false;
  /// What the file declares (graph inputs and outputs), absent when the rank is unknown.
  std::optional<std::vector<Dimension>> declared;
  /// Concrete shape; absent before inference.
  std::optional<Shape> shape;
  /// Set for constants. On a grid: the integers, of type grid->type. Else: of type `type`.
  Tensor constant;
  /// Set when the tensor lies on a grid: produced by Round, FromBytes, a constant, or an operator
  /// that only moves data.
  std::optional<Grid> grid;

  bool is_constant() const { return constant.defined(); }
};

struct Node {
  std::string op;
  std::string domain;  ///< "" for ONNX, "com.microsoft", "intact"
  int version = 0;     ///< operator set version of that domain in the model
  std::string name;    ///< as in the file; unnamed ones "<op>_<index>"
  std::vector<ValueId> inputs, outputs;
  /// Of a node with subgraphs: so many inputs, the last ones, are values around it that its
  /// subgraphs read; they are the last inputs of each subgraph, in the same order.
  std::size_t captured = 0;
  Attributes attributes;
  /// Round and FromBytes: the grid of the output. Bytes: the grid of the input.
  std::optional<Grid> grid;
  /// Names of the file's nodes that this node stands for.
  std::vector<std::string> sources;

  bool is(std::string_view wanted, std::string_view in_domain = "") const {
    return op == wanted && domain == in_domain;
  }
  bool is_round() const { return is("Round", "intact"); }
  bool is_bytes() const { return is("Bytes", "intact"); }
  bool is_from_bytes() const { return is("FromBytes", "intact"); }
  bool has_input(std::size_t i) const { return i < inputs.size() && inputs[i] != no_value; }
  /// Inputs that the operator itself defines.
  std::size_t own_inputs() const { return inputs.size() - captured; }
  /// By attribute name: the branches of If, the body of Loop, ...
  std::vector<std::pair<std::string, Subgraph>> subgraphs() const;
  /// Its own sources and those of all nodes in its subgraphs, with what has been removed from them.
  std::vector<std::string> all_sources() const;
};

/// Source nodes that no node stands for any more, and why ("constant", "unused", ...).
struct Removed {
  std::vector<std::string> sources;
  std::string reason;
};

class Graph {
 public:
  std::string name;
  std::map<std::string, int> opsets;  ///< by domain
  std::vector<Value> values;
  std::vector<Node> nodes;  ///< topological order
  std::vector<ValueId> inputs, outputs;
  std::vector<Removed> removed;
  std::map<std::string, std::string> metadata;
  std::size_t file_bytes = 0;  ///< model file and external data

  ValueId add_value(std::string name, ElementType type = ElementType::undefined);
  ValueId add_constant(std::string name, Tensor tensor);
  Value& value(ValueId id) { return values[static_cast<std::size_t>(id)]; }
  const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  /// An absent operand (no_value) is not constant.
  bool is_constant(ValueId id) const { return id != no_value && value(id).is_constant(); }
  bool is_output(ValueId id) const;
  /// A name that no value has: `base`, or `base` with a number.
  std::string unique_name(const std::string& base) const;

  /// Index into `nodes` of the producer of each value; -1 for inputs and constants.
  std::vector<int> producers() const;
  /// Indices into `nodes` of the consumers of each value, one entry per use, in order.
  std::vector<std::vector<int>> consumers() const;
  /// Drops nodes marked by an empty `op`.
  void erase_marked();
  /// Restores topological order; throws Error naming a node on a cycle.
  void sort();
  /// Throws Error when an invariant is broken: ids in range, one producer per value, topological
  /// order, every source node in exactly one place when `all_sources` is given.
  void check(const std::vector<std::string>* all_sources = nullptr) const;
};

/// "Conv 'features.0' (opset 13)" for messages.
std::string describe(const Node& node);

}  // namespace intact
