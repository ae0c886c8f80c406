// What an integer kernel does with its accumulators before it writes: the requantization and
// whatever the plan fused behind it. Shared by all multiply kernels; arithmetic as in
// docs/numerics.md, bit-identical on every instruction set. Plain header.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/value_range.hpp"

namespace intact::kernels {

/// The second input of a fused addition, on a grid, stored as u8: pixel p, channel c at
/// data[p * pitch + c]. Same pixels and channels as the destination. May be the destination itself.
struct Residual {
  const std::uint8_t* data = nullptr;
  std::ptrdiff_t pitch = 0;
  std::int32_t zero_point = 0;  ///< of the residual's grid
  float multiplier = 0;         ///< scale_residual / scale_dst

  /// The sum is
  ///   fma(float(r - zero_point), multiplier, float(q - inner_zero_point) * inner_multiplier)
  /// with q the requantized (and table-mapped) byte, or without inner_rounding
  ///   fma(float(r - zero_point), multiplier, t)
  /// with t in units of the destination's scale; then rounded half to even, offset by
  /// `dst_zero_point` and clamped to [dst_lower, dst_upper].
  std::int32_t inner_zero_point = 0;
  float inner_multiplier = 0;  ///< scale_inner / scale_dst
  std::int32_t dst_zero_point = 0;
  std::int32_t dst_lower = 0, dst_upper = 255;
  bool inner_rounding = true;
};

/// `range` writes nothing and finds the range of what f32 would write; `quotient` writes bytes on a
/// grid known at run time only, dividing as Round does (docs/numerics.md, Dynamic quantization).
enum class Output : std::uint8_t { u8, f32, range, quotient };

/// A rectangle of float results: `rows` pixels from `pixel` on and `columns` channels from
/// `channel` on, element (r, c) at data[r * pitch + c].
struct Tile {
  float* data = nullptr;
  std::ptrdiff_t pitch = 0;
  std::int64_t pixel = 0, rows = 0, channel = 0, columns = 0;
  float* other = nullptr;  ///< the results of a second product, with the same pitch
};

/// Takes float results tile by tile, while they are in the cache, in place of the destination: the
/// float operators behind a product run here. Whoever binds the stage derives from it.
struct TileStage {
  /// Of rows * columns: what fits into the first-level cache with an operand or two.
  static constexpr std::int64_t most_elements = 4096;
  /// May write over the tile. Called by every thread for its share; each output comes once.
  void (*run)(const TileStage& self, const Tile& tile) = nullptr;
};

/// For accumulator `acc` (int32, zero-point corrections and integer bias included) of channel c:
///   t = has_float_bias ? fma(float(acc), multiplier[c], float_bias[c]) : float(acc) *
///   multiplier[c]
/// Output f32: writes r = min(max(t, float_lower), float_upper), or with `tiles` hands it over and
///             writes nothing.  (max first; t is never NaN) Extends *range, if any, by all r of
///             this part.
/// Output range: as f32 with bias_apart, but writes nothing: dst is null, its pitch 0.
/// Output quotient: as f32 with bias_apart, but writes saturate(half_even(r / scale) + zero_point).
/// Output u8:  q = clamp(half_even(t) + zero_point, lower, upper); if table: q = table[q];
///             if residual: as described there. Writes q.
/// multiplier and float_bias are per channel and travel inside the packed weights.
/// Precondition: |t| < 2^31 for every reachable accumulator (the plan proves it).
struct Epilogue {
  Output output = Output::u8;
  std::int32_t zero_point = 0;
  std::int32_t lower = 0, upper = 255;
  const std::uint8_t* table = nullptr;  ///< 256 entries
  const Residual* residual = nullptr;
  float float_lower = -__builtin_inff(), float_upper = __builtin_inff();
  const TileStage* tiles = nullptr;  ///< Output f32 of convolutions and products only
  /// Output f32: t = float(acc) * multiplier[c] + float_bias[c] with two roundings, not fma.
  bool bias_apart = false;
  ValueRange* range = nullptr;
  float scale = 1;
};

}  // namespace intact::kernels
