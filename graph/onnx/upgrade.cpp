// What changed between operator sets 1 and 25 in a way that is not compatible, operator by operator
// (github.com/onnx/onnx/blob/main/docs/Changelog.md). Operators that are not listed only gained
// types, operands and attributes whose defaults keep the old meaning.
#include "graph/onnx/upgrade.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "graph/passes/rewrite.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

/// No tensor has more axes; keeps sums of axes far from overflow.
constexpr std::int64_t max_legacy_axis = 1000;

/// One node on its way up; the nodes that take its place are collected in order.
struct Upgrade {
  Graph& graph;
  FreshNames& names;
  int version;
  std::vector<Node> nodes;

  ValueId constant(const Node& node, const char* what, Tensor tensor) {
    return graph.add_constant(names.get(node.name + "/" + what), std::move(tensor));
  }
  ValueId integers(const Node& node, const char* what, const std::vector<std::int64_t>& values) {
    return constant(node, what,
                    Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
  }
  /// A node of the new operator set in front of or behind `node`.
  Node helper(const Node& node, const char* op, std::vector<ValueId> inputs,
              std::string_view what = {}) {
    Node result;
    result.op = op;
    result.version = version;
    result.name = fmt::format("{}/{}{}", node.name, what, op);
    result.inputs = std::move(inputs);
    result.outputs = {graph.add_value(names.get(result.name))};
    return result;
  }
};

[[noreturn]] void refuse(const Node& node, const Upgrade& upgrade, std::string_view reason) {
  throw Unsupported(fmt::format("{} cannot be written for opset {}: {}", describe(node),
                                upgrade.version, reason));
}

/// The tensor of an operand that the operator cannot do without.
const Value& required(const Node& node, const Upgrade& upgrade, std::size_t index) {
  if (!node.has_input(index)) refuse(node, upgrade, fmt::format("it has no input {}", index));
  return upgrade.graph.value(node.inputs[index]);
}

void set_input(Node& node, std::size_t index, ValueId id) {
  if (node.inputs.size() <= index) node.inputs.resize(index + 1, no_value);
  node.inputs[index] = id;
}

/// An attribute of integers becomes an operand.
void move_to_input(Upgrade& upgrade, Node& node, const char* attribute, std::size_t index) {
  if (!node.attributes.has(attribute)) return;
  set_input(node, index, upgrade.integers(node, attribute, node.attributes.integers(attribute)));
  node.attributes.erase(attribute);
}

std::optional<std::int64_t> rank_of(const Value& value) {
  if (value.shape) return static_cast<std::int64_t>(value.shape->size());
  if (value.declared) return static_cast<std::int64_t>(value.declared->size());
  return std::nullopt;
}

/// Gives operand `small`, whose axes lie on those of input 0 from `axis` on, as many trailing axes
/// of extent 1 as numpy's alignment at the last axis needs. The rank of input 0 need not be known:
/// the ones are counted from its shape, which is constant once the model's inputs have theirs.
void append_axes(Upgrade& upgrade, Node& node, std::size_t small, std::int64_t axis) {
  const Value& value = required(node, upgrade, small);
  required(node, upgrade, 0);
  const std::optional<std::int64_t> rank = rank_of(value);
  if (!rank) refuse(node, upgrade, fmt::format("the rank of '{}' is not known", value.name));
  if (axis == -*rank) return;  // at the last axis already
  if (axis < 0 || axis > max_legacy_axis)
    refuse(node, upgrade, fmt::format("axis {} with an operand of rank {}", axis, *rank));
  const std::vector<std::int64_t> first = {axis + *rank};
  const std::vector<std::int64_t> end = {std::numeric_limits<std::int32_t>::max()};
  Node large_shape = upgrade.helper(node, "Shape", {node.inputs[0]}, "large");
  Node tail = upgrade.helper(node, "Slice", {large_shape.outputs[0]});
  tail.attributes.set("starts", first);
  tail.attributes.set("ends", end);
  Node none = upgrade.helper(node, "Mul", {tail.outputs[0], upgrade.integers(node, "zero", {0})});
  Node ones = upgrade.helper(node, "Add", {none.outputs[0], upgrade.integers(node, "one", {1})});
  Node shape = upgrade.helper(node, "Shape", {node.inputs[small]});
  Node wanted = upgrade.helper(node, "Concat", {shape.outputs[0], ones.outputs[0]});
  wanted.attributes.set("axis", std::int64_t{0});
  Node reshape = upgrade.helper(node, "Reshape", {node.inputs[small], wanted.outputs[0]});
  node.inputs[small] = reshape.outputs[0];
  for (Node* made : {&large_shape, &tail, &none, &ones, &shape, &wanted, &reshape})
    upgrade.nodes.push_back(std::move(*made));
}

/// Before opset 7 the second operand was aligned at `axis`, without one at the last axis.
void broadcast_7(Upgrade& upgrade, Node& node) {
  if (node.attributes.integer("broadcast", 0) != 0 && node.attributes.has("axis"))
    append_axes(upgrade, node, 1, node.attributes.integer("axis", 0));
  node.attributes.erase("broadcast");
  node.attributes.erase("axis");
}

/// A slope per channel was a vector.
void prelu_7(Upgrade& upgrade, Node& node) {
  const Value& slope = required(node, upgrade, 1);
  const std::optional<std::int64_t> rank = rank_of(slope);
  const bool shared = slope.shape && slope.shape->size() == 1 && slope.shape->front() == 1;
  if (rank != 0 && !shared) append_axes(upgrade, node, 1, 1);
}

void gemm_7(Upgrade&, Node& node) {
  node.attributes.erase("broadcast");
}

/// Without is_test the operator trained.
void inference_7(Upgrade& upgrade, Node& node) {
  if (node.attributes.integer("is_test", 0) == 0)
    refuse(node, upgrade, "is_test is 0, which is training; only inference is supported");
  node.attributes.erase("is_test");
}

void reshape_5(Upgrade& upgrade, Node& node) {
  move_to_input(upgrade, node, "shape", 1);
}

/// The names of element types in the order of their numbers.
void cast_6(Upgrade& upgrade, Node& node) {
  constexpr std::array<std::string_view, 14> names = {
      "UNDEFINED", "FLOAT",  "UINT8", "INT8",    "UINT16", "INT16",  "INT32",
      "INT64",     "STRING", "BOOL",  "FLOAT16", "DOUBLE", "UINT32", "UINT64"};
  const std::string to = node.attributes.text("to", "");
  const auto found = std::find(names.begin() + 1, names.end(), to);
  if (found == names.end()) refuse(node, upgrade, fmt::format("its type '{}' is unknown", to));
  node.attributes.set("to", std::int64_t{found - names.begin()});
}

void concat_4(Upgrade&, Node& node) {
  if (!node.attributes.has("axis")) node.attributes.set("axis", std::int64_t{1});
}

void pad_2(Upgrade&, Node& node) {
  if (!node.attributes.has("paddings")) return;
  node.attributes.set("pads", node.attributes.integers("paddings"));
  node.attributes.erase("paddings");
}

void split_2(Upgrade& upgrade, Node& node) {
  if (!node.has_input(1)) return;
  const Value& split = upgrade.graph.value(node.inputs[1]);
  if (!split.is_constant() || split.type != ElementType::s64)
    refuse(node, upgrade, "its split is no constant of int64");
  const auto extents = split.constant.data<std::int64_t>();
  node.attributes.set("split", std::vector<std::int64_t>(extents.begin(), extents.end()));
  node.inputs.resize(1);
}

void tile_6(Upgrade& upgrade, Node& node) {
  refuse(node, upgrade, "it repeats along one axis");
}

void selu_6(Upgrade&, Node& node) {
  if (!node.attributes.has("alpha")) node.attributes.set("alpha", 1.6732f);
  if (!node.attributes.has("gamma")) node.attributes.set("gamma", 1.0507f);
}

void norm_2(Upgrade& upgrade, Node& node) {
  const float p = node.attributes.number("p", 2.0f);
  if (!(p >= 1 && p <= 1000) || p != std::floor(p))
    refuse(node, upgrade, fmt::format("its norm p is {}, not an integer", p));
  node.attributes.set("p", static_cast<std::int64_t>(p));
}

void recurrent_7(Upgrade&, Node& node) {
  node.attributes.erase("output_sequence");
}

void upsample_7(Upgrade& upgrade, Node& node) {
  if (!node.attributes.has("height_scale") || !node.attributes.has("width_scale"))
    refuse(node, upgrade, "it has no height_scale and width_scale");
  node.attributes.set("scales", std::vector<float>{1, 1, node.attributes.number("height_scale", 1),
                                                   node.attributes.number("width_scale", 1)});
  node.attributes.erase("height_scale");
  node.attributes.erase("width_scale");
}

void batch_normalization_9(Upgrade& upgrade, Node& node) {
  if (node.attributes.integer("spatial", 1) != 1) refuse(node, upgrade, "spatial is 0");
  node.attributes.erase("spatial");
}

void batch_normalization_14(Upgrade& upgrade, Node& node) {
  if (node.outputs.size() > 1) refuse(node, upgrade, "it has outputs for training");
}

void bound_to_input(Upgrade& upgrade, Node& node, const char* attribute, std::size_t index) {
  if (!node.attributes.has(attribute)) return;
  const float bound = node.attributes.number(attribute, 0);
  set_input(node, index, upgrade.constant(node, attribute, Tensor::scalar(bound)));
  node.attributes.erase(attribute);
}

void clip_11(Upgrade& upgrade, Node& node) {
  bound_to_input(upgrade, node, "min", 1);
  bound_to_input(upgrade, node, "max", 2);
}

void dropout_12(Upgrade& upgrade, Node& node) {
  if (node.outputs.size() > 1) refuse(node, upgrade, "its mask is used");
  node.attributes.erase("ratio");
}

void pad_11(Upgrade& upgrade, Node& node) {
  move_to_input(upgrade, node, "pads", 1);
  bound_to_input(upgrade, node, "value", 2);
}

void axes_to_input(Upgrade& upgrade, Node& node) {
  move_to_input(upgrade, node, "axes", 1);
}

void top_k_10(Upgrade& upgrade, Node& node) {
  set_input(node, 1, upgrade.integers(node, "k", {node.attributes.integer("k", 1)}));
  node.attributes.erase("k");
}

void slice_10(Upgrade& upgrade, Node& node) {
  std::vector<std::int64_t> axes = node.attributes.integers("axes");
  if (axes.empty())
    for (std::size_t i = 0; i < node.attributes.integers("starts").size(); ++i)
      axes.push_back(static_cast<std::int64_t>(i));
  node.attributes.set("axes", std::move(axes));
  move_to_input(upgrade, node, "starts", 1);
  move_to_input(upgrade, node, "ends", 2);
  move_to_input(upgrade, node, "axes", 3);
}

void split_13(Upgrade& upgrade, Node& node) {
  move_to_input(upgrade, node, "split", 1);
}

void split_18(Upgrade& upgrade, Node& node) {
  if (!node.has_input(1))
    node.attributes.set("num_outputs", static_cast<std::int64_t>(node.outputs.size()));
}

void scatter_11(Upgrade&, Node& node) {
  node.op = "ScatterElements";
}

/// Upsample 7 has scales as an attribute, Upsample 9 as an operand; Resize 10 is like the latter.
void upsample_10(Upgrade& upgrade, Node& node) {
  if (node.attributes.has("scales")) {
    const std::vector<float> scales = node.attributes.numbers("scales");
    set_input(
        node, 1,
        upgrade.constant(node, "scales",
                         Tensor::from<float>({static_cast<std::int64_t>(scales.size())}, scales)));
    node.attributes.erase("scales");
  }
  node.op = "Resize";
}

void resize_11(Upgrade& upgrade, Node& node) {
  required(node, upgrade, 0);
  const ValueId scales = node.has_input(1) ? node.inputs[1] : no_value;
  const ValueId no_region = upgrade.constant(node, "roi", Tensor(ElementType::f32, {0}));
  node.inputs = {node.inputs[0], no_region, scales};
  if (node.attributes.text("mode", "nearest") == "bilinear")
    node.attributes.set("mode", std::string("linear"));
  node.attributes.set("coordinate_transformation_mode", std::string("asymmetric"));
  node.attributes.set("nearest_mode", std::string("floor"));
}

/// Before opset 13 Softmax saw a matrix: the axes before `axis`, and the rest.
void softmax_13(Upgrade& upgrade, Node& node) {
  const std::int64_t axis = node.attributes.integer("axis", 1);
  const std::optional<std::int64_t> rank = rank_of(required(node, upgrade, 0));
  if (axis == -1 || (rank && axis == *rank - 1)) {
    node.attributes.set("axis", std::int64_t{-1});
    return;
  }
  const ValueId input = node.inputs[0], output = node.outputs.at(0);
  Node shape = upgrade.helper(node, "Shape", {input});
  Node flatten = upgrade.helper(node, "Flatten", {input});
  flatten.attributes.set("axis", axis);
  node.attributes.set("axis", std::int64_t{1});
  node.inputs[0] = flatten.outputs[0];
  Node reshape = upgrade.helper(node, "Reshape", {no_value, shape.outputs[0]});
  node.outputs[0] = reshape.outputs[0];
  reshape.inputs[0] = node.outputs[0];
  reshape.outputs[0] = output;
  upgrade.nodes.push_back(std::move(shape));
  upgrade.nodes.push_back(std::move(flatten));
  node.version = upgrade.version;
  upgrade.nodes.push_back(std::move(node));
  node = std::move(reshape);
}

void roi_align_16(Upgrade&, Node& node) {
  node.attributes.set("coordinate_transformation_mode", std::string("output_half_pixel"));
}

void grid_sample_20(Upgrade&, Node& node) {
  const std::string mode = node.attributes.text("mode", "bilinear");
  if (mode == "bilinear") node.attributes.set("mode", std::string("linear"));
  if (mode == "bicubic") node.attributes.set("mode", std::string("cubic"));
}

void has_no_successor(Upgrade& upgrade, Node& node) {
  refuse(node, upgrade, "its meaning changed");
}

struct Change {
  std::string_view op;
  int since;
  void (*apply)(Upgrade&, Node&);
};

/// Ascending for each operator. A change may rename: later entries of the new name then apply.
constexpr std::array changes = {
    Change{"Concat", 4, concat_4},
    Change{"GlobalLpPool", 2, norm_2},
    Change{"LpPool", 2, norm_2},
    Change{"Pad", 2, pad_2},
    Change{"Split", 2, split_2},
    Change{"Reshape", 5, reshape_5},
    Change{"Cast", 6, cast_6},
    Change{"Selu", 6, selu_6},
    Change{"Tile", 6, tile_6},
    Change{"Add", 7, broadcast_7},
    Change{"Sub", 7, broadcast_7},
    Change{"Mul", 7, broadcast_7},
    Change{"Div", 7, broadcast_7},
    Change{"Pow", 7, broadcast_7},
    Change{"And", 7, broadcast_7},
    Change{"Or", 7, broadcast_7},
    Change{"Xor", 7, broadcast_7},
    Change{"Greater", 7, broadcast_7},
    Change{"Less", 7, broadcast_7},
    Change{"Equal", 7, broadcast_7},
    Change{"PRelu", 7, prelu_7},
    Change{"Gemm", 7, gemm_7},
    Change{"BatchNormalization", 7, inference_7},
    Change{"Dropout", 7, inference_7},
    Change{"RNN", 7, recurrent_7},
    Change{"GRU", 7, recurrent_7},
    Change{"LSTM", 7, recurrent_7},
    Change{"Upsample", 7, upsample_7},
    Change{"BatchNormalization", 9, batch_normalization_9},
    Change{"Upsample", 10, upsample_10},
    Change{"Slice", 10, slice_10},
    Change{"TopK", 10, top_k_10},
    Change{"Clip", 11, clip_11},
    Change{"Pad", 11, pad_11},
    Change{"Resize", 11, resize_11},
    Change{"Scatter", 11, scatter_11},
    Change{"Dropout", 12, dropout_12},
    Change{"ReduceSum", 13, axes_to_input},
    Change{"Squeeze", 13, axes_to_input},
    Change{"Unsqueeze", 13, axes_to_input},
    Change{"Split", 13, split_13},
    Change{"Softmax", 13, softmax_13},
    Change{"LogSoftmax", 13, softmax_13},
    Change{"Hardmax", 13, softmax_13},
    Change{"BatchNormalization", 14, batch_normalization_14},
    Change{"RoiAlign", 16, roi_align_16},
    Change{"Split", 18, split_18},
    Change{"ReduceMax", 18, axes_to_input},
    Change{"ReduceMean", 18, axes_to_input},
    Change{"ReduceMin", 18, axes_to_input},
    Change{"ReduceProd", 18, axes_to_input},
    Change{"ReduceL1", 18, axes_to_input},
    Change{"ReduceL2", 18, axes_to_input},
    Change{"ReduceLogSum", 18, axes_to_input},
    Change{"ReduceLogSumExp", 18, axes_to_input},
    Change{"ReduceSumSquare", 18, axes_to_input},
    Change{"DFT", 20, has_no_successor},
    Change{"GridSample", 20, grid_sample_20},
    Change{"GroupNormalization", 21, has_no_successor},
};

}  // namespace

void raise_opset(Graph& graph, int version) {
  FreshNames names(graph);
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    for (const auto& [attribute, subgraph] : node.subgraphs()) {
      Graph raised = *subgraph;
      raise_opset(raised, version);
      node.attributes.set(attribute, std::make_shared<const Graph>(std::move(raised)));
    }
    if (node.is("Scan") && node.version < 9 && version >= 9)
      throw Unsupported(describe(node) + ": Scan has another form in later operator sets");
    if (node.domain.empty() && node.version < version) {
      Upgrade upgrade{graph, names, version, {}};
      const int from = node.version;
      node.attributes.erase("consumed_inputs");  // a hint of sets before 6, without meaning
      for (const Change& change : changes)
        if (node.op == change.op && from < change.since && change.since <= version)
          change.apply(upgrade, node);
      std::move(upgrade.nodes.begin(), upgrade.nodes.end(), std::back_inserter(nodes));
      node.version = version;
    }
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
  graph.opsets[""] = std::max(graph.opsets[""], version);
}

}  // namespace intact
