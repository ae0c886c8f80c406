// Strides of a broadcast operand, joined to two loops.
#include "engine/pixel_walk.hpp"

namespace intact {

std::optional<PixelWalk> pixel_walk(const StoredTensor& operand, const StoredTensor& out) {
  const Shape& shape = out.shape;
  if (operand.shape.size() > shape.size()) return std::nullopt;
  const auto own = operand.strides();
  const std::size_t missing = shape.size() - own.size();
  const auto stride = [&](std::size_t axis) -> std::int64_t {
    return axis < missing || operand.shape[axis - missing] == 1 ? 0 : own[axis - missing];
  };
  for (std::size_t axis = missing; axis < shape.size(); ++axis)
    if (operand.shape[axis - missing] != 1 && operand.shape[axis - missing] != shape[axis])
      return std::nullopt;
  PixelWalk walk;
  if (shape.empty()) return walk;
  const std::size_t inner = out.layout == Layout::channels_last ? 1 : shape.size() - 1;
  walk.step = shape[inner] == 1 ? 0 : stride(inner);
  if (walk.step > 1) return std::nullopt;
  // From the innermost loop over pixels outwards; a loop that does not continue opens the second.
  std::int64_t outer_extent = 1;
  bool second = false;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (axis == inner || shape[axis] == 1) continue;
    if (walk.period == 1 && !second) {
      walk.pitch = stride(axis);
      walk.period = shape[axis];
    } else if (!second && stride(axis) == walk.pitch * walk.period) {
      walk.period *= shape[axis];
    } else if (!second) {
      second = true;
      walk.outer = stride(axis);
      outer_extent = shape[axis];
    } else if (stride(axis) == walk.outer * outer_extent) {
      outer_extent *= shape[axis];
    } else {
      return std::nullopt;
    }
  }
  return walk;
}

}  // namespace intact
