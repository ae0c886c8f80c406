// From single operators to regions: what lies behind a product becomes part of it, and operators
// that pass data on follow their neighbours.
#include "quantize/select/selection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "graph/passes/passes.hpp"
#include "quantize/select/embeddings.hpp"
#include "quantize/select/rules.hpp"

namespace intact {
namespace {

enum class Joins : std::uint8_t { nothing, clamp, bias_or_clamp, clamp_or_scale };

Joins joins_of(const Node& node, Role role) {
  if (role == Role::product && node.is("MatMul")) return Joins::bias_or_clamp;
  if (role == Role::matrices) return Joins::clamp_or_scale;
  const bool passes_on = role == Role::function || role == Role::move || role == Role::concat;
  return passes_on || role == Role::rows || role == Role::part ? Joins::nothing : Joins::clamp;
}

bool reads_rows(const Node& node) {
  return node.is("Softmax") || node.is("LogSoftmax") || node.is("LayerNormalization") ||
         node.is("RMSNormalization");
}

class Selector {
 public:
  Selector(const Graph& graph, const std::set<std::string>& exclude)
      : graph_(graph),
        recognized_(graph),
        exclude_(exclude),
        consumers_(graph.consumers()),
        embeddings_(find_embeddings(graph)),
        input_(graph.values.size(), false),
        operand_(graph.values.size(), false),
        row_of_floats_(graph.values.size(), false),
        by_rows_(graph.values.size(), false),
        product_(graph.values.size(), -1),
        joins_(graph.values.size(), Joins::nothing) {
    result_.from_integer.resize(graph.values.size(), false);
    for (const ValueId id : graph.inputs) input_[at(id)] = true;
  }
  Selection run();

 private:
  static std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }
  bool is_excluded(const Node& node) const;
  Choice choose(const Graph& graph, const Node& node) const;
  void find_spelled();
  Choice choose_part(const Node& node, const Node& whole) const;
  std::optional<Role> absorbed(const Node& node) const;
  std::vector<std::size_t> rounded_terms(const Node& node) const;
  bool scales_scores(const Node& node) const;
  bool is_row_operator(const Node& node) const;
  bool is_bias_of_product(const Node& node, std::size_t operand) const;
  void drop_unread();
  bool is_read_by_chosen(const Node& node) const;
  bool is_read_on_grid(ValueId id) const;
  void move_embeddings();

