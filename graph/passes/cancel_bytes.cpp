// Makes integers between quantization operators disappear: FromBytes of Bytes on one grid is the
// tensor itself, equal Rounds are one, and operators that move integers move the reals instead, so
// that FromBytes meets Bytes. One walk in topological order.
#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "graph/convert.hpp"
#include "graph/folding.hpp"
#include "graph/passes/grid_operands.hpp"
#include "graph/passes/grids.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

class Canceller {
 public:
  explicit Canceller(Graph& graph) : graph_(graph), rewriter_(graph) {}
  void run();

 private:
  void visit(Node node);
  bool drop_round(Node& node);
  bool drop_from_bytes(Node& node);
  bool merge(Node& node);
  bool read_shape_of_reals(Node& node);
  bool move_reals(Node& node);
  bool clip_reals(Node& node);

  /// The reals behind Bytes; no_value when `id` is not made by Bytes.
  ValueId reals_of(ValueId id) const;
  const Grid& grid_of_bytes(ValueId id) { return *rewriter_.producer(id)->grid; }
  void keep(Node node);
  ValueId add_reals(ValueId integers, const Grid& grid);
  void keep_bytes(const Node& mover, const Grid& grid, ValueId reals, ValueId integers);
  void drop_unread_bytes();

  Graph& graph_;
  Rewriter rewriter_;
  std::map<ValueId, ValueId> reals_;
  /// What equal grid operators have in common: the value, the first scale and the first zero point.
  using GridUse = std::tuple<ValueId, float, std::int32_t>;
  static GridUse use_of(const Node& node) {
    return {node.inputs[0], node.grid->scale[0], node.grid->zero_point[0]};
  }
  /// Outputs of the grid operators, to find equal ones.
  std::map<GridUse, std::vector<ValueId>> grid_users_;
};

ValueId Canceller::reals_of(ValueId id) const {
  const auto found = reals_.find(id);
  return found == reals_.end() ? no_value : found->second;
}

void Canceller::keep(Node node) {
  set_output_grids(graph_, node);
  if (node.is_bytes()) reals_[node.outputs[0]] = node.inputs[0];
  if (node.domain == "intact") grid_users_[use_of(node)].push_back(node.outputs[0]);
  rewriter_.push(std::move(node));
}

/// Round to the grid on which the tensor lies already.
bool Canceller::drop_round(Node& node) {
  if (!node.is_round() || graph_.value(node.inputs[0]).grid != node.grid) return false;
  if (!rewriter_.redirect(node.outputs[0], node.inputs[0])) return false;
  rewriter_.give_sources(node.inputs[0], std::move(node.sources), "already on its grid");
  return true;
}

bool Canceller::drop_from_bytes(Node& node) {
  if (!node.is_from_bytes()) return false;
  const ValueId reals = reals_of(node.inputs[0]);
  if (reals == no_value || grid_of_bytes(node.inputs[0]) != *node.grid) return false;
  if (!rewriter_.redirect(node.outputs[0], reals)) return false;
  rewriter_.give_sources(reals, std::move(node.sources), "no work: the same grid");
  return true;
}

/// An earlier Round, Bytes or FromBytes that does the same.
bool Canceller::merge(Node& node) {
  if (node.domain != "intact") return false;
  for (const ValueId output : grid_users_[use_of(node)]) {
    const Node& earlier = *rewriter_.producer(output);
    if (earlier.op != node.op || earlier.grid != node.grid) continue;
    if (!rewriter_.redirect(node.outputs[0], output)) continue;
    rewriter_.give_sources(output, std::move(node.sources), "the same as another node");
    return true;
  }
  return false;
}

bool Canceller::read_shape_of_reals(Node& node) {
  if (!node.is("Shape") && !node.is("Size")) return false;
  const ValueId reals = node.has_input(0) ? reals_of(node.inputs[0]) : no_value;
  if (reals == no_value) return false;
  node.inputs[0] = reals;
  keep(std::move(node));
  return true;
}

