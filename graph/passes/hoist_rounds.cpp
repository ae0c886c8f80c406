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

/// Rounds what Pad writes around its operand; false, and nothing happens, when that is not known.
bool round_padding(Graph& graph, Node& pad, const Grid& grid) {
  if (pad.attributes.text("mode", "constant") != "constant") return true;
  if (pad.version < 11) return pad.attributes.number("value", 0) == 0;
  if (!pad.has_input(2)) return true;
  const Value& given = graph.value(pad.inputs[2]);
  if (!given.is_constant() || given.type != ElementType::f32 || given.constant.size() != 1)
    return false;
  const Tensor rounded = dequantize(quantize(real_constant(given), grid), grid);
  pad.inputs[2] = graph.add_constant(graph.unique_name(given.name + "/rounded"), rounded);
  graph.value(pad.inputs[2]).shape = rounded.shape();
  return true;
}

/// So many times a tensor may be rounded where its parts were.
constexpr std::size_t most_grids = 4;

/// Where each value comes from and goes to: indices of nodes.
struct Edges {
  std::vector<int> producers;
  std::vector<std::vector<int>> consumers;

  explicit Edges(const Graph& graph) : producers(graph.producers()), consumers(graph.consumers()) {}
  int producer(ValueId id) const { return producers[static_cast<std::size_t>(id)]; }
  const std::vector<int>& users(ValueId id) const {
    return consumers[static_cast<std::size_t>(id)];
  }
};

/// The node whose result the Round alone reads; null when there is none, or when the grid has
/// several scales.
Node* node_before(Graph& graph, const Edges& edges, const Node& round) {
  const ValueId middle = round.inputs[0];
  const int above = edges.producer(middle);
  if (!round.grid || !round.grid->per_tensor() || above < 0 || graph.is_output(middle) ||
      edges.users(middle).size() != 1)
    return nullptr;
  return &graph.nodes[static_cast<std::size_t>(above)];
}

/// The moving node before the Round, when that may go in front of it.
Node* mover_before(Graph& graph, const Edges& edges, const Node& round) {
  Node* const move = node_before(graph, edges, round);
  if (move == nullptr || (!rearranges(*move) && !chooses(*move) && !move->is("Pad")))
    return nullptr;
  const Value& x = graph.value(move->inputs[0]);
  if (x.grid || x.is_constant() || !x.shape) return nullptr;
  // Each may have a grid of its own, to which all of x would be rounded.
  const bool is_part = move->is("Slice") || move->is("Gather");
  return is_part && edges.users(move->inputs[0]).size() > most_grids ? nullptr : move;
}

/// Swaps the Round at `round` with the moving node before it; the edges stay true of the indices.
/// False when it has to stay.
bool swap(Graph& graph, std::size_t round, const Edges& edges) {
  Node& below = graph.nodes[round];
  Node* const move = mover_before(graph, edges, below);
  if (move == nullptr || (move->is("Pad") && !round_padding(graph, *move, *below.grid)))
    return false;
  const ValueId x = move->inputs[0], middle = below.inputs[0];
  below.inputs[0] = x;
  move->inputs[0] = middle;
  move->outputs[0] = std::exchange(below.outputs[0], middle);
  graph.value(middle).shape = graph.value(x).shape;
  graph.value(middle).grid = below.grid;
  std::swap(*move, below);
  return true;
}

/// Lets the moving node before the Round read its operand from an equal Round of that. False when
/// there is none.
bool merge(Graph& graph, std::size_t round, const Edges& edges) {
  Node& below = graph.nodes[round];
  Node* const move = mover_before(graph, edges, below);
  if (move == nullptr) return false;
  const auto& users = edges.users(move->inputs[0]);
  const auto same = std::find_if(users.begin(), users.end(), [&](int user) {
    const Node& node = graph.nodes[static_cast<std::size_t>(user)];
    return node.is_round() && node.grid == below.grid;
  });
  if (same == users.end() || (move->is("Pad") && !round_padding(graph, *move, *below.grid)))
    return false;
  Node& earlier = graph.nodes[static_cast<std::size_t>(*same)];
  move->inputs[0] = earlier.outputs[0];
  move->outputs[0] = below.outputs[0];
  append_sources(earlier, std::move(below.sources));
  below = Node{};
  graph.erase_marked();
  graph.sort();
  return true;
}

/// `x` rounded to the grid of `like`: by an existing Round, or by a new one, appended to `added`; a
/// constant at once.
ValueId rounded(Graph& graph, ValueId x, const Node& like, std::vector<Node>& added) {
  if (graph.value(x).grid == like.grid) return x;
  if (graph.is_constant(x)) {
    const ValueId y = graph.add_constant(graph.unique_name(graph.value(x).name + "/rounded"),
                                         quantize(real_constant(graph.value(x)), *like.grid));
    graph.value(y).type = ElementType::f32;
    graph.value(y).grid = like.grid;
    graph.value(y).shape = graph.value(y).constant.shape();
    return y;
  }
  for (const std::vector<Node>* nodes : {&graph.nodes, &added})
    for (const Node& node : *nodes)
      if (node.is_round() && node.inputs[0] == x && node.grid == like.grid) return node.outputs[0];
  const ValueId y =
      graph.add_value(graph.unique_name(graph.value(x).name + "/rounded"), ElementType::f32);
  graph.value(y).shape = graph.value(x).shape;
  graph.value(y).grid = like.grid;
  Node round;
  round.op = like.op;
  round.domain = like.domain;
  round.version = like.version;
  round.name = graph.value(y).name;
  round.grid = like.grid;
  round.inputs = {x};
  round.outputs = {y};
  added.push_back(std::move(round));
  return y;
}

