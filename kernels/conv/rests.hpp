// Weights for tiles that add products in 16 bits: what stays in the panels, and the rest, which is
// multiplied after them. Plain header.
#pragma once

#include "kernels/conv/packed.hpp"

namespace intact::kernels {

/// Weights of an entry: those of 4 bytes of K for 8 columns.
constexpr int rest_bytes = 32;

/// Groups of 4 bytes of a column.
constexpr std::size_t column_groups(const ConvBlocking& blocking) {
  return static_cast<std::size_t>(blocking.taps * blocking.k_groups);
}
/// Entries that a vector of 8 columns can need.
constexpr std::size_t most_rests(const ConvBlocking& blocking) {
  return 2 * column_groups(blocking);
}

constexpr std::int32_t no_chains = -1;

/// Runs of rests go on from tap to tap: where the distance from
/// a tap to the next is the same for all, though not known before the run, and a tap is short.
bool rests_cross_taps(const ConvBlocking& blocking);

/// Orders and bounds the weights of packed panels of 16 columns for chains of 16-bit sums, and
/// lists what that leaves. With a byte up to 255, sums stay within 16 bits where the positive
/// weights add up to at most 128, and so do the negative ones. Panels of many large weights, whose
/// rests would take longer, are listed as words; their k_offsets begin with no_chains.
void pack_rests(const ConvBlocking& blocking, PackedConv& packed);

/// Writes a panel's groups of 64 bytes as words (kernels.hpp).
void widen_panel(const std::int8_t* from, std::int64_t groups, std::int8_t* to);

/// Of the vector of 8 columns that starts at `slot`; of panels without chains, `weights` are the
/// words of both.
ConvRests rests_at(const PackedConv& packed, std::int64_t slot);

}  // namespace intact::kernels
