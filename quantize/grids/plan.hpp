// Which tensors lie on which grids: tensors that only move share one, and those that a Concat joins
// unless their ranges differ too much for it.
#pragma once

#include <span>
#include <vector>

#include "core/grid.hpp"
#include "graph/graph.hpp"
#include "intact/quantize.hpp"
#include "quantize/select/selection.hpp"

namespace intact {

/// Disjoint sets of values.
class ValueSets {
 public:
  explicit ValueSets(std::size_t values);
  std::size_t set_of(ValueId id) const;
  void join(ValueId a, ValueId b);

 private:
  std::vector<std::size_t> parent_;
};

/// A Concat whose operands keep grids of their own.
struct KeptApart {
  int node = 0;
  ValueId finest = no_value;  ///< the tensor that one grid for all would serve worst
  double steps = 0;           ///< of that grid, across the tensor's range
};

class GridPlan {
 public:
  GridPlan(const Graph& graph, const Selection& selection, const ActivationFormat& format);

  const ActivationFormat& format() const { return format_; }

  /// Read as an integer operand by a chosen operator. Constants (of Add, Concat, ...) included,
  /// weights and biases of products not.
  bool on_grid(ValueId id) const { return on_grid_[static_cast<std::size_t>(id)]; }
  /// The tensors whose ranges have to be measured: all others follow.
  const std::vector<ValueId>& measured() const { return measured_; }
  /// Tensors that share a grid have the same whatever their ranges are: they only move.
  std::size_t moved_group(ValueId id) const { return moved_.set_of(id); }
  /// Tensors have the same that share a grid if no Concat is kept apart.
  std::size_t joined_group(ValueId id) const { return joined_.set_of(id); }

  /// Fixes the grids; `ranges` in the order of measured(). A Concat shares one grid unless a tensor
  /// on it, with the range that it has by itself, would get too few of its steps
  /// (docs/quantization.md).
  void set_ranges(const Graph& graph, std::span<const ValueRange> ranges);

  // After set_ranges:
  /// For some of the operators, with the ranges that these grids have.
  GridPlan restricted(const Graph& graph, const Selection& selection) const;
  /// Of a tensor that is on_grid.
  const Grid& grid(ValueId id) const { return grids_[group(id)]; }
  const ValueRange& range(ValueId id) const { return ranges_[group(id)]; }
  /// Tensors that share a grid have the same.
  std::size_t group(ValueId id) const { return shared_.set_of(id); }
  /// In the graph's order. The range of their results holds those of their operands.
  const std::vector<KeptApart>& kept_apart() const { return kept_apart_; }
  bool is_kept_apart(std::size_t node) const;

 private:
  struct Concat {
    int node = 0;
    std::vector<ValueId> operands;
    ValueId result = no_value;
  };

  ActivationFormat format_;
  std::vector<bool> on_grid_;
  std::vector<bool>
      read_in_part_;  ///< by value: a table, whose range is that of what is read of it
  ValueSets moved_, joined_, shared_;
  std::vector<Concat> concats_;  ///< the chosen Concats
  std::vector<ValueId> measured_;
  std::vector<KeptApart> kept_apart_;
  std::vector<Grid> grids_;         ///< by group
  std::vector<ValueRange> ranges_;  ///< by group
};

}  // namespace intact
