// Blocks of pixels that become channels in front of a Conv, by SpaceToDepth or by the Slices with
// steps and the Concat of the Focus layer of YOLO nets, become a Conv on the image itself: with
// blocks of b x b, taps k and phase p of a block lie at b * k + p, so kernel, strides and padding
// grow by b, and every product stays the same.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>

#include "core/checked.hpp"
#include "graph/checks.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

constexpr std::int64_t most_side = 16;     ///< of a block
using Pair = std::array<std::int64_t, 2>;  ///< along height and width

/// An image [N, C, H, W] divided into blocks: group g of C channels is pixel phase[g] of each
/// block.
struct Blocks {
  ValueId image = no_value;
  Pair size = {1, 1};
  std::vector<Pair> phases;
  std::vector<int> nodes;  ///< indices of the nodes that make the channels, in any order
};

/// Integers of an operand; nothing when not constant.
std::optional<std::vector<std::int64_t>> integers(const Graph& graph, const Node& slice,
                                                  std::size_t input, const char* name) {
  if (!slice.has_input(input)) return std::vector<std::int64_t>{};
  if (!graph.is_constant(slice.inputs[input])) return std::nullopt;
  return integers_of(slice, graph.value(slice.inputs[input]).constant, name);
}

/// Takes every step-th row or column to the very end, from the start on: sets both for the axes it
/// names. False for any other Slice.
bool add_slice(const Graph& graph, const Node& slice, Pair& start, Pair& step) {
  constexpr std::int64_t end_of_all = std::numeric_limits<std::int32_t>::max();
  if (slice.version < 10) return false;  // has no steps
  const auto starts = integers(graph, slice, 1, "starts"), ends = integers(graph, slice, 2, "ends"),
             axes = integers(graph, slice, 3, "axes"), steps = integers(graph, slice, 4, "steps");
  if (!starts || !ends || !axes || !steps || steps->size() != starts->size() ||
      axes->size() != starts->size() || ends->size() != starts->size())
    return false;
  for (std::size_t i = 0; i < starts->size(); ++i) {
    const std::int64_t axis = (*axes)[i] < 0 ? (*axes)[i] + 2 : (*axes)[i] - 2;
    if (axis < 0 || axis > 1) return false;
    const auto k = static_cast<std::size_t>(axis);
    const std::int64_t first = (*starts)[i], by = (*steps)[i];
    if (step[k] != 1 || by < 2 || by > most_side || first < 0 || first >= by ||
        (*ends)[i] < end_of_all)
      return false;
    start[k] = first;
    step[k] = by;
  }
  return true;
}

/// The blocks that this Concat of Slices, or SpaceToDepth, makes channels of.
class BlockFinder {
 public:
  explicit BlockFinder(const Graph& graph) : graph_(graph), producers_(graph.producers()) {}

  std::optional<Blocks> find(ValueId channels) const {
    const int index = producer(channels);
    if (index < 0) return std::nullopt;
    const Node& node = graph_.nodes[static_cast<std::size_t>(index)];
    Blocks blocks;
    blocks.nodes.push_back(index);
    if (node.is("SpaceToDepth")) return of_operator(node, std::move(blocks));
    if (!node.is("Concat") || node.attributes.integer("axis", 0) != 1) return std::nullopt;
    return of_slices(node, std::move(blocks));
  }

 private:
  int producer(ValueId value) const {
    return value == no_value ? -1 : producers_[static_cast<std::size_t>(value)];
  }

  static std::optional<Blocks> of_operator(const Node& node, Blocks blocks) {
    const std::int64_t side = node.attributes.integer("blocksize", 0);
    if (!node.has_input(0) || side < 2 || side > most_side) return std::nullopt;
    blocks.image = node.inputs[0];
    blocks.size = {side, side};
    for (std::int64_t y = 0; y < side; ++y)
      for (std::int64_t x = 0; x < side; ++x) blocks.phases.push_back({y, x});
    return blocks;
  }

  std::optional<Blocks> of_slices(const Node& concat, Blocks blocks) const {
    for (std::size_t i = 0; i < concat.inputs.size(); ++i) {
      Pair start = {0, 0}, step = {1, 1};
      ValueId value = concat.inputs[i];
      for (int index; (index = producer(value)) >= 0;) {
        const Node& slice = graph_.nodes[static_cast<std::size_t>(index)];
        if (!slice.is("Slice") || !add_slice(graph_, slice, start, step)) break;
        blocks.nodes.push_back(index);
        value = slice.inputs[0];
      }
      if (i == 0) blocks.image = value, blocks.size = step;
      if (value != blocks.image || step != blocks.size) return std::nullopt;
      blocks.phases.push_back(start);
    }
    return covers(blocks) ? std::optional(std::move(blocks)) : std::nullopt;
  }

  /// Every pixel of a block once.
  static bool covers(const Blocks& blocks) {
    std::vector<Pair> phases = blocks.phases;
    std::sort(phases.begin(), phases.end());
    return phases.size() > 1 &&
           static_cast<std::int64_t>(phases.size()) == blocks.size[0] * blocks.size[1] &&
           std::adjacent_find(phases.begin(), phases.end()) == phases.end();
  }

  const Graph& graph_;
  std::vector<int> producers_;
};

