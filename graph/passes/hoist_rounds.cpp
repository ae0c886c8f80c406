// Round(Reshape(x)) is Reshape(Round(x)), Round(Concat(x, y)) is Concat(Round(x), Round(y)), and,
// as rounding is monotonic, Round(MaxPool(x)) is MaxPool(Round(x)): rounding moves in front of
// operators that only rearrange, repeat, choose or join elements, next to the operators that
// compute them, so that it can become part of their kernels.
#include <algorithm>
#include <array>
#include <utility>

#include "graph/definition.hpp"
#include "graph/folding.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

bool rearranges(const Node& node) {
  constexpr std::array<std::string_view, 13> ops = {
      "Reshape",      "Flatten", "Squeeze", "Unsqueeze", "Transpose", "DepthToSpace", "Slice",
      "SpaceToDepth", "Expand",  "Tile",    "Resize",    "Upsample",  "Gather"};
  return node.domain.empty() && std::find(ops.begin(), ops.end(), node.op) != ops.end() &&
         moves_data(node);
}

/// The result is one of the compared elements, and nobody asks which.
bool chooses(const Node& node) {
  return node.is("GlobalMaxPool") || node.is("ReduceMax") || node.is("ReduceMin") ||
         (node.is("MaxPool") && (node.outputs.size() < 2 || node.outputs[1] == no_value));
}

/// So many times a tensor may be rounded where its parts were.
constexpr std::size_t most_grids = 4;

class Hoister {
 public:
  explicit Hoister(Graph& graph) : graph_(graph), nodes_(graph), names_(graph) {}

  /// Rounds that have been added lie behind the others and move on in the same walk; others may be
  /// free to move only then.
  void run() {
    do {
      changed_ = false;
      for (int i = 0; i < nodes_.size(); ++i)
        if (nodes_.node(i).is_round()) hoist(i);
    } while (changed_);
    nodes_.finish();
  }

 private:
  Value& value(ValueId id) const { return graph_.value(id); }
  const Node* node_before(const Node& round) const;
  const Node* mover_before(const Node& round) const;
  bool round_padding(Node& pad, const Grid& grid);
  bool swap(int round);
  bool merge(int round);
  ValueId equal_round(ValueId x, const Grid& grid) const;
  ValueId rounded(ValueId x, const Node& like, int before);
  bool hoist_over_join(int round);
  std::vector<std::vector<int>> rounds_behind(const Node& split) const;
  Node slice_node(const Node& split, ValueId x, std::int64_t begin, std::int64_t end,
                  std::int64_t axis);
  bool hoist_over_split(int round);
  void hoist(int round);

  Graph& graph_;
  NodeEditor nodes_;
  FreshNames names_;
  bool changed_ = false;
};

/// The node whose result the Round alone reads; null when there is none, or when the grid has
/// several scales.
const Node* Hoister::node_before(const Node& round) const {
  const ValueId middle = round.inputs[0];
  const int above = nodes_.producer(middle);
  if (!round.grid || !round.grid->per_tensor() || above < 0 || graph_.is_output(middle) ||
      nodes_.users(middle).size() != 1)
    return nullptr;
  return &nodes_.node(above);
}

/// The moving node before the Round, when that may go in front of it.
const Node* Hoister::mover_before(const Node& round) const {
  const Node* const move = node_before(round);
  if (move == nullptr || (!rearranges(*move) && !chooses(*move) && !move->is("Pad")))
    return nullptr;
  const Value& x = value(move->inputs[0]);
  if (x.grid || x.is_constant() || !x.shape) return nullptr;
  // Each may have a grid of its own, to which all of x would be rounded.
  const bool is_part = move->is("Slice") || move->is("Gather");
  return is_part && nodes_.users(move->inputs[0]).size() > most_grids ? nullptr : move;
}