/// Lets the Concat, Where or Scatter before the Round join rounded tensors. False when it has to
/// stay.
bool hoist_over_join(Graph& graph, std::size_t round, const Edges& edges) {
  const Node below = graph.nodes[round];
  const Node* const above = node_before(graph, edges, below);
  if (above == nullptr || (!above->is("Concat") && !mixes_data(*above)) ||
      graph.value(below.inputs[0]).grid)
    return false;
  const Node join = *above;
  const auto at = above - graph.nodes.data();
  std::vector<ValueId> inputs = join.inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (is_data_input(join, i) && (!join.has_input(i) || !graph.value(inputs[i]).shape ||
                                   graph.value(inputs[i]).type != ElementType::f32))
      return false;
  std::vector<Node> added;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (is_data_input(join, i)) inputs[i] = rounded(graph, inputs[i], below, added);
  Node& joined = graph.nodes[static_cast<std::size_t>(at)];
  joined.inputs = std::move(inputs);
  joined.outputs[0] = below.outputs[0];
  append_sources(joined, below.sources);
  graph.nodes[round].op.clear();
  graph.nodes.insert(graph.nodes.begin() + at, added.begin(), added.end());
  graph.erase_marked();
  graph.sort();
  return true;
}

/// The Rounds that read the outputs of a Split, by output; empty when others read them too, or when
/// the operand would have to be rounded to many grids.
std::vector<std::vector<int>> rounds_behind(const Graph& graph, const Edges& edges,
                                            const Node& split) {
  std::vector<std::vector<int>> rounds;
  std::vector<Grid> grids;
  for (const ValueId part : split.outputs) {
    rounds.emplace_back();
    if (part == no_value || graph.is_output(part) || !graph.value(part).shape) return {};
    for (const int user : edges.users(part)) {
      const Node& node = graph.nodes[static_cast<std::size_t>(user)];
      if (!node.is_round() || !node.grid->per_tensor()) return {};
      if (std::find(grids.begin(), grids.end(), *node.grid) == grids.end())
        grids.push_back(*node.grid);
      rounds.back().push_back(user);
    }
  }
  return grids.size() <= most_grids ? rounds : std::vector<std::vector<int>>{};
}

/// The elements [begin, end) of a tensor along one axis.
Node slice_node(Graph& graph, const Node& split, ValueId x, std::int64_t begin, std::int64_t end,
                std::int64_t axis) {
  Node slice;
  slice.op = "Slice";
  slice.version = 13;
  slice.name = split.name;
  slice.inputs = {x};
  for (const std::int64_t& number : {begin, end, axis}) {
    slice.inputs.push_back(graph.add_constant(graph.unique_name(split.name + "/range"),
                                              Tensor::from<std::int64_t>({1}, {&number, 1})));
    graph.value(slice.inputs.back()).shape = Shape{1};
  }
  return slice;
}

/// Round(Split(x)) is Slice(Round(x)), for all parts at once. False when it has to stay.
bool hoist_over_split(Graph& graph, std::size_t round, const Edges& edges) {
  const int above = edges.producer(graph.nodes[round].inputs[0]);
  if (above < 0 || !graph.nodes[static_cast<std::size_t>(above)].is("Split")) return false;
  const Node split = graph.nodes[static_cast<std::size_t>(above)];
  const ValueId x = split.inputs[0];
  if (graph.value(x).grid || graph.is_constant(x) || !graph.value(x).shape) return false;
  const auto rounds = rounds_behind(graph, edges, split);
  const auto rank = static_cast<std::int64_t>(graph.value(x).shape->size());
  std::int64_t axis = split.attributes.integer("axis", 0), begin = 0;
  if (axis < 0) axis += rank;
  std::vector<Node> added;
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    const Shape& part = *graph.value(split.outputs[i]).shape;
    const std::int64_t end = begin + part[static_cast<std::size_t>(axis)];
    for (const int user : rounds[i]) {
      const Node below = std::exchange(graph.nodes[static_cast<std::size_t>(user)], {});
      const ValueId reals = rounded(graph, x, below, added);
      Node slice = slice_node(graph, split, reals, begin, end, axis);
      slice.outputs = below.outputs;
      slice.sources = below.sources;
      added.push_back(std::move(slice));
    }
    begin = end;
  }
  if (added.empty()) return false;
  append_sources(added.front(), split.sources);
  graph.nodes[static_cast<std::size_t>(above)] = Node{};
  graph.nodes.insert(graph.nodes.begin() + above, added.begin(), added.end());
  graph.erase_marked();
  graph.sort();
  return true;
}

/// Moves the Round as far to the front as it goes. True when the indices of nodes have changed.
bool hoist(Graph& graph, std::size_t round, const Edges& edges) {
  for (;;) {
    if (merge(graph, round, edges)) return true;
    const int above = edges.producer(graph.nodes[round].inputs[0]);
    if (!swap(graph, round, edges)) break;
    round = static_cast<std::size_t>(above);
  }
  return hoist_over_split(graph, round, edges) || hoist_over_join(graph, round, edges);
}

}  // namespace

void hoist_rounds(Graph& graph) {
  for (bool changed = true; changed;) {
    changed = false;
    const Edges edges(graph);
    for (std::size_t i = 0; i < graph.nodes.size() && !changed; ++i)
      changed = graph.nodes[i].is_round() && hoist(graph, i, edges);
  }
}

}  // namespace intact
