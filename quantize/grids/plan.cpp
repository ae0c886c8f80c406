// Groups of tensors that share a grid, and their ranges.
#include "quantize/grids/plan.hpp"

#include <numeric>
#include <optional>

#include "quantize/calibration/histogram.hpp"
#include "quantize/grids/grids.hpp"

namespace intact {

GridPlan::GridPlan(const Graph& graph, const Selection& selection, const ActivationFormat& format)
    : format_(format), on_grid_(graph.values.size(), false), parent_(graph.values.size()) {
  std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  std::vector<bool> derived(graph.values.size(), false);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Choice& choice = selection.nodes[i];
    if (!choice.role) continue;
    const Node& node = graph.nodes[i];
    for (const std::size_t operand : choice.operands)
      on_grid_[static_cast<std::size_t>(node.inputs[operand])] = true;
    if (choice.role != Role::move && choice.role != Role::concat) continue;
    for (const ValueId output : node.outputs) {
      if (output == no_value) continue;
      derived[static_cast<std::size_t>(output)] = true;
      for (const std::size_t operand : choice.operands) join_groups(node.inputs[operand], output);
    }
  }
  for (std::size_t i = 0; i < graph.values.size(); ++i)
    if (on_grid_[i] && !derived[i] && !graph.values[i].is_constant())
      measured_.push_back(static_cast<ValueId>(i));
}

std::size_t GridPlan::group(ValueId id) const {
  auto root = static_cast<std::size_t>(id);
  while (parent_[root] != root) root = parent_[root];
  return root;
}

void GridPlan::join_groups(ValueId a, ValueId b) {
  const std::size_t root = group(a);
  parent_[group(b)] = root;
}

void GridPlan::set_ranges(const Graph& graph, std::span<const ValueRange> ranges) {
  std::vector<std::optional<ValueRange>> of_group(graph.values.size());
  const auto add = [&](ValueId id, const ValueRange& range) {
    std::optional<ValueRange>& known = of_group[group(id)];
    known = known ? join(*known, range) : range;
  };
  for (std::size_t i = 0; i < measured_.size(); ++i) add(measured_[i], ranges[i]);
  for (std::size_t i = 0; i < graph.values.size(); ++i)
    if (on_grid_[i] && graph.values[i].is_constant())
      add(static_cast<ValueId>(i), min_max(graph.values[i].constant.data<float>()));
  grids_.resize(graph.values.size());
  ranges_.resize(graph.values.size());
  for (std::size_t i = 0; i < of_group.size(); ++i) {
    if (!of_group[i]) continue;
    ranges_[i] = *of_group[i];
    grids_[i] = activation_grid(ranges_[i], format_);
  }
}

const Grid& GridPlan::grid(ValueId id) const {
  return grids_[group(id)];
}

}  // namespace intact
