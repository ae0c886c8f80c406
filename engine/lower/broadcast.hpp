// Layouts in which operands that are broadcast can be walked together.
#pragma once

#include "engine/lower/lowering.hpp"

namespace intact {

/// Of the result, and of the operands in their order. Elements along the result's innermost axis
/// are neighbours in every operand, or one and the same.
struct BroadcastLayouts {
  Layout result = Layout::plain;
  std::vector<Layout> operands;
};

/// Channels last where an operand of as many axes as the result lies so and the others allow it;
/// operands that are float come first.
BroadcastLayouts broadcast_layouts(const Lowering& lowering, const std::vector<ValueId>& operands,
                                   const Shape& out);

}  // namespace intact
