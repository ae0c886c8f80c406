// How an operand that is broadcast to an output is read along with runs of the output's pixels.
#pragma once

#include <optional>

#include "engine/program.hpp"

namespace intact {

/// The operand's element of pixel p (in the order of the output's memory) and channel c is at
///   p / period * outer + p % period * pitch + c * step      elements from its first one.
struct PixelWalk {
  std::int64_t period = 1, outer = 0, pitch = 0, step = 0;
  std::int64_t at(std::int64_t pixel) const {
    if (outer == pitch * period) return pixel * pitch;  // without the time that divisions take
    return pixel / period * outer + pixel % period * pitch;
  }
};

/// How many neighbouring rows of `length` elements make up whole pixels of `columns`; 0: none do.
inline std::int64_t rows_of_pixels(std::int64_t length, std::int64_t columns) {
  if (length % columns == 0) return 1;
  return columns % length == 0 ? columns / length : 0;
}

/// Nothing when two loops over pixels do not suffice, or when neighbouring channels of the output
/// are neither neighbours nor the same element in the operand.
std::optional<PixelWalk> pixel_walk(const StoredTensor& operand, const StoredTensor& out);

}  // namespace intact
