// Operators of ONNX that are written in others: the engine then needs no more kernels, and tensors
// on grids stay on them.
#include "graph/onnx/expand/families.hpp"

namespace intact {
namespace {

/// The integers of a computed list of axes' extents.
ValueId extents_of(Expansion& e, ValueId x, ValueId axes) {
  const ValueId shape = e.add("Shape", {x});
  return axes == no_value ? shape : e.add("Gather", {shape, axes});
}

/// A Slice of the middle where the input is larger than the wanted shape, then a Pad by zeros where
/// it is smaller. Halves are rounded down in front.
void expand_center_crop_pad(Expansion& e) {
  const ValueId x = e.operand(0), zero = e.integers({0}), two = e.integers({2});
  const std::vector<std::int64_t> given = e.node().attributes.integers("axes");
  const ValueId axes = given.empty() ? no_value : e.integers(given);
  const ValueId wanted = e.add("Cast", {e.operand(1)}, attributes_of({{"to", std::int64_t{7}}}));
  const ValueId extents = extents_of(e, x, axes);
  const auto half = [&](ValueId from, ValueId minus) {
    const ValueId rest = e.add("Max", {e.add("Sub", {from, minus}), zero});
    return std::pair(rest, e.add("Div", {rest, two}));
  };
  const ValueId begin = half(extents, wanted).second;
  const ValueId end = e.add("Add", {begin, e.add("Min", {extents, wanted})});
  const ValueId cropped = e.add("Slice", {x, begin, end, axes});
  const auto [missing, before] = half(wanted, extents);
  const ValueId pads = e.add("Concat", {before, e.add("Sub", {missing, before})},
                             attributes_of({{"axis", std::int64_t{0}}}));
  const ValueId y = e.main(e.add("Pad", {cropped, pads, no_value, axes}));
  e.set_version(y, 18);
  e.give(0, y);
}

constexpr ExpansionRule rules[] = {
    {"Einsum", "", expand_einsum},
    {"Attention", "", expand_standard_attention},
    {"RotaryEmbedding", "", expand_standard_rotary_embedding},
    {"CenterCropPad", "", expand_center_crop_pad},
};

}  // namespace

std::span<const ExpansionRule> standard_rules() {
  return rules;
}

}  // namespace intact