/// Rounds what Pad writes around its operand; false, and nothing happens, when that is not known.
bool Hoister::round_padding(Node& pad, const Grid& grid) {
  if (pad.attributes.text("mode", "constant") != "constant") return true;
  if (pad.version < 11) return pad.attributes.number("value", 0) == 0;
  if (!pad.has_input(2)) return true;
  const Value& given = value(pad.inputs[2]);
  if (!given.is_constant() || given.type != ElementType::f32 || given.constant.size() != 1)
    return false;
  const Tensor rounded = dequantize(quantize(real_constant(given), grid), grid);
  pad.inputs[2] = graph_.add_constant(names_.get(given.name + "/rounded"), rounded);
  return true;
}

/// Swaps the Round at `round` with the moving node before it. False when it has to stay.
bool Hoister::swap(int round) {
  const Node* const found = mover_before(nodes_.node(round));
  if (found == nullptr) return false;
  Node move = *found, below = nodes_.node(round);
  if (move.is("Pad") && !round_padding(move, *below.grid)) return false;
  const ValueId x = move.inputs[0], middle = below.inputs[0];
  const int above = nodes_.producer(middle);
  nodes_.take(above);
  nodes_.take(round);
  below.inputs[0] = x;
  move.inputs[0] = middle;
  move.outputs[0] = std::exchange(below.outputs[0], middle);
  value(middle).shape = value(x).shape;
  value(middle).grid = below.grid;
  nodes_.put(above, std::move(below));
  nodes_.put(round, std::move(move));
  return true;
}

/// The result of the Round of `x` to `grid`; no_value when there is none.
ValueId Hoister::equal_round(ValueId x, const Grid& grid) const {
  for (const int user : nodes_.users(x))
    if (const Node& node = nodes_.node(user); node.is_round() && node.grid == grid)
      return node.outputs[0];
  return no_value;
}

/// Lets the moving node before the Round read its operand from an equal Round of that. False when
/// there is none.
bool Hoister::merge(int round) {
  const Node* const found = mover_before(nodes_.node(round));
  if (found == nullptr) return false;
  Node move = *found;
  const Grid grid = *nodes_.node(round).grid;
  const ValueId same = equal_round(move.inputs[0], grid);
  if (same == no_value || (move.is("Pad") && !round_padding(move, grid))) return false;
  const int above = nodes_.producer(move.outputs[0]), earlier = nodes_.producer(same);
  Node below = nodes_.take(round);
  nodes_.take(above);
  move.inputs[0] = same;
  move.outputs[0] = below.outputs[0];
  nodes_.put(above, std::move(move));
  Node kept = nodes_.take(earlier);
  append_sources(kept, std::move(below.sources));
  nodes_.put(earlier, std::move(kept));
  return true;
}

/// `x` rounded to the grid of `like`: by an existing Round, or by a new one in front of the node at
/// `before`; a constant at once.
ValueId Hoister::rounded(ValueId x, const Node& like, int before) {
  if (value(x).grid == like.grid) return x;
  if (graph_.is_constant(x)) {
    const ValueId y = graph_.add_constant(names_.get(value(x).name + "/rounded"),
                                          quantize(real_constant(value(x)), *like.grid));
    value(y).type = ElementType::f32;
    value(y).grid = like.grid;
    return y;
  }
  if (const ValueId same = equal_round(x, *like.grid); same != no_value) return same;
  const ValueId y = graph_.add_value(names_.get(value(x).name + "/rounded"), ElementType::f32);
  value(y).shape = value(x).shape;
  value(y).grid = like.grid;
  Node round;
  round.op = like.op;
  round.domain = like.domain;
  round.version = like.version;
  round.name = value(y).name;
  round.grid = like.grid;
  round.inputs = {x};
  round.outputs = {y};
  nodes_.insert_before(before, std::move(round));
  return y;
}

