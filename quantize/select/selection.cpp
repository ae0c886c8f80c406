// From single operators to regions: what lies behind a product becomes part of it, and operators
// that pass data on follow their neighbours.
#include "quantize/select/selection.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "quantize/select/rules.hpp"

namespace intact {
namespace {

enum class Joins : std::uint8_t { nothing, clamp, bias_or_clamp };

Joins joins_of(const Node& node, Role role) {
  if (role == Role::product && node.is("MatMul")) return Joins::bias_or_clamp;
  const bool passes_on = role == Role::function || role == Role::move || role == Role::concat;
  return passes_on ? Joins::nothing : Joins::clamp;
}

class Selector {
 public:
  Selector(const Graph& graph, const std::set<std::string>& exclude)
      : graph_(graph),
        exclude_(exclude),
        consumers_(graph.consumers()),
        input_(graph.values.size(), false),
        joins_(graph.values.size(), Joins::nothing) {
    result_.from_integer.resize(graph.values.size(), false);
    for (const ValueId id : graph.inputs) input_[at(id)] = true;
  }
  Selection run();

 private:
  static std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }
  bool is_excluded(const Node& node) const;
  Choice choose(const Node& node) const;
  std::optional<Role> absorbed(const Node& node) const;
  bool is_bias_of_product(const Node& node, std::size_t operand) const;
  void drop_unread();
  bool is_read_by_chosen(const Node& node) const;

  const Graph& graph_;
  const std::set<std::string>& exclude_;
  std::vector<std::vector<int>> consumers_;
  std::vector<bool> input_;
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
  const ValueId other = node.inputs[1 - operand];
  const std::optional<Shape>& product = graph_.value(node.inputs[operand]).shape;
  if (!node.is("Add") || !graph_.is_constant(other) || !product || product->empty()) return false;
  const Shape& bias = graph_.value(other).constant.shape();
  return !bias.empty() && bias.back() == product->back() && element_count(bias) == bias.back() &&
         bias.size() <= product->size();
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

Choice Selector::choose(const Node& node) const {
  Choice choice = judge(graph_, node);
  if (!choice.role) return choice;
  if (is_excluded(node)) return {std::nullopt, "excluded", {}};
  if (const std::optional<Role> role = absorbed(node)) return {role, "", {}};
  if (*choice.role == Role::product) return choice;
  for (const std::size_t i : choice.operands) {
    const ValueId id = node.inputs[i];
    if (graph_.is_constant(id) || input_[at(id)] || result_.from_integer[at(id)]) continue;
    return {std::nullopt,
            fmt::format("its operand '{}' is written by a float operator", graph_.value(id).name),
            {}};
  }
  return choice;
}

bool Selector::is_read_by_chosen(const Node& node) const {
  for (const ValueId id : node.outputs) {
    if (id == no_value) continue;
    for (const int consumer : consumers_[at(id)])
      if (result_.nodes[static_cast<std::size_t>(consumer)].role) return true;
  }
  return false;
}

/// Behind the last computation, functions and moves stay float: bytes would cost accuracy and save
/// nothing. Backwards, so that chains go as a whole.
void Selector::drop_unread() {
  for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
    Choice& choice = result_.nodes[i];
    const bool passes_on =
        choice.role == Role::function || choice.role == Role::move || choice.role == Role::concat;
    if (!passes_on || is_read_by_chosen(graph_.nodes[i])) continue;
    choice = {std::nullopt, "no integer operator reads its result", {}};
    for (const ValueId id : graph_.nodes[i].outputs)
      if (id != no_value) result_.from_integer[at(id)] = false;
  }
}

Selection Selector::run() {
  for (const Node& node : graph_.nodes) {
    const Choice& choice = result_.nodes.emplace_back(choose(node));
    if (!choice.role) continue;
    for (const ValueId id : node.outputs)
      if (id != no_value) result_.from_integer[at(id)] = true;
    joins_[at(node.outputs[0])] = joins_of(node, *choice.role);
  }
  drop_unread();
  return std::move(result_);
}

}  // namespace

Selection select_operators(const Graph& graph, const std::set<std::string>& exclude) {
  return Selector(graph, exclude).run();
}

}  // namespace intact
