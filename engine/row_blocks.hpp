// Groups of operations that can be run a block of rows at a time.
#pragma once

#include "engine/program.hpp"

namespace intact {

bool contains(const std::vector<TensorId>& ids, TensorId id);
/// Element by element, operands broadcast.
bool is_elementwise(const OperationKind& kind);

/// The operation computes each of `rows` rows (StoredTensor::rows) of its results from the same row
/// of its operands; operands of one row serve all.
bool runs_by_rows(const Program& program, const Operation& operation, std::int64_t rows);

/// What a group has whose parts all do so.
struct RowBlocks {
  std::int64_t rows = 0;
  /// Floats that only the parts see: they need no memory but for the rows of a block.
  std::vector<TensorId> inner;
};
/// Nothing for other groups, and where nothing would be gained.
std::optional<RowBlocks> row_blocks(const Program& program, const Operation& group);

}  // namespace intact
