// Sums of floats in a fixed order: 16 partial results, element i belonging to the one of number
// i % 16, that are combined in halves, on every instruction set. Over the lane types of whichever
// lanes_*.hpp was included before. Internal linkage.
#pragma once

#include "kernels/elementwise/functions.hpp"

namespace intact::kernels {
namespace {

/// One element per lane of a group of 16.
struct Group {
  static constexpr int registers = 16 / Floats::size;
  Floats part[registers];

  [[gnu::always_inline]] explicit Group(float x) {
    for (Floats& lanes : part) lanes = constant(x);
  }
};

/// Combines the 16 lanes in halves.
template <class Combine>
[[gnu::always_inline]] inline float combined(const Group& group, const Combine& combine) {
  Floats x = group.part[0];
  if constexpr (Group::registers == 2)
    x = combine(x, group.part[1]);
  else
    x = combine(x, from_above<8>(x));
  x = combine(x, from_above<4>(x));
  x = combine(x, from_above<2>(x));
  return first(combine(x, from_above<1>(x)));
}
[[gnu::always_inline]] inline float total(const Group& group) {
  return combined(group, [](Floats a, Floats b) { return a + b; });
}

}  // namespace
}  // namespace intact::kernels
