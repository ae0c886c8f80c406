// When it pays to compute a product twice instead of storing its floats and loading them again.
#pragma once

#include "engine/program.hpp"

namespace intact {

/// Few products go into each float; or the floats would leave the cache, and not many do.
inline bool twice_is_cheaper(const ConvOperation& conv) {
  constexpr std::int64_t few_products = 48, many_products = 384;
  constexpr std::int64_t cached_bytes = std::int64_t{1} << 20;
  const std::int64_t products = conv.shape.taps() * conv.shape.group_in_channels();
  const std::int64_t floats = conv.shape.out_pixels() * conv.shape.out_channels;
  const bool leaves_cache = floats * std::int64_t{sizeof(float)} > cached_bytes;
  return products <= (leaves_cache ? many_products : few_products);
}

}  // namespace intact
