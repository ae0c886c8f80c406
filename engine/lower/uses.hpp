// Who writes and reads each stored tensor, for the passes over the program.
#pragma once

#include <vector>

#include "engine/program.hpp"

namespace intact {

/// Made once per pass; a pass that changes an operation says so: remove() before, add() after.
struct Uses {
  std::vector<std::vector<int>> writers, readers;  ///< operation indices by tensor, any order
  std::vector<bool> shared;  ///< a view, viewed, a graph input or output, or a constant

  explicit Uses(const Program& program);
  /// The only writer of a tensor that has one reader and shares no memory; -1 otherwise.
  int writer_of_single_use(TensorId id) const;

  void remove(const Program& program, std::size_t operation);
  /// Tensors that are new to the program are known from then on.
  void add(const Program& program, std::size_t operation);
  /// The tensor has become a view.
  void add_view(const Program& program, TensorId id);
};

/// Puts `added[i]` in front of operation i; the last element, one more than there are operations,
/// comes behind them all.
void insert_operations(Program& program, std::vector<std::vector<Operation>> added);
/// Drops operations without outputs.
void erase_empty(Program& program);

}  // namespace intact
