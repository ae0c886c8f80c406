// Groups of a convolution and what keeps to the lines of its floats: an interpolation or average of
// them, and operations that compute pixel by pixel. They can be run a few lines at a time.
#pragma once

#include "engine/program.hpp"

namespace intact {

struct LineBlocks {
  /// Floats that only the parts see: they need no memory but for the lines of a block. The first
  /// ones are those of the convolution, which is the first part.
  std::vector<TensorId> inner;
  bool interpolates = false;  ///< the second part is a ResizeOperation
};
/// Nothing for other groups.
std::optional<LineBlocks> line_blocks(const Program& program, const Operation& group);

/// The convolution writes floats that can be computed a few lines at a time.
bool writes_lines(const Program& program, const Operation& convolution);
/// The interpolation takes its lines.
bool takes_lines(const Program& program, const Operation& convolution,
                 const Operation& interpolation);
/// The follower computes pixel by pixel on images like the result of `before`, which is the
/// convolution or the interpolation behind it.
bool follows_lines(const Program& program, const Operation& convolution, const Operation& before,
                   const Operation& follower);

}  // namespace intact
