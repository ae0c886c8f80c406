// Where tensors lie: offsets into one arena, shared by tensors that are not alive at the same time.
#pragma once

#include <vector>

#include "engine/program.hpp"

namespace intact {

struct MemoryPlan {
  /// Per tensor: byte offset into the arena, or -1 for graph inputs, constants and views of them.
  std::vector<std::int64_t> offset;
  std::int64_t arena_bytes = 0;
};

/// Lifetimes run from the first operation that writes a tensor (or a view of it) to the last that
/// reads it; graph outputs stay to the end. Element-wise results take the place of an operand that
/// dies with them. Every tensor is 64-byte aligned and readable for 64 bytes beyond its end.
MemoryPlan place_tensors(const Program& program);

}  // namespace intact
