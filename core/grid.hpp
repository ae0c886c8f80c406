// A grid: the set of real numbers scale * (q - zero_point) that the integers q of one element type
// stand for. A tensor on a grid is stored as its integers (docs/numerics.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "intact/tensor.hpp"

namespace intact {

struct Grid {
  ElementType type = ElementType::u8;
  /// One entry, one per index along `axis`, or one per block. Finite and positive.
  std::vector<float> scale;
  /// As many entries as `scale`; within the range of `type`.
  std::vector<std::int32_t> zero_point;
  /// Axis that scale and zero_point run along; absent for per-tensor grids.
  std::optional<int> axis = std::nullopt;
  /// Blocked grids: this many neighbours along `axis` share a scale. There is one scale per block
  /// and index of the other axes, row-major. 0 for all other grids.
  std::int64_t block = 0;

  bool per_tensor() const { return !axis.has_value(); }
  /// The number of scales of a tensor of this shape; nothing when it has no such axis.
  std::optional<std::int64_t> scales_for(const Shape& shape) const;
  bool operator==(const Grid&) const = default;
};

/// Smallest and largest integer of a grid's element type.
std::int32_t lowest(ElementType type);
std::int32_t highest(ElementType type);

/// Throws Error naming `where` when a scale is zero, negative, NaN or infinite, a zero point is out
/// of the type's range, or the numbers of scales and zero points differ.
void check_grid(const Grid& grid, const std::string& where);

/// "(u8, 0.0235, 114)"; per channel "(s8, 64 scales along axis 0)"; blocked "(s4, blocks of 32
/// along axis 0)".
std::string to_string(const Grid& grid);

}  // namespace intact
