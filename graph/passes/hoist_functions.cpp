// Relu(Transpose(x)) is Transpose(Relu(x)): element-wise operators move in front of operators that
// only rearrange, repeat, choose or join elements, next to the operators on grids that compute
// them, so that they can become part of their kernels.
#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <utility>

#include "graph/definition.hpp"
#include "graph/folding.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

bool is_one_of(const Node& node, std::span<const std::string_view> ops) {
  return node.domain.empty() && std::find(ops.begin(), ops.end(), node.op) != ops.end();
}

bool reshapes(const Node& node) {
  constexpr std::array<std::string_view, 4> ops = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"};
  return is_one_of(node, ops);
}

/// Each result is an element of the operand, whatever the numbers are.
bool rearranges(const Node& node) {
  constexpr std::array<std::string_view, 8> ops = {
      "DepthToSpace", "SpaceToDepth", "Expand", "Tile", "Resize", "Upsample", "Transpose", "Slice"};
  return reshapes(node) || (is_one_of(node, ops) && moves_data(node));
}

/// The greatest or least of several elements, and nobody asks which.
bool chooses(const Node& node) {
  return node.is("GlobalMaxPool") || node.is("ReduceMax") || node.is("ReduceMin") ||
         (node.is("MaxPool") && (node.outputs.size() < 2 || node.outputs[1] == no_value));
}

bool is_monotonic(const Node& node) {
  return node.is("Relu") || node.is("Clip");
}

/// Element (i) of axis k of the result is element (i) of axis order[k] of the operand.
std::vector<std::int64_t> order_of(const Node& transpose, std::size_t rank) {
  std::vector<std::int64_t> order(rank);
  std::iota(order.rbegin(), order.rend(), 0);
  return transpose.attributes.integers("perm", order);
}

std::vector<std::int64_t> inverse(const std::vector<std::int64_t>& order) {
  std::vector<std::int64_t> result(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    result[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  return result;
}

/// The shape of an operand that is broadcast to `to` when that is reshaped to `from`: axes that are
/// joined or split together repeat all or none of their elements. Nothing where they do not.
std::optional<Shape> reshaped_operand(const Shape& operand, const Shape& to, const Shape& from) {
  Shape result;
  std::size_t i = 0, k = 0;
  while (i < to.size() || k < from.size()) {
    const std::size_t first = i;
    std::int64_t a = i < to.size() ? to[i++] : 1, b = k < from.size() ? from[k++] : 1;
    while (a != b) {
      if (a < b && i < to.size())
        a *= to[i++];
      else if (b < a && k < from.size())
        b *= from[k++];
      else
        return std::nullopt;
    }
    const auto own = [&](const auto& holds) {
      for (std::size_t axis = first; axis < i; ++axis)
        if (!holds(operand[axis], to[axis])) return false;
      return true;
    };
    const bool repeats = own([](std::int64_t extent, std::int64_t) { return extent == 1; });
    if (!repeats && !own([](std::int64_t extent, std::int64_t whole) { return extent == whole; }))
      return std::nullopt;
    while (result.size() < k) result.push_back(repeats ? 1 : from[result.size()]);
  }
  return result;
}

class Hoister {
 public:
  explicit Hoister(Graph& graph) : graph_(graph), nodes_(graph), names_(graph) {}

  /// Functions that have been added lie behind the others and move on in the same walk; others may
  /// be free to move only then.
  void run() {
    do {
      added_ = false;
      for (int i = 0; i < nodes_.size(); ++i)
        for (int at = i; hoist(at);) continue;
    } while (added_);
    nodes_.finish();
  }

 private:
  Value& value(ValueId id) const { return graph_.value(id); }
  const Shape& shape(ValueId id) const { return *graph_.value(id).shape; }
  bool is_single(ValueId id) const {
    return graph_.is_constant(id) && value(id).constant.size() == 1;
  }
  ValueId add_constant(const std::string& name, Tensor tensor) {
    return graph_.add_constant(names_.get(name), std::move(tensor));
  }

  bool comes_from_grid(ValueId id, int depth = 0) const;
  bool is_function(const Node& node) const;
  bool is_moved(const Node& function, ValueId middle) const;
  bool may_pass(const Node& function, std::size_t operand, const Node& move) const;
  ValueId moved_back(const Node& move, ValueId operand, std::vector<Node>& added);
  bool pad_with_result(Node& pad, const Node& function, std::size_t operand);
  bool hoist(int& at);
  bool pass(int& at, std::size_t operand);
  bool pass_concat(int at, std::size_t operand);

  Graph& graph_;
  NodeEditor nodes_;
  FreshNames names_;
  bool added_ = false;
};

/// Floats that operators with operands on grids compute, or element-wise operators and movements
/// behind such.
bool Hoister::comes_from_grid(ValueId id, int depth) const {
  constexpr int deepest = 8;
  const int index = nodes_.producer(id);
  if (index < 0 || depth > deepest) return false;
  const Node& node = nodes_.node(index);
  const Definition* definition = find_definition(node.op, node.domain);
  const bool passes =
      definition != nullptr && (definition->elementwise || moves_data(node) || node.is("Pad"));
  return std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
    if (input == no_value || graph_.is_constant(input)) return false;
    return value(input).grid.has_value() || (passes && comes_from_grid(input, depth + 1));
  });
}