  const Graph& graph_;
  Graph recognized_;  ///< with operators that several nodes spell out as one
  const std::set<std::string>& exclude_;
  std::vector<std::vector<int>> consumers_;
  std::map<ValueId, int> embeddings_;
  std::vector<bool> input_;
  std::vector<bool> operand_;  ///< by value: an integer operator reads it, so that it has a grid
  /// The operators that several nodes spell out, and by node which of them it belongs to (or -1).
  std::vector<Node> spelled_;
  std::vector<int> spelled_by_;
  std::vector<bool> row_of_floats_;  ///< by value: Softmax or LayerNormalization reads it
  std::vector<bool> by_rows_;        ///< by value: written by an operator of that role
  /// By value: number of the node that writes it, for results of a product with its bias.
  std::vector<int> product_;
  /// By value: what the kernel that writes it may still take over.
  std::vector<Joins> joins_;
  Selection result_;
};

bool Selector::is_excluded(const Node& node) const {
  return exclude_.contains(node.name) ||
         std::any_of(node.sources.begin(), node.sources.end(),
                     [&](const std::string& source) { return exclude_.contains(source); });
}

/// Add of one constant per column to a MatMul.
bool Selector::is_bias_of_product(const Node& node, std::size_t operand) const {
  if (!node.is("Add")) return false;
  const ValueId other = node.inputs[1 - operand];
  const std::optional<Shape>& product = graph_.value(node.inputs[operand]).shape;
  if (!graph_.is_constant(other) || !product || product->empty()) return false;
  const Shape& bias = graph_.value(other).constant.shape();
  return !bias.empty() && bias.back() == product->back() && element_count(bias) == bias.back() &&
         bias.size() <= product->size();
}

/// A product with one number, or a quotient by it, behind the product of two activations.
bool Selector::scales_scores(const Node& node) const {
  if (!node.is("Mul") && !node.is("Div")) return false;
  for (const std::size_t i : {0u, 1u})
    if (joins_[at(node.inputs[i])] == Joins::clamp_or_scale &&
        graph_.is_constant(node.inputs[1 - i]) &&
        graph_.value(node.inputs[1 - i]).constant.size() == 1)
      return true;
  return false;
}

/// Gelu of a product, whose sums are in registers, and factors per channel of what is float anyway
/// (equalization/smooth.hpp).
bool Selector::is_row_operator(const Node& node) const {
  if (node.is("Gelu")) return product_[at(node.inputs[0])] >= 0;
  return node.is("Mul") && by_rows_[at(node.inputs[0])] && graph_.is_constant(node.inputs[1]) &&
         graph_.value(node.inputs[1]).constant.shape().size() == 1;
}

/// The part that the kernel of the operator before can take over.
std::optional<Role> Selector::absorbed(const Node& node) const {
  for (std::size_t i = 0; i < std::min<std::size_t>(node.inputs.size(), 2); ++i) {
    const ValueId id = node.inputs[i];
    if (id == no_value || joins_[at(id)] == Joins::nothing || consumers_[at(id)].size() != 1 ||
        graph_.is_output(id))
      continue;
    if (i == 0 && is_clamp(graph_, node)) return Role::clamp;
    if (joins_[at(id)] == Joins::bias_or_clamp && is_bias_of_product(node, i)) return Role::bias;
  }
  return std::nullopt;
}

/// Operands of an addition that need grids of their own: the product that is written last has its
/// result in registers when the sum is formed.
std::vector<std::size_t> Selector::rounded_terms(const Node& node) const {
  const auto product = [&](std::size_t i) {
    const ValueId id = node.inputs[i];
    return consumers_[at(id)].size() == 1 && !graph_.is_output(id) ? product_[at(id)] : -1;
  };
  const auto shape = [&](std::size_t i) { return graph_.value(node.inputs[i]).shape; };
  if (!node.is("Add") || std::max(product(0), product(1)) < 0 || shape(0) != shape(1) ||
      graph_.is_constant(node.inputs[0]) || graph_.is_constant(node.inputs[1]))
    return {0, 1};
  return {product(0) > product(1) ? 1U : 0U};
}

/// `graph`: graph_, or recognized_ for one of its nodes.
Choice Selector::choose(const Graph& graph, const Node& node) const {
  if (embeddings_.contains(node.outputs[0]) && !is_excluded(node)) return {Role::embedding, "", {}};
  Choice choice = judge(graph, node);
  if (!choice.role) return choice;
  if (is_excluded(node)) return {std::nullopt, "excluded", {}};
  if (const std::optional<Role> role = absorbed(node)) return {role, "", {}};
  if (*choice.role == Role::product) return choice;
  if (is_row_operator(node)) return {Role::rows, "", {}};
  const bool arithmetic = *choice.role == Role::arithmetic;
  if (arithmetic && scales_scores(node))
    return {std::nullopt, "it scales scores, of which a row is float in the cache anyway", {}};
  if ((arithmetic || node.is("Where")) && row_of_floats_[at(node.outputs[0])])
    return {std::nullopt,
            "a Softmax or normalization reads its result, of which a row is float in the cache "
            "anyway",
            {}};
  if (arithmetic) choice.operands = rounded_terms(node);
  for (const std::size_t i : choice.operands) {
    const ValueId id = node.inputs[i];
    if (graph.is_constant(id) || input_[at(id)] || result_.from_integer[at(id)] ||
        operand_[at(id)] || (choice.role == Role::move && embeddings_.contains(id)))
      continue;
    return {std::nullopt,
            fmt::format("its operand '{}' is written by a float operator", graph.value(id).name),
            {}};
  }
  return choice;
}

void Selector::find_spelled() {
  recognize_operators(recognized_);
  joins_.resize(recognized_.values.size(), Joins::nothing);  // constants of its own come last
  std::map<std::string, int> whole_of;
  const auto is_known = [&](ValueId id) { return id == no_value || at(id) < graph_.values.size(); };
  for (const Node& node : recognized_.nodes) {
    // Where other operators stand around the recognized one, the parts are judged.
    if (node.sources.size() < 2 || !is_known(node.inputs[0])) continue;
    for (const std::string& source : node.sources)
      whole_of[source] = static_cast<int>(spelled_.size());
    spelled_.push_back(node);
  }
  for (const Node& node : recognized_.nodes)
    if (reads_rows(node) && at(node.inputs[0]) < row_of_floats_.size())
      row_of_floats_[at(node.inputs[0])] = true;
  for (const Node& node : graph_.nodes) {
    const auto found = node.sources.empty() ? whole_of.end() : whole_of.find(node.sources[0]);
    const bool alone = found == whole_of.end() ||
                       spelled_[static_cast<std::size_t>(found->second)].sources == node.sources;
    spelled_by_.push_back(alone ? -1 : found->second);
  }
}

/// All nodes of an operator get the same answer, since their operands outside are known before the
/// first of them.
Choice Selector::choose_part(const Node& node, const Node& whole) const {
  const Choice of_whole = choose(recognized_, whole);
  Choice part = of_whole;
  if (!of_whole.role) return part;
  if (node.outputs[0] != whole.outputs[0]) part.role = Role::part;
  part.operands.clear();
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    for (const std::size_t operand : of_whole.operands)
      if (node.inputs[i] == whole.inputs[operand]) part.operands.push_back(i);
  return part;
}

bool Selector::is_read_by_chosen(const Node& node) const {
  for (const ValueId id : node.outputs) {
    if (id == no_value) continue;
    for (const int consumer : consumers_[at(id)])
      if (result_.nodes[static_cast<std::size_t>(consumer)].role) return true;
  }
  return false;
}

/// Behind the last computation, functions, rows and moves stay float: bytes would cost accuracy and
/// save nothing. Backwards, so that chains go as a whole.
void Selector::drop_unread() {
  for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
    Choice& choice = result_.nodes[i];
    const Node& node = graph_.nodes[i];
    const bool passes_on = choice.role == Role::function || choice.role == Role::move ||
                           choice.role == Role::concat || choice.role == Role::rows ||
                           choice.role == Role::part ||
                           (choice.role == Role::own_grid && by_rows_[at(node.inputs[0])]);
    if (!passes_on || is_read_by_chosen(node)) continue;
    choice = {std::nullopt, "no integer operator reads its result", {}};
    for (const ValueId id : node.outputs)
      if (id != no_value) result_.from_integer[at(id)] = false;
  }
}

