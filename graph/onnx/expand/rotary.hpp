// Pairs of channels turned by angles that depend on the position.
#pragma once

#include "graph/onnx/expand/expansion.hpp"

namespace intact {

struct RotaryAngles {
  ValueId cosines, sines;  ///< [S, half], or [B, S, half] where `per_batch`
  bool per_batch = false;
  bool interleaved = false;  ///< pairs are neighbours, not the two halves
  std::int64_t width = 0;    ///< so many channels in front are turned; 0: all
};

/// x [B, heads, S, H] (`heads_first`) or [B, S, heads, H], turned. The sum of the second halves
/// stands for the node.
ValueId rotated(Expansion& expansion, ValueId x, bool heads_first, const RotaryAngles& angles);

}  // namespace intact
