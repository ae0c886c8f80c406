// Two or three operands broadcast to an output, as the loops that an element-wise kernel can run:
// rows of elements inside, everything else outside.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engine/program.hpp"

namespace intact {

/// One number per operand, in their order, and one for the output.
struct BroadcastStrides {
  std::array<std::int64_t, 3> operand = {};
  std::int64_t output = 0;
};

/// One loop; strides in elements. 0 repeats an operand.
struct BroadcastAxis {
  std::int64_t extent = 1;
  BroadcastStrides strides;
};

/// Axes that lie behind one another in all tensors are joined.
struct BroadcastLoops {
  std::vector<BroadcastAxis> outer;  ///< outermost first
  std::int64_t outer_count = 1;
  BroadcastAxis rows;
  BroadcastAxis run;  ///< strides of the operands 0 or 1, of the output 1

  /// Where the rows of outer index `i` begin, in elements.
  BroadcastStrides offsets(std::int64_t i) const;
};

/// Throws Error (internal) when the innermost elements of an operand are neither adjacent nor one;
/// lowering chooses layouts in which they are.
BroadcastLoops broadcast_loops(const std::vector<const StoredTensor*>& operands,
                               const StoredTensor& out);

}  // namespace intact