bool Selector::is_read_on_grid(ValueId id) const {
  return !graph_.is_output(id) &&
         std::all_of(consumers_[at(id)].begin(), consumers_[at(id)].end(), [&](int consumer) {
           const auto index = static_cast<std::size_t>(consumer);
           const std::vector<ValueId>& inputs = graph_.nodes[index].inputs;
           const std::vector<std::size_t>& operands = result_.nodes[index].operands;
           return std::any_of(operands.begin(), operands.end(),
                              [&](std::size_t operand) { return inputs[operand] == id; });
         });
}

void Selector::move_embeddings() {
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    Choice& choice = result_.nodes[i];
    if (choice.role == Role::embedding && is_read_on_grid(graph_.nodes[i].outputs[0]))
      choice = {Role::move, "", {0}};
  }
}

Selection Selector::run() {
  find_spelled();
  for (const Node& node : graph_.nodes) {
    const int spelled = spelled_by_[result_.nodes.size()];
    const Choice& choice = result_.nodes.emplace_back(
        spelled < 0 ? choose(graph_, node)
                    : choose_part(node, spelled_[static_cast<std::size_t>(spelled)]));
    if (!choice.role) continue;
    for (const std::size_t i : choice.operands) operand_[at(node.inputs[i])] = true;
    if (choice.role == Role::part || choice.role == Role::embedding) continue;
    for (const ValueId id : node.outputs)
      if (id != no_value) result_.from_integer[at(id)] = true;
    joins_[at(node.outputs[0])] = joins_of(node, *choice.role);
    by_rows_[at(node.outputs[0])] = choice.role == Role::rows;
    if (choice.role == Role::product || choice.role == Role::bias)
      product_[at(node.outputs[0])] = static_cast<int>(result_.nodes.size());
  }
  drop_unread();
  move_embeddings();
  return std::move(result_);
}

}  // namespace

Selection select_operators(const Graph& graph, const std::set<std::string>& exclude) {
  return Selector(graph, exclude).run();
}

bool feeds_product(const Graph& graph, const Selection& selection, ValueId id) {
  const auto consumers = graph.consumers();
  std::set<ValueId> seen = {id};
  for (std::vector<ValueId> open = {id}; !open.empty();) {
    const ValueId next = open.back();
    open.pop_back();
    for (const int consumer : consumers[static_cast<std::size_t>(next)]) {
      const std::optional<Role>& role = selection.nodes[static_cast<std::size_t>(consumer)].role;
      if (!role) continue;
      if (role == Role::product || role == Role::matrices) return true;
      for (const ValueId output : graph.nodes[static_cast<std::size_t>(consumer)].outputs)
        if (output != no_value && seen.insert(output).second) open.push_back(output);
    }
  }
  return false;
}

}  // namespace intact
