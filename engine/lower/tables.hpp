// Unary functions of a grid as tables: every elementwise operator, or chain or web of them, between
// one byte grid and the next Round is a function of 256 bytes, computed in double precision.
#pragma once

#include "engine/lower/lowering.hpp"

namespace intact {

/// The tensor on a byte grid of which `id` is an elementwise function (constants aside), or no_value.
/// A tensor on a byte grid is a function of itself.
ValueId unary_source(const Lowering& lowering, ValueId id);

/// Round of a unary function of a grid: emits the table. False when it is not one.
bool lower_table(Lowering& lowering, const Node& round);

}  // namespace intact