ValueId Canceller::add_reals(ValueId integers, const Grid& grid) {
  const ValueId id = graph_.add_value(rewriter_.names.get(graph_.value(integers).name + "/real"),
                                      ElementType::f32);
  graph_.value(id).grid = grid;
  return id;
}

void Canceller::keep_bytes(const Node& mover, const Grid& grid, ValueId reals, ValueId integers) {
  graph_.value(integers).type = grid.type;
  keep(grid_node("Bytes", mover.name + "/bytes", grid, reals, integers));
}

/// The padding of integers as a real number; false when it is not known here.
bool pad_with_real(Graph& graph, FreshNames& names, Node& node, const Grid& grid) {
  if (node.attributes.text("mode", "constant") != "constant") return true;
  double integer = 0;
  if (node.has_input(2)) {
    if (!graph.is_constant(node.inputs[2])) return false;
    const Tensor value = convert(real_constant(graph.value(node.inputs[2])), ElementType::f64);
    if (value.size() != 1) return false;
    integer = value.data<double>()[0];
  }
  const double real = (integer - grid.zero_point[0]) * static_cast<double>(grid.scale[0]);
  if (node.inputs.size() < 3) node.inputs.resize(3, no_value);
  node.inputs[2] =
      graph.add_constant(names.get(node.name + "/value"), Tensor::scalar(static_cast<float>(real)));
  return true;
}

/// Operators whose data inputs and results may be integers or reals alike.
bool moves(const Node& node) {
  if (node.is("MaxPool") || node.is("ReduceMax") || node.is("ReduceMin")) return true;
  // Before opset 11 Pad has no operand that could hold another padding than the real zero.
  if (node.is("Pad")) return node.version >= 11;
  return moves_data(node);
}

bool Canceller::move_reals(Node& node) {
  if (node.domain == "intact" || !node.has_input(0) || !moves(node)) return false;
  const std::size_t data_inputs = node.is("Concat") ? node.inputs.size() : 1;
  std::vector<ValueId> reals;
  for (std::size_t i = 0; i < data_inputs; ++i) {
    if (!node.has_input(i) || reals_of(node.inputs[i]) == no_value) return false;
    if (grid_of_bytes(node.inputs[i]) != grid_of_bytes(node.inputs[0])) return false;
    reals.push_back(reals_of(node.inputs[i]));
  }
  const Grid grid = grid_of_bytes(node.inputs[0]);
  // Where a channel axis goes is known only with shapes.
  if (!grid.per_tensor()) return false;
  if (node.is("Pad") && !pad_with_real(graph_, rewriter_.names, node, grid)) return false;
  std::copy(reals.begin(), reals.end(), node.inputs.begin());
  const std::vector<ValueId> integers = node.outputs;
  // Only Split has several outputs of data.
  const std::size_t moved = node.is("Split") ? integers.size() : 1;
  for (std::size_t i = 0; i < moved; ++i)
    if (integers[i] != no_value) node.outputs[i] = add_reals(integers[i], grid);
  const Node mover = node;
  keep(std::move(node));
  for (std::size_t i = 0; i < moved; ++i)
    if (integers[i] != no_value) keep_bytes(mover, grid, mover.outputs[i], integers[i]);
  return true;
}

/// What Clip, Relu, and Max or Min with a constant do to integers.
struct IntegerClamp {
  ValueId x = no_value;
  std::optional<double> low, high;
};

/// The one element of a constant; nothing for other values.
std::optional<double> single(const Graph& graph, ValueId id) {
  if (!graph.is_constant(id) || graph.value(id).constant.size() != 1) return std::nullopt;
  return convert(real_constant(graph.value(id)), ElementType::f64).data<double>()[0];
}

