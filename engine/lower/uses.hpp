// Who writes and reads each stored tensor, for the passes over the program.
#pragma once

#include <vector>

#include "engine/program.hpp"

namespace intact {

struct Uses {
  std::vector<std::vector<int>> writers, readers;  ///< operation indices by tensor
  std::vector<bool> shared;  ///< a view, viewed, a graph input or output, or a constant

  explicit Uses(const Program& program);
  /// The only writer of a tensor that has one reader and shares no memory; -1 otherwise.
  int writer_of_single_use(TensorId id) const;
};

/// Drops operations without outputs.
void erase_empty(Program& program);

}  // namespace intact
