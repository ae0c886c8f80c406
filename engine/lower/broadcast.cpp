// Layouts of broadcast operands.
#include "engine/lower/broadcast.hpp"

#include <algorithm>

namespace intact {
namespace {

/// How an operand is stored when the result has this layout: alike if it has as many axes, else
/// plain. No value when elements along the result's innermost axis would not be adjacent.
std::optional<Layout> operand_layout(const Shape& operand, const Shape& out, Layout layout) {
  if (operand.size() == out.size()) return layout;
  const std::size_t missing = out.size() - operand.size();
  const std::size_t inner = layout == Layout::channels_last ? 1 : out.size() - 1;
  if (inner < missing || operand[inner - missing] == 1) return Layout::plain;
  const bool adjacent =
      std::all_of(operand.begin() + static_cast<std::ptrdiff_t>(inner - missing) + 1, operand.end(),
                  [](std::int64_t extent) { return extent == 1; });
  return adjacent ? std::optional(Layout::plain) : std::nullopt;
}

/// Absent when an operand cannot be stored for a result of this layout.
std::optional<BroadcastLayouts> layouts_for(const Lowering& lowering,
                                            const std::vector<ValueId>& operands, const Shape& out,
                                            Layout layout) {
  BroadcastLayouts result{layout, {}};
  for (const ValueId id : operands) {
    const auto found = operand_layout(lowering.shape(id), out, layout);
    if (!found) return std::nullopt;
    result.operands.push_back(*found);
  }
  return result;
}

}  // namespace

BroadcastLayouts broadcast_layouts(const Lowering& lowering, const std::vector<ValueId>& operands,
                                   const Shape& out) {
  // Floats stay where they are: copies of bytes are cheaper.
  const auto whole = [&](ValueId id) {
    return lowering.shape(id).size() == out.size() && !lowering.is_constant(id);
  };
  const auto is_float = [&](ValueId id) { return whole(id) && !lowering.on_stored_grid(id); };
  const bool floats = std::any_of(operands.begin(), operands.end(), is_float);
  const bool prefers_last = std::any_of(operands.begin(), operands.end(), [&](ValueId id) {
    return (floats ? is_float(id) : whole(id)) && lowering.layout_of(id) == Layout::channels_last;
  });
  // An operand of fewer axes may need the other layout; plain fits all.
  if (prefers_last && out.size() > 2)
    if (auto last = layouts_for(lowering, operands, out, Layout::channels_last)) return *last;
  return *layouts_for(lowering, operands, out, Layout::plain);
}

}  // namespace intact