/// Lets the Concat, Where or Scatter before the Round join rounded tensors. False when it has to
/// stay.
bool Hoister::hoist_over_join(int round) {
  const Node* const found = node_before(nodes_.node(round));
  if (found == nullptr || (!found->is("Concat") && !mixes_data(*found)) ||
      value(nodes_.node(round).inputs[0]).grid)
    return false;
  Node join = *found;
  for (std::size_t i = 0; i < join.inputs.size(); ++i)
    if (is_data_input(join, i) && (!join.has_input(i) || !value(join.inputs[i]).shape ||
                                   value(join.inputs[i]).type != ElementType::f32))
      return false;
  const int at = nodes_.producer(nodes_.node(round).inputs[0]);
  Node below = nodes_.take(round);
  for (std::size_t i = 0; i < join.inputs.size(); ++i)
    if (is_data_input(join, i)) join.inputs[i] = rounded(join.inputs[i], below, at);
  nodes_.take(at);
  join.outputs[0] = below.outputs[0];
  append_sources(join, std::move(below.sources));
  nodes_.put(at, std::move(join));
  return true;
}

/// The Rounds that read the outputs of a Split, by output; empty when others read them too, or when
/// the operand would have to be rounded to many grids.
std::vector<std::vector<int>> Hoister::rounds_behind(const Node& split) const {
  std::vector<std::vector<int>> rounds;
  std::vector<Grid> grids;
  for (const ValueId part : split.outputs) {
    rounds.emplace_back();
    if (part == no_value || graph_.is_output(part) || !value(part).shape) return {};
    for (const int user : nodes_.users(part)) {
      const Node& node = nodes_.node(user);
      if (!node.is_round() || !node.grid->per_tensor()) return {};
      if (std::find(grids.begin(), grids.end(), *node.grid) == grids.end())
        grids.push_back(*node.grid);
      rounds.back().push_back(user);
    }
  }
  return grids.size() <= most_grids ? rounds : std::vector<std::vector<int>>{};
}

/// The elements [begin, end) of a tensor along one axis.
Node Hoister::slice_node(const Node& split, ValueId x, std::int64_t begin, std::int64_t end,
                         std::int64_t axis) {
  Node slice;
  slice.op = "Slice";
  slice.version = 13;
  slice.name = split.name;
  slice.inputs = {x};
  for (const std::int64_t& number : {begin, end, axis})
    slice.inputs.push_back(graph_.add_constant(names_.get(split.name + "/range"),
                                               Tensor::from<std::int64_t>({1}, {&number, 1})));
  return slice;
}

/// Round(Split(x)) is Slice(Round(x)), for all parts at once. False when it has to stay.
bool Hoister::hoist_over_split(int round) {
  const int above = nodes_.producer(nodes_.node(round).inputs[0]);
  if (above < 0 || !nodes_.node(above).is("Split")) return false;
  const Node split = nodes_.node(above);
  const ValueId x = split.inputs[0];
  if (value(x).grid || graph_.is_constant(x) || !value(x).shape) return false;
  const auto rounds = rounds_behind(split);
  if (rounds.empty()) return false;
  const auto rank = static_cast<std::int64_t>(value(x).shape->size());
  std::int64_t axis = split.attributes.integer("axis", 0), begin = 0;
  if (axis < 0) axis += rank;
  std::vector<std::string> sources = split.sources;  // for the first that takes its place
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    const Shape& part = *value(split.outputs[i]).shape;
    const std::int64_t end = begin + part[static_cast<std::size_t>(axis)];
    for (const int user : rounds[i]) {
      Node below = nodes_.take(user);
      Node slice = slice_node(split, rounded(x, below, above), begin, end, axis);
      slice.outputs = std::move(below.outputs);
      slice.sources = std::move(below.sources);
      append_sources(slice, std::exchange(sources, {}));
      nodes_.insert_before(above, std::move(slice));
    }
    begin = end;
  }
  nodes_.take(above);
  return true;
}

/// Moves the Round as far to the front as it goes.
void Hoister::hoist(int round) {
  for (;;) {
    if (merge(round)) break;
    const int above = nodes_.producer(nodes_.node(round).inputs[0]);
    if (swap(round)) {
      round = above;
      continue;
    }
    if (!hoist_over_split(round) && !hoist_over_join(round)) return;
    break;
  }
  changed_ = true;
}

}  // namespace

void hoist_rounds(Graph& graph) {
  Hoister(graph).run();
}

}  // namespace intact
