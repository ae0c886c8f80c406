// Groups of tensors that share a grid, and their ranges.
#include "quantize/grids/plan.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

#include "quantize/calibration/histogram.hpp"
#include "quantize/grids/grids.hpp"

namespace intact {
namespace {

/// Rounding to steps of one has a mean squared error of 1/12. Values of a normal distribution that
/// end at four standard deviations fill n steps with a mean square of (n / 8)^2: a ratio of 3/16
/// n^2, which is 20 dB, what a model is asked for as a whole, at 23.1 steps.
constexpr double fewest_steps = 24;

constexpr double steps_of_grid = 255;

/// Tensors that share a grid, while Concats join them.
struct Group {
  ValueRange range;
  /// The tensor whose own grid would be the finest; no_value when all are zero, which every grid
  /// holds.
  ValueId finest = no_value;
  double finest_scale = 0;
};

double scale_over(const ValueRange& range, const ActivationFormat& format) {
  return static_cast<double>(activation_grid(range, format).scale[0]);
}

std::vector<ValueId> operands_of(const Node& node, const Choice& choice) {
  std::vector<ValueId> operands;
  for (const std::size_t i : choice.operands) operands.push_back(node.inputs[i]);
  return operands;
}

Group together(const Group& a, const Group& b) {
  const bool first =
      b.finest == no_value || (a.finest != no_value && a.finest_scale <= b.finest_scale);
  Group result = first ? a : b;
  result.range = join(a.range, b.range);
  return result;
}

}  // namespace

ValueSets::ValueSets(std::size_t values) : parent_(values) {
  std::iota(parent_.begin(), parent_.end(), std::size_t{0});
}

std::size_t ValueSets::set_of(ValueId id) const {
  auto root = static_cast<std::size_t>(id);
  while (parent_[root] != root) root = parent_[root];
  return root;
}

void ValueSets::join(ValueId a, ValueId b) {
  const std::size_t root = set_of(a);
  parent_[set_of(b)] = root;
}

GridPlan::GridPlan(const Graph& graph, const Selection& selection, const ActivationFormat& format)
    : format_(format),
      on_grid_(graph.values.size(), false),
      read_in_part_(graph.values.size(), false),
      moved_(graph.values.size()),
      joined_(graph.values.size()),
      shared_(graph.values.size()) {
  std::vector<bool> derived(graph.values.size(), false);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Choice& choice = selection.nodes[i];
    if (!choice.role) continue;
    const Node& node = graph.nodes[i];
    for (const std::size_t operand : choice.operands)
      on_grid_[static_cast<std::size_t>(node.inputs[operand])] = true;
    if (choice.role != Role::move && choice.role != Role::concat) continue;
    if (choice.role == Role::concat)
      concats_.push_back({static_cast<int>(i), operands_of(node, choice), node.outputs[0]});
    for (const ValueId output : node.outputs) {
      if (output == no_value) continue;
      const ValueId first = node.inputs[choice.operands[0]];
      const bool from_table = choice.role == Role::move && graph.is_constant(first);
      if (from_table) read_in_part_[static_cast<std::size_t>(first)] = true;
      derived[static_cast<std::size_t>(output)] = !from_table;
      for (const std::size_t operand : choice.operands) {
        joined_.join(node.inputs[operand], output);
        if (choice.role == Role::move) moved_.join(node.inputs[operand], output);
      }
    }
  }
  for (std::size_t i = 0; i < graph.values.size(); ++i)
    if (on_grid_[i] && !derived[i] && !graph.values[i].is_constant())
      measured_.push_back(static_cast<ValueId>(i));
}

void GridPlan::set_ranges(const Graph& graph, std::span<const ValueRange> ranges) {
  shared_ = moved_;
  kept_apart_.clear();
  std::vector<std::optional<Group>> groups(graph.values.size());
  const auto group_of = [&](ValueId id) -> std::optional<Group>& { return groups[group(id)]; };
  const auto add = [&](ValueId id, const ValueRange& range) {
    std::optional<Group>& known = group_of(id);
    const Group own{range, range == ValueRange{} ? no_value : id, scale_over(range, format_)};
    known = known ? together(*known, own) : own;
  };
  for (std::size_t i = 0; i < measured_.size(); ++i) add(measured_[i], ranges[i]);
  for (std::size_t i = 0; i < graph.values.size(); ++i)
    if (on_grid_[i] && graph.values[i].is_constant() && !read_in_part_[i])
      add(static_cast<ValueId>(i), min_max(graph.values[i].constant.data<float>()));
  for (const Concat& concat : concats_) {
    std::optional<Group> all = group_of(concat.result);
    for (const ValueId id : concat.operands)
      if (const auto& other = group_of(id)) all = all ? together(*all, *other) : *other;
    if (!all) continue;
    const double steps = all->finest_scale / scale_over(all->range, format_) * steps_of_grid;
    if (all->finest != no_value && steps < fewest_steps) {
      kept_apart_.push_back({concat.node, all->finest, steps});
      add(concat.result, all->range);
      continue;
    }
    for (const ValueId id : concat.operands) shared_.join(id, concat.result);
    group_of(concat.result) = all;
  }
  grids_.resize(graph.values.size());
  ranges_.resize(graph.values.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (!groups[i]) continue;
    ranges_[i] = groups[i]->range;
    grids_[i] = activation_grid(ranges_[i], format_);
  }
}

GridPlan GridPlan::restricted(const Graph& graph, const Selection& selection) const {
  GridPlan result(graph, selection, format_);
  std::vector<ValueRange> ranges;
  for (const ValueId id : result.measured()) ranges.push_back(range(id));
  result.set_ranges(graph, ranges);
  return result;
}

bool GridPlan::is_kept_apart(std::size_t node) const {
  return std::any_of(kept_apart_.begin(), kept_apart_.end(), [&](const KeptApart& kept) {
    return static_cast<std::size_t>(kept.node) == node;
  });
}

}  // namespace intact
