// Unary functions of a grid as tables: every elementwise operator, or chain or web of them, between
// one byte grid and the next Round is a function of 256 bytes, computed in double precision.
#pragma once

#include "engine/lower/lowering.hpp"

namespace intact {

/// Lowering::unary_source of all values. Looks at the graph only.
std::vector<ValueId> find_unary_sources(const Lowering& lowering);

/// Round of a unary function of a grid: emits the table. False when it is not one.
bool lower_table(Lowering& lowering, const Node& round);

}  // namespace intact
