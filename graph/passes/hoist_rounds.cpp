// Round(Reshape(x)) is Reshape(Round(x)), Round(Concat(x, y)) is Concat(Round(x), Round(y)), and,
// as rounding is monotonic, Round(MaxPool(x)) is MaxPool(Round(x)): rounding moves in front of
// operators that only rearrange, repeat, choose or join elements, next to the operators that
// compute them, so that it can become part of their kernels.
#include <algorithm>
#include <array>

#include "graph/definition.hpp"
#include "graph/folding.hpp"
#include "graph/passes/passes.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

bool rearranges(const Node& node) {
  constexpr std::array<std::string_view, 11> ops = {
      "Reshape",      "Flatten", "Squeeze", "Unsqueeze", "Transpose", "DepthToSpace",
      "SpaceToDepth", "Expand",  "Tile",    "Resize",    "Upsample"};
  return node.domain.empty() && std::find(ops.begin(), ops.end(), node.op) != ops.end() &&
         moves_data(node);
}

/// The result is one of the compared elements, and nobody asks which.
bool chooses(const Node& node) {
  return node.is("GlobalMaxPool") || node.is("ReduceMax") || node.is("ReduceMin") ||
         (node.is("MaxPool") && (node.outputs.size() < 2 || node.outputs[1] == no_value));
}

/// Swaps the Round at `round` with the moving node before it; producers and consumers stay true of
/// the indices. False when it has to stay.
bool hoist(Graph& graph, std::size_t round, const std::vector<int>& producers,
           const std::vector<std::vector<int>>& consumers) {
  Node& below = graph.nodes[round];
  const ValueId middle = below.inputs[0];
  const int above = producers[static_cast<std::size_t>(middle)];
  if (!below.grid || !below.grid->per_tensor() || above < 0 || graph.is_output(middle))
    return false;
  if (consumers[static_cast<std::size_t>(middle)].size() != 1) return false;
  Node& move = graph.nodes[static_cast<std::size_t>(above)];
  const ValueId x = move.inputs[0];
  if ((!rearranges(move) && !chooses(move)) || graph.value(x).grid || graph.is_constant(x) ||
      !graph.value(x).shape)
    return false;
  const ValueId y = below.outputs[0];
  below.inputs[0] = x;
  below.outputs[0] = middle;
  move.inputs[0] = middle;
  move.outputs[0] = y;
  graph.value(middle).shape = graph.value(x).shape;
  graph.value(middle).grid = below.grid;
  std::swap(graph.nodes[static_cast<std::size_t>(above)], graph.nodes[round]);
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

/// Lets the Concat, Where or Scatter before the Round at `round` join rounded tensors. False when
/// it has to stay.
bool hoist_over_join(Graph& graph, std::size_t round, const std::vector<int>& producers,
                     const std::vector<std::vector<int>>& consumers) {
  const Node below = graph.nodes[round];
  const ValueId middle = below.inputs[0];
  const int above = producers[static_cast<std::size_t>(middle)];
  if (!below.grid || !below.grid->per_tensor() || above < 0 || graph.is_output(middle) ||
      consumers[static_cast<std::size_t>(middle)].size() != 1)
    return false;
  const Node join = graph.nodes[static_cast<std::size_t>(above)];
  if ((!join.is("Concat") && !mixes_data(join)) || graph.value(middle).grid) return false;
  std::vector<ValueId> inputs = join.inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (is_data_input(join, i) && (!join.has_input(i) || !graph.value(inputs[i]).shape ||
                                   graph.value(inputs[i]).type != ElementType::f32))
      return false;
  std::vector<Node> added;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (is_data_input(join, i)) inputs[i] = rounded(graph, inputs[i], below, added);
  Node& joined = graph.nodes[static_cast<std::size_t>(above)];
  joined.inputs = std::move(inputs);
  joined.outputs[0] = below.outputs[0];
  joined.sources.insert(joined.sources.end(), below.sources.begin(), below.sources.end());
  graph.nodes[round].op.clear();
  graph.nodes.insert(graph.nodes.begin() + above, added.begin(), added.end());
  graph.erase_marked();
  graph.sort();
  return true;
}

}  // namespace

void hoist_rounds(Graph& graph) {
  for (bool changed = true; changed;) {
    changed = false;
    const auto producers = graph.producers();
    const auto consumers = graph.consumers();
    for (std::size_t i = 0; i < graph.nodes.size() && !changed; ++i) {
      if (!graph.nodes[i].is_round()) continue;
      std::size_t at = i;
      const auto above = [&] {
        return static_cast<std::size_t>(
            producers[static_cast<std::size_t>(graph.nodes[at].inputs[0])]);
      };
      for (std::size_t next = above(); hoist(graph, at, producers, consumers); next = above())
        at = next;
      changed = hoist_over_join(graph, at, producers, consumers);
    }
  }
}

}  // namespace intact