/// An element-wise operator of floats with one result.
bool Hoister::is_function(const Node& node) const {
  const Definition* definition = find_definition(node.op, node.domain);
  if (definition == nullptr || !definition->elementwise || !node.domain.empty() ||
      node.outputs.size() != 1 || node.is("Where"))
    return false;
  const Value& result = value(node.outputs[0]);
  return !result.grid && result.type == ElementType::f32 && result.shape;
}

/// `middle` is the float result of a movement, read by this function alone.
bool Hoister::is_moved(const Node& function, ValueId middle) const {
  const int above = nodes_.producer(middle);
  if (above < 0 || graph_.is_output(middle) || value(middle).grid ||
      nodes_.users(middle).size() != 1 || value(middle).shape != value(function.outputs[0]).shape)
    return false;
  const Node& move = nodes_.node(above);
  const Value& x = value(move.inputs[0]);
  return move.domain.empty() && x.type == ElementType::f32 && x.shape && !x.grid &&
         !x.is_constant() && element_count(*x.shape) > 0 && comes_from_grid(middle);
}

/// Whether the function of moved elements is the moved function. Operands of several elements are
/// left to moved_back.
bool Hoister::may_pass(const Node& function, std::size_t operand, const Node& move) const {
  if (reshapes(move) || move.is("Transpose")) return true;
  for (std::size_t i = 0; i < function.inputs.size(); ++i)
    if (i != operand && function.has_input(i) && !is_single(function.inputs[i])) return false;
  if (move.is("Slice"))  // not to compute much that is cut off
    return 2 * element_count(shape(move.outputs[0])) >= element_count(shape(move.inputs[0]));
  return rearranges(move) || move.is("Pad") || (chooses(move) && is_monotonic(function));
}

/// An operand of the function behind `move`, as it lies before; nodes that it takes are appended to
/// `added`. no_value where it cannot.
ValueId Hoister::moved_back(const Node& move, ValueId operand, std::vector<Node>& added) {
  const Value& from = value(operand);
  const Shape& to = shape(move.outputs[0]);
  if (!from.shape || (from.grid && !from.grid->per_tensor()) ||
      (!from.is_constant() && (!from.grid || *from.shape != to)))
    return no_value;
  Shape whole(to.size() - from.shape->size(), 1);
  whole.insert(whole.end(), from.shape->begin(), from.shape->end());
  Node back;
  back.version = 13;
  back.name = names_.get(from.name + "/back");
  back.inputs = {operand};
  Shape result;
  if (move.is("Transpose")) {
    back.op = "Transpose";
    const auto order = inverse(order_of(move, to.size()));
    for (const std::int64_t axis : order) result.push_back(whole[static_cast<std::size_t>(axis)]);
    back.attributes.set("perm", order);
  } else {
    back.op = "Reshape";
    const auto reshaped = reshaped_operand(whole, to, shape(move.inputs[0]));
    if (!reshaped) return no_value;
    result = *reshaped;
  }
  const std::optional<Grid> grid = from.grid;
  ValueId moved;
  if (from.is_constant()) {
    const Tensor elements = from.constant.reshaped(whole);
    moved = add_constant(back.name, back.op == "Reshape"
                                        ? elements.reshaped(result)
                                        : definition_of(back).evaluate({back, {&elements, 1}})[0]);
    value(moved).type = ElementType::f32;
  } else {
    if (back.op == "Reshape")
      back.inputs.push_back(add_constant(
          back.name + "/shape",
          Tensor::from<std::int64_t>({static_cast<std::int64_t>(result.size())}, result)));
    moved = graph_.add_value(back.name, ElementType::f32);
    value(moved).shape = result;
    back.outputs = {moved};
    added.push_back(std::move(back));
  }
  value(moved).grid = grid;
  return moved;
}