/// Whether `x` with the constant broadcast to it has the rank of `x`, as far as the file tells.
bool keeps_rank(const Graph& graph, ValueId x, ValueId constant) {
  const auto rank = static_cast<std::size_t>(graph.value(constant).constant.rank());
  const Value& value = graph.value(x);
  return rank == 0 || (value.shape && value.shape->size() >= rank) ||
         (value.declared && value.declared->size() >= rank);
}

std::optional<IntegerClamp> integer_clamp(const Graph& graph, const Node& node) {
  if (!node.has_input(0)) return std::nullopt;
  IntegerClamp clamp{node.inputs[0], std::nullopt, std::nullopt};
  if (node.is("Relu")) {
    clamp.low = 0;
    return clamp;
  }
  if (node.is("Clip") && node.version >= 11) {
    if (node.has_input(1) && !(clamp.low = single(graph, node.inputs[1]))) return std::nullopt;
    if (node.has_input(2) && !(clamp.high = single(graph, node.inputs[2]))) return std::nullopt;
    return clamp;
  }
  if ((!node.is("Max") && !node.is("Min")) || node.inputs.size() != 2) return std::nullopt;
  const std::size_t constant = graph.is_constant(node.inputs[0]) ? 0 : 1;
  clamp.x = node.inputs[1 - constant];
  (node.is("Max") ? clamp.low : clamp.high) = single(graph, node.inputs[constant]);
  if (!clamp.low && !clamp.high) return std::nullopt;
  if (!keeps_rank(graph, clamp.x, node.inputs[constant])) return std::nullopt;
  return clamp;
}

/// Clamping integers is Clip of reals between the reals of the bounds.
bool Canceller::clip_reals(Node& node) {
  const std::optional<IntegerClamp> clamp = integer_clamp(graph_, node);
  if (!clamp || node.outputs.size() != 1) return false;
  const ValueId reals = reals_of(clamp->x);
  if (reals == no_value || !grid_of_bytes(clamp->x).per_tensor()) return false;
  const Grid grid = grid_of_bytes(clamp->x);
  const auto bound = [&](std::optional<double> integer) {
    if (!integer) return no_value;
    const double real = (*integer - grid.zero_point[0]) * static_cast<double>(grid.scale[0]);
    return graph_.add_constant(rewriter_.names.get(node.name + "/bound"),
                               Tensor::scalar(static_cast<float>(real)));
  };
  const ValueId integers = node.outputs[0];
  Node clip;
  clip.op = "Clip";
  clip.version = 13;
  clip.name = node.name;
  clip.sources = std::move(node.sources);
  clip.inputs = {reals, bound(clamp->low), bound(clamp->high)};
  clip.outputs = {graph_.add_value(rewriter_.names.get(node.name + "/clipped"), ElementType::f32)};
  const ValueId rounded = add_reals(integers, grid);
  keep(clip);
  keep(grid_node("Round", clip.name + "/round", grid, clip.outputs[0], rounded));
  keep_bytes(clip, grid, rounded, integers);
  return true;
}

void Canceller::visit(Node node) {
  rewriter_.redirect_inputs(node);
  if (node.outputs[0] == no_value) return keep(std::move(node));
  if (drop_round(node) || drop_from_bytes(node) || merge(node) || read_shape_of_reals(node) ||
      move_reals(node) || clip_reals(node))
    return;
  keep(std::move(node));
}

/// Bytes that were only read by what has been cancelled.
void Canceller::drop_unread_bytes() {
  const auto consumers = graph_.consumers();
  for (Node& node : graph_.nodes) {
    if (!node.is_bytes() || graph_.is_output(node.outputs[0]) ||
        !consumers[static_cast<std::size_t>(node.outputs[0])].empty())
      continue;
    remove_sources(graph_, node, "no work: the same grid");
    node.op.clear();
  }
  graph_.erase_marked();
}

void Canceller::run() {
  for (Node& node : rewriter_.take_nodes()) visit(std::move(node));
  rewriter_.finish();
  drop_unread_bytes();
}

}  // namespace

void cancel_bytes(Graph& graph) {
  Canceller(graph).run();
}

}  // namespace intact
