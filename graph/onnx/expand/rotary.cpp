// RotaryEmbedding of ONNX and of com.microsoft: pairs of channels turned by angles that grow with
// the position.
#include "graph/onnx/expand/rotary.hpp"

#include "graph/onnx/expand/families.hpp"

namespace intact {
namespace {

Attributes along(std::int64_t axis) {
  return attributes_of({{"axis", axis}});
}

/// Cosines or sines [S, H/2] or [B, S, H/2] with an axis for the heads, in front of the positions
/// or behind: broadcast to the halves of x.
ValueId with_heads(Expansion& e, ValueId rows, bool per_batch, bool heads_first) {
  if (heads_first) return per_batch ? e.add("Unsqueeze", {rows, e.integers({1})}) : rows;
  return e.add("Unsqueeze", {rows, e.integers({-2})});
}

/// One number counts on from there along the sequence; otherwise [B, S].
ValueId positions_of(Expansion& e, ValueId x, bool per_batch, std::int64_t sequence_axis) {
  if (per_batch) return e.operand(1);
  const ValueId extent = e.add("Gather", {e.add("Shape", {x}), e.integer(sequence_axis)});
  const ValueId steps = e.add("Range", {e.integer(0), extent, e.integer(1)});
  return e.add("Add", {steps, e.operand(1)});
}

/// x [..., H] in two halves that are turned together: neighbours, or the two ends.
std::vector<ValueId> halves_of(Expansion& e, ValueId x, bool interleaved) {
  if (!interleaved) return e.add_several("Split", {x}, 2, along(-1));
  const ValueId pairs = e.add("Reshape", {x, e.integers({0, 0, 0, -1, 2})});
  std::vector<ValueId> halves = e.add_several("Split", {pairs}, 2, along(-1));
  for (ValueId& half : halves) half = e.add("Squeeze", {half, e.integers({-1})});
  return halves;
}

ValueId joined(Expansion& e, std::vector<ValueId> halves, bool interleaved) {
  if (!interleaved) return e.add("Concat", halves, along(-1));
  for (ValueId& half : halves) half = e.add("Unsqueeze", {half, e.integers({-1})});
  return e.add("Reshape", {e.add("Concat", halves, along(-1)), e.integers({0, 0, 0, -1})});
}

/// Output 0 is x [B, heads, S, H], or [B, S, heads * H], turned. `half`: the last extent of the
/// angles, where it is known.
void give_rotated(Expansion& e, ValueId x, bool heads_first, RotaryAngles angles,
                  std::optional<std::int64_t> half) {
  const Attributes& attributes = e.node().attributes;
  angles.interleaved = attributes.integer("interleaved", 0) != 0;
  angles.width = attributes.integer("rotary_embedding_dim", 0);
  if (heads_first) return e.give(0, rotated(e, x, true, angles));
  const std::int64_t heads = attributes.integer("num_heads", 0);
  if (heads <= 0 && !half)
    refuse_unsupported(e.node(), "num_heads is absent and the table of cosines is not constant");
  const ValueId split =
      e.add("Reshape", {x, e.integers({0, 0, heads > 0 ? heads : -1, heads > 0 ? -1 : 2 * *half})});
  e.give(0, e.add("Reshape", {rotated(e, split, false, angles), e.integers({0, 0, -1})}));
}

}  // namespace

ValueId rotated(Expansion& e, ValueId x, bool heads_first, const RotaryAngles& angles) {
  ValueId rest = no_value;
  if (angles.width > 0) {
    const ValueId width = e.integers({angles.width}), last = e.integers({-1});
    rest = e.add("Slice", {x, width, e.integers({INT64_MAX}), last});
    x = e.add("Slice", {x, e.integers({0}), width, last});
  }
  const ValueId c = with_heads(e, angles.cosines, angles.per_batch, heads_first);
  const ValueId s = with_heads(e, angles.sines, angles.per_batch, heads_first);
  const auto halves = halves_of(e, x, angles.interleaved);
  const auto product = [&](ValueId a, ValueId b) { return e.add("Mul", {a, b}); };
  const ValueId first = e.add("Sub", {product(halves[0], c), product(halves[1], s)});
  const ValueId second = e.main(e.add("Add", {product(halves[0], s), product(halves[1], c)}));
  const ValueId y = joined(e, {first, second}, angles.interleaved);
  return rest == no_value ? y : e.add("Concat", {y, rest}, along(-1));
}

/// X [B, S, heads * H] or [B, heads, S, H], positions [1] or [B, S], cosines and sines [M, H/2].
void expand_rotary_embedding(Expansion& e) {
  if (e.node().attributes.integer("is_packed_batching", 0) != 0)
    refuse_unsupported(e.node(), "is_packed_batching is not supported");
  const ValueId x = e.operand(0), cosines = e.operand(2), sines = e.operand(3);
  const bool heads_first = e.needed_rank(x) == 4;
  const bool per_batch = e.needed_rank(e.operand(1)) == 2;
  const ValueId positions = positions_of(e, x, per_batch, heads_first ? 2 : 1);
  give_rotated(
      e, x, heads_first,
      {e.add("Gather", {cosines, positions}), e.add("Gather", {sines, positions}), per_batch},
      e.extent(cosines, 1));
}

/// X as above, cosines and sines [M, H/2] with positions [B, S], or [B, S, H/2] without.
void expand_standard_rotary_embedding(Expansion& e) {
  const ValueId x = e.operand(0), cosines = e.operand(1), sines = e.operand(2);
  const bool heads_first = e.needed_rank(x) == 4, looked_up = e.has(3);
  const auto rows = [&](ValueId table) {
    return looked_up ? e.add("Gather", {table, e.operand(3)}) : table;
  };
  give_rotated(e, x, heads_first, {rows(cosines), rows(sines), true},
               e.extent(cosines, looked_up ? 1 : 2));
}

}  // namespace intact
