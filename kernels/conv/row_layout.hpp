// Where the rows of input lie that a convolution on tile registers multiplies: at equal distances,
// whatever the window. Matrix products have them in place. Else the lines that a window meets are
// copied with their padding, and the output lines of a plane follow each other at a pitch that
// leaves room for it: a few rows per line are no outputs. Windows with gaps between their pixels,
// or between each other, have copies of their own for every tap, of just what it meets. Plain
// header.
#pragma once

#include "kernels/conv/packed.hpp"

namespace intact::kernels {

/// A piece is a run of output lines of one plane (or of pixels of a matrix product).
struct RowLayout {
  RowLayout(const ConvShape& shape, const ConvBlocking& blocking);

  static constexpr std::int64_t most_pieces = 16;

  bool in_place;
  bool per_tap;
  std::int64_t lines;                   ///< output lines of a piece at most; in place: pixels
  std::int64_t pieces;                  ///< copied at a time
  std::int64_t rows;                    ///< of a whole piece, those between lines included
  std::int64_t pitch;                   ///< rows from one output line to the next
  std::ptrdiff_t step;                  ///< bytes of a row; in place: unused
  std::int64_t line_pixels, line_step;  ///< of a copied line: see LineCopy
  std::int64_t unit_bytes, units;       ///< of a line, when lines are folded
  std::ptrdiff_t line_bytes, plane_bytes, depth_bytes, piece_bytes;

  /// Bytes of copies and rows of all pieces at most, for this shape and for parts of it with the
  /// same channels and windows.
  std::int64_t copy_capacity, row_capacity;

  /// From a row to what it multiplies at a tap.
  std::ptrdiff_t tap_offset(const ConvShape& shape, const ConvBlocking& blocking,
                            std::int64_t tap) const;
  /// Where line `line` of the copies of a piece lies, without per_tap.
  std::ptrdiff_t line_offset(const ConvShape& shape, const ConvBlocking& blocking,
                             std::int64_t line) const;
};

}  // namespace intact::kernels
