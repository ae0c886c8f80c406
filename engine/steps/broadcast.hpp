// Two operands broadcast to an output, as the loops that an element-wise kernel can run: rows of
// elements inside, everything else outside.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engine/program.hpp"

namespace intact {

/// One loop; strides in elements: of a, of b, of the output. 0 repeats an operand.
struct BroadcastAxis {
  std::int64_t extent = 1;
  std::array<std::int64_t, 3> strides = {};
};

/// Axes that lie behind one another in all three tensors are joined.
struct BroadcastLoops {
  std::vector<BroadcastAxis> outer;  ///< outermost first
  std::int64_t outer_count = 1;
  BroadcastAxis rows;
  BroadcastAxis run;  ///< strides of the operands 0 or 1, of the output 1

  /// Where the rows of outer index `i` begin, in elements: of a, of b, of the output.
  std::array<std::int64_t, 3> offsets(std::int64_t i) const;
};

/// Throws Error (internal) when the innermost elements of an operand are neither adjacent nor one;
/// lowering chooses layouts in which they are.
BroadcastLoops broadcast_loops(const StoredTensor& a, const StoredTensor& b,
                               const StoredTensor& out);

}  // namespace intact
