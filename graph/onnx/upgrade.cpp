// What changed between operator sets 7 and 25 in a way that is not compatible, operator by operator
// (github.com/onnx/onnx/blob/main/docs/Changelog.md). Operators that are not listed only gained
// types, operands and attributes whose defaults keep the old meaning.
#include "graph/onnx/upgrade.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "graph/passes/rewrite.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

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
  Node helper(const Node& node, const char* op, std::vector<ValueId> inputs) {
    Node result;
    result.op = op;
    result.version = version;
    result.name = fmt::format("{}/{}", node.name, op);
    result.inputs = std::move(inputs);
    result.outputs = {graph.add_value(names.get(result.name))};
    return result;
  }
};

[[noreturn]] void refuse(const Node& node, const Upgrade& upgrade, const char* reason) {
  throw Unsupported(fmt::format("{} cannot be written for opset {}: {}", describe(node),
                                upgrade.version, reason));
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
  const ValueId scales = node.has_input(1) ? node.inputs[1] : no_value;
  const ValueId no_region = upgrade.constant(node, "roi", Tensor(ElementType::f32, {0}));
  node.inputs = {node.inputs.at(0), no_region, scales};
  if (node.attributes.text("mode", "nearest") == "bilinear")
    node.attributes.set("mode", std::string("linear"));
  node.attributes.set("coordinate_transformation_mode", std::string("asymmetric"));
  node.attributes.set("nearest_mode", std::string("floor"));
}

std::optional<std::int64_t> rank_of(const Value& value) {
  if (value.shape) return static_cast<std::int64_t>(value.shape->size());
  if (value.declared) return static_cast<std::int64_t>(value.declared->size());
  return std::nullopt;
}

/// Before opset 13 Softmax saw a matrix: the axes before `axis`, and the rest.
void softmax_13(Upgrade& upgrade, Node& node) {
  const std::int64_t axis = node.attributes.integer("axis", 1);
  const std::optional<std::int64_t> rank = rank_of(upgrade.graph.value(node.inputs.at(0)));
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
    if (node.domain.empty() && node.version < version) {
      Upgrade upgrade{graph, names, version, {}};
      const int from = node.version;
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