/// Lets Pad write what the function makes of its number; false, and nothing happens, when that is
/// not known.
bool Hoister::pad_with_result(Node& pad, const Node& function, std::size_t operand) {
  if (pad.attributes.text("mode", "constant") != "constant") return true;
  if (pad.version < 11 || (pad.has_input(2) && !is_single(pad.inputs[2]))) return false;
  std::vector<Tensor> operands(function.inputs.size());
  for (std::size_t i = 0; i < operands.size(); ++i)
    if (i != operand && function.has_input(i))
      operands[i] = real_constant(value(function.inputs[i])).reshaped({});
  operands[operand] =
      pad.has_input(2) ? real_constant(value(pad.inputs[2])).reshaped({}) : Tensor::scalar(0.0f);
  pad.inputs.resize(std::max<std::size_t>(pad.inputs.size(), 3), no_value);
  pad.inputs[2] =
      add_constant(pad.name + "/value", definition_of(function).evaluate({function, operands})[0]);
  return true;
}

/// Swaps the function at `at` with the movement before it; `at` is then where it stands.
bool Hoister::pass(int& at, std::size_t operand) {
  Node function = nodes_.node(at);
  const ValueId middle = function.inputs[operand];
  const int above = nodes_.producer(middle);
  Node move = nodes_.node(above);
  if (!may_pass(function, operand, move)) return false;
  const ValueId x = move.inputs[0];
  std::vector<Node> added;
  for (std::size_t i = 0; i < function.inputs.size(); ++i) {
    if (i == operand || !function.has_input(i)) continue;
    ValueId& other = function.inputs[i];
    if (!is_single(other))
      other = moved_back(move, other, added);
    else if (shape(other).size() > shape(x).size())
      other = add_constant(value(other).name + "/single", real_constant(value(other)).reshaped({}));
    if (other == no_value) return false;
  }
  if (move.is("Pad") && !pad_with_result(move, function, operand)) return false;
  nodes_.take(at);
  nodes_.take(above);
  function.inputs[operand] = x;
  move.inputs[0] = middle;
  move.outputs[0] = std::exchange(function.outputs[0], middle);
  value(middle).shape = shape(x);
  nodes_.put(above, std::move(function));
  nodes_.put(at, std::move(move));
  at = above;
  for (Node& node : added) nodes_.insert_before(at, std::move(node));
  added_ = added_ || !added.empty();
  return true;
}

/// The function of joined tensors is the functions joined.
bool Hoister::pass_concat(int at, std::size_t operand) {
  const int above = nodes_.producer(nodes_.node(at).inputs[operand]);
  for (std::size_t i = 0; const ValueId id : nodes_.node(at).inputs)
    if (i++ != operand && id != no_value && (!is_single(id) || !shape(id).empty())) return false;
  for (const ValueId part : nodes_.node(above).inputs)
    if (graph_.is_constant(part) || !value(part).shape) return false;
  Node function = nodes_.take(at), concat = nodes_.take(above);
  concat.outputs = function.outputs;
  for (ValueId& part : concat.inputs) {
    Node own = function;
    function.sources.clear();  // the first stands for them
    own.inputs[operand] = part;
    own.outputs = {
        graph_.add_value(names_.get(value(part).name + "/" + function.name), ElementType::f32)};
    value(own.outputs[0]).shape = shape(part);
    part = own.outputs[0];
    nodes_.insert_before(above, std::move(own));
  }
  nodes_.put(above, std::move(concat));
  return added_ = true;
}

/// Moves the function at `at` in front of the movement before it; false when it stays.
bool Hoister::hoist(int& at) {
  if (!is_function(nodes_.node(at))) return false;
  const std::vector<ValueId> operands = nodes_.node(at).inputs;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i] == no_value || !is_moved(nodes_.node(at), operands[i])) continue;
    const bool joined = nodes_.node(nodes_.producer(operands[i])).is("Concat");
    if (joined ? pass_concat(at, i) : pass(at, i)) return true;
  }
  return false;
}

}  // namespace

void hoist_functions(Graph& graph) {
  Hoister(graph).run();
}

}  // namespace intact
