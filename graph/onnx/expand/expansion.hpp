// One node of the file on its way to standard operators: what an expansion reads and what it
// writes.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/checks.hpp"
#include "graph/graph.hpp"
#include "graph/passes/rewrite.hpp"
#include "graph/ranks.hpp"

namespace intact {

/// The channels-first tensor from which an expansion made a channels-last one.
struct ChannelsFirst {
  ValueId image;
  int rank;
};

/// What the expansions of one graph share.
struct Walk {
  Graph& graph;
  FreshNames names;
  Ranks ranks;
  /// By channels-last tensor.
  std::map<ValueId, ChannelsFirst> channels_first;
  /// Results of operators on constants alone: quantized weights behind their DequantizeLinear.
  std::set<ValueId> constants;

  bool is_constant(ValueId id) const { return graph.is_constant(id) || constants.contains(id); }
};

Attributes attributes_of(std::initializer_list<std::pair<const char*, Attribute>> list);

class Expansion {
 public:
  Expansion(Walk& walk, Node node) : walk_(walk), node_(std::move(node)) {}

  // What the file has.

  const Node& node() const { return node_; }
  bool has(std::size_t i) const { return node_.has_input(i); }
  /// Operand i; throws Error when it is absent.
  ValueId operand(std::size_t i) const;
  ValueId optional(std::size_t i) const { return has(i) ? node_.inputs[i] : no_value; }
  /// Whether somebody may read output i.
  bool wants(std::size_t i) const {
    return i < node_.outputs.size() && node_.outputs[i] != no_value;
  }
  /// How many of the first `most` outputs a node with the same outputs needs: at least one.
  std::size_t wanted(std::size_t most) const {
    while (most > 1 && !wants(most - 1)) --most;
    return most;
  }
  /// The value of a constant; null for other tensors.
  const Tensor* constant(ValueId id) const;
  /// The extent where the file fixes it: of a constant or a declared input.
  std::optional<std::int64_t> extent(ValueId id, std::size_t axis) const;
  /// Element type, undefined when it is not known before inference.
  ElementType type(ValueId id) const { return walk_.graph.value(id).type; }
  std::optional<int> rank(ValueId id) const { return walk_.ranks.of(id); }
  /// Throws Unsupported when the rank is not known.
  int needed_rank(ValueId id) const;
  /// The attributes, without those that the standard operator does not have.
  Attributes attributes_without(std::initializer_list<const char*> names) const;
  Walk& walk() { return walk_; }

  // What stands for it.

  /// A standard operator in the form of operator set 13, or of the set that brought it.
  ValueId add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
  std::vector<ValueId> add_several(std::string_view op, std::vector<ValueId> inputs,
                                   std::size_t outputs, Attributes attributes = {});
  /// sum + addend, where there is one.
  ValueId add_optional(ValueId sum, ValueId addend) {
    return addend == no_value ? sum : add("Add", {sum, addend});
  }
  /// Lets the producer of `made` stand for the file's node in `flow`. Returns `made`.
  ValueId main(ValueId made);
  void set_version(ValueId made, int version) { producer(made)->version = version; }
  ValueId constant_of(const char* what, Tensor tensor);
  ValueId number(float value);
  /// x in the element type of `like`, where that is known not to be f32.
  ValueId like(ValueId x, ValueId like);
  ValueId number_like(float value, ValueId tensor) { return like(number(value), tensor); }
  ValueId integer(std::int64_t value);
  ValueId integers(const std::vector<std::int64_t>& values);
  /// Output i of the file's node is `made`.
  void give(std::size_t i, ValueId made);
  /// The first outputs are these, the others up to `most` are not wanted.
  void give_all(const std::vector<ValueId>& made, std::size_t most);
  /// The file's node stays as it is: a form for which there is nothing better.
  void keep() { kept_ = true; }

  /// The nodes in order. Throws Unsupported when an output that is wanted was not given.
  std::vector<Node> finish();

 private:
  Node* producer(ValueId id);

  Walk& walk_;
  Node node_;
  std::vector<Node> nodes_;
  std::map<std::string, int, std::less<>> count_;
  std::vector<bool> given_;
  std::size_t main_ = SIZE_MAX;
  bool kept_ = false;
};

}  // namespace intact
