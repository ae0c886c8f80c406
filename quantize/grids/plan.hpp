// Which tensors lie on which grids: tensors that only move share one.
#pragma once

#include <span>
#include <vector>

#include "core/grid.hpp"
#include "graph/graph.hpp"
#include "intact/quantize.hpp"
#include "quantize/select/selection.hpp"

namespace intact {

class GridPlan {
 public:
  GridPlan(const Graph& graph, const Selection& selection, const ActivationFormat& format);

  const ActivationFormat& format() const { return format_; }

  /// Read as an integer operand by a chosen operator. Constants (of Add, Concat, ...) included,
  /// weights and biases of products not.
  bool on_grid(ValueId id) const { return on_grid_[static_cast<std::size_t>(id)]; }
  /// The tensors whose ranges have to be measured: all others follow.
  const std::vector<ValueId>& measured() const { return measured_; }
  /// Fixes the grids; `ranges` in the order of measured().
  void set_ranges(const Graph& graph, std::span<const ValueRange> ranges);
  /// Of a tensor that is on_grid, after set_ranges.
  const Grid& grid(ValueId id) const;
  const ValueRange& range(ValueId id) const { return ranges_[group(id)]; }
  /// Tensors that share a grid have the same.
  std::size_t group(ValueId id) const;

 private:
  void join_groups(ValueId a, ValueId b);

  ActivationFormat format_;
  std::vector<bool> on_grid_;
  std::vector<std::size_t> parent_;  ///< disjoint sets of values that share a grid
  std::vector<ValueId> measured_;
  std::vector<Grid> grids_;         ///< by group
  std::vector<ValueRange> ranges_;  ///< by group
};

}  // namespace intact