/// A Conv in two dimensions that reads all channels at once and every tap next to the last.
bool takes_blocks(const Graph& graph, const Node& conv, const Blocks& blocks) {
  if (!conv.is("Conv") || !conv.has_input(1) || !graph.is_constant(conv.inputs[1])) return false;
  const std::string automatic = conv.attributes.text("auto_pad", "NOTSET");
  const auto dilations = conv.attributes.integers("dilations");
  const Value& value = graph.value(conv.inputs[1]);
  const Shape& weights = value.constant.shape();
  const bool per_channel = value.grid && !value.grid->per_tensor();
  if (per_channel && (*value.grid->axis != 0 || value.grid->block != 0)) return false;
  return (automatic == "NOTSET" || automatic == "VALID") &&
         conv.attributes.integer("group", 1) == 1 &&
         std::all_of(dilations.begin(), dilations.end(), [](std::int64_t d) { return d == 1; }) &&
         weights.size() == 4 && value.constant.size() > 0 &&
         weights[1] % static_cast<std::int64_t>(blocks.phases.size()) == 0;
}

/// weights[o][g * C + c][y][x] at [o][c][y * height + phase y of g][x * width + phase x of g].
Tensor spread_weights(const Tensor& weights, const Blocks& blocks) {
  const Shape& from = weights.shape();
  const auto groups = static_cast<std::int64_t>(blocks.phases.size());
  const std::int64_t channels = from[1] / groups;
  const auto [height, width] = blocks.size;
  Tensor result(weights.type(), {from[0], channels, from[2] * height, from[3] * width});
  const auto bytes = static_cast<std::int64_t>(element_size(weights.type()));
  const auto* const src = static_cast<const std::byte*>(weights.raw());
  auto* const dst = static_cast<std::byte*>(result.raw());
  std::int64_t at = 0;
  for (std::int64_t o = 0; o < from[0]; ++o)
    for (std::int64_t i = 0; i < from[1]; ++i)
      for (std::int64_t y = 0; y < from[2]; ++y)
        for (std::int64_t x = 0; x < from[3]; ++x, ++at) {
          const Pair phase = blocks.phases[static_cast<std::size_t>(i / channels)];
          const std::int64_t row = (o * channels + i % channels) * from[2] * height + y * height;
          const std::int64_t to = (row + phase[0]) * from[3] * width + x * width + phase[1];
          std::memcpy(dst + to * bytes, src + at * bytes, static_cast<std::size_t>(bytes));
        }
  return result;
}

/// values[i] * size of the axis that i runs along; false on overflow.
bool scale_by(const Pair& size, std::vector<std::int64_t>& values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!checked_multiply(values[i], size[i % 2], &values[i])) return false;
  return true;
}

/// Makes `conv` read the image; false, and nothing happens, when it cannot.
bool read_image(Graph& graph, FreshNames& names, Node& conv, const Blocks& blocks) {
  if (!takes_blocks(graph, conv, blocks)) return false;
  std::vector<std::int64_t> strides = conv.attributes.integers("strides");
  std::vector<std::int64_t> pads = conv.attributes.integers("pads");
  if (strides.empty()) strides = {1, 1};
  if (strides.size() != 2 || (!pads.empty() && pads.size() != 4)) return false;
  if (!scale_by(blocks.size, strides) || !scale_by(blocks.size, pads)) return false;
  Value weights = graph.value(conv.inputs[1]);
  weights.constant = spread_weights(weights.constant, blocks);
  weights.shape = weights.constant.shape();
  weights.name = names.get(weights.name + "/spread");
  conv.attributes.set("kernel_shape", std::vector<std::int64_t>{weights.constant.shape()[2],
                                                                weights.constant.shape()[3]});
  conv.attributes.set("strides", std::move(strides));
  if (!pads.empty()) conv.attributes.set("pads", std::move(pads));
  graph.values.push_back(std::move(weights));
  conv.inputs[0] = blocks.image;
  conv.inputs[1] = static_cast<ValueId>(graph.values.size()) - 1;
  return true;
}

/// Nobody reads the node's results but nodes marked as erased.
bool is_unused(const Graph& graph, const Node& node,
               const std::vector<std::vector<int>>& consumers) {
  return std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
    const auto& users = consumers[static_cast<std::size_t>(output)];
    return !graph.is_output(output) && std::all_of(users.begin(), users.end(), [&](int user) {
      return graph.nodes[static_cast<std::size_t>(user)].op.empty();
    });
  });
}

}  // namespace

void fold_space_to_depth(Graph& graph) {
  const BlockFinder finder(graph);
  const auto consumers = graph.consumers();
  FreshNames names(graph);
  for (Node& conv : graph.nodes) {
    if (!conv.is("Conv") || !conv.has_input(0) || graph.is_output(conv.inputs[0]) ||
        consumers[static_cast<std::size_t>(conv.inputs[0])].size() != 1)
      continue;
    std::optional<Blocks> blocks = finder.find(conv.inputs[0]);
    if (!blocks || !read_image(graph, names, conv, *blocks)) continue;
    // Consumers before producers, so that whole chains go.
    std::sort(blocks->nodes.rbegin(), blocks->nodes.rend());
    const int made = blocks->nodes.front();
    for (const int index : blocks->nodes) {
      Node& node = graph.nodes[static_cast<std::size_t>(index)];
      if (node.op.empty() || (index != made && !is_unused(graph, node, consumers))) continue;
      append_sources(conv, std::move(node.sources));
      node = Node{};
    }
  }
  graph.erase_marked();
}

}  // namespace intact
