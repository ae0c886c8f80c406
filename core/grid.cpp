// Grid limits and validation.
#include "core/grid.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "intact/error.hpp"

namespace intact {

std::optional<std::int64_t> Grid::scales_for(const Shape& shape) const {
  if (per_tensor()) return 1;
  if (static_cast<std::size_t>(*axis) >= shape.size()) return std::nullopt;
  const std::int64_t extent = shape[static_cast<std::size_t>(*axis)];
  if (block == 0) return extent;
  Shape blocks = shape;
  blocks[static_cast<std::size_t>(*axis)] = extent / block + (extent % block != 0 ? 1 : 0);
  return element_count(blocks);
}

std::int32_t lowest(ElementType type) {
  switch (type) {
    case ElementType::s2:
      return -2;
    case ElementType::s4:
      return -8;
    case ElementType::s8:
      return -128;
    case ElementType::s16:
      return -32768;
    case ElementType::s32:
      return std::numeric_limits<std::int32_t>::min();
    default:
      return 0;
  }
}

std::int32_t highest(ElementType type) {
  switch (type) {
    case ElementType::u2:
      return 3;
    case ElementType::s2:
      return 1;
    case ElementType::u4:
      return 15;
    case ElementType::s4:
      return 7;
    case ElementType::u8:
      return 255;
    case ElementType::s8:
      return 127;
    case ElementType::u16:
      return 65535;
    case ElementType::s16:
      return 32767;
    case ElementType::s32:
      return std::numeric_limits<std::int32_t>::max();
    default:
      throw Error(fmt::format("{} is not a type of quantized elements", element_name(type)));
  }
}

void check_grid(const Grid& grid, const std::string& where) {
  if (grid.scale.empty() || grid.scale.size() != grid.zero_point.size())
    throw Error(fmt::format("{}: {} scales but {} zero points; their numbers must be equal", where,
                            grid.scale.size(), grid.zero_point.size()));
  for (std::size_t i = 0; i < grid.scale.size(); ++i) {
    if (!std::isfinite(grid.scale[i]) || grid.scale[i] <= 0)
      throw Error(fmt::format("{}: scale {} is {}; a scale must be finite and positive", where, i,
                              grid.scale[i]));
    if (grid.zero_point[i] < lowest(grid.type) || grid.zero_point[i] > highest(grid.type))
      throw Error(fmt::format("{}: zero point {} is {}, outside of {}", where, i,
                              grid.zero_point[i], element_name(grid.type)));
  }
}

std::string to_string(const Grid& grid) {
  if (grid.block != 0)
    return fmt::format("({}, blocks of {} along axis {})", element_name(grid.type), grid.block,
                       *grid.axis);
  if (!grid.per_tensor())
    return fmt::format("({}, {} scales along axis {})", element_name(grid.type), grid.scale.size(),
                       *grid.axis);
  return fmt::format("({}, {:.4g}, {})", element_name(grid.type), grid.scale[0],
                     grid.zero_point[0]);
}

}  // namespace intact
