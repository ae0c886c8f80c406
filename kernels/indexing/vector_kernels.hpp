// Gathering and positions of extremes as loops that the compiler turns into vectors of whichever
// instruction set the including file is compiled for.
#pragma once

#include "kernels/indexing/implementations.hpp"

namespace intact::kernels {
namespace {

/// Blocks of a size known here.
template <class Block>
[[gnu::always_inline]] inline void gather_blocks(const char* src, const std::int64_t* index,
                                                 std::int64_t count, char* dst) {
  for (std::int64_t i = 0; i < count; ++i) {
    Block block;
    __builtin_memcpy(&block, src + index[i] * static_cast<std::int64_t>(sizeof(Block)),
                     sizeof(Block));
    __builtin_memcpy(dst + i * static_cast<std::int64_t>(sizeof(Block)), &block, sizeof(Block));
  }
}

struct Sixteen {
  std::uint64_t half[2];
};

/// At least 16 bytes in pieces of 16, the last of which may overlap the one before.
[[gnu::always_inline]] inline void copy_block(char* dst, const char* src, std::int64_t bytes) {
  constexpr std::int64_t huge = 2048;
  if (bytes >= huge) {
    __builtin_memcpy(dst, src, static_cast<std::size_t>(bytes));
    return;
  }
  Sixteen piece;
  for (std::int64_t i = 0; i + 16 <= bytes; i += 16) {
    __builtin_memcpy(&piece, src + i, 16);
    __builtin_memcpy(dst + i, &piece, 16);
  }
  __builtin_memcpy(&piece, src + bytes - 16, 16);
  __builtin_memcpy(dst + bytes - 16, &piece, 16);
}

[[gnu::always_inline]] inline void gather_row(std::int64_t inner, const char* src,
                                              const std::int64_t* index, std::int64_t count,
                                              char* dst) {
  switch (inner) {
    case 1:
      return gather_blocks<std::uint8_t>(src, index, count, dst);
    case 2:
      return gather_blocks<std::uint16_t>(src, index, count, dst);
    case 4:
      return gather_blocks<std::uint32_t>(src, index, count, dst);
    case 8:
      return gather_blocks<std::uint64_t>(src, index, count, dst);
    default:
      break;
  }
  if (inner < 16) {
    for (std::int64_t i = 0; i < count; ++i)
      for (std::int64_t k = 0; k < inner; ++k) dst[i * inner + k] = src[index[i] * inner + k];
    return;
  }
  for (std::int64_t i = 0; i < count; ++i)
    copy_block(dst + i * inner, src + index[i] * inner, inner);
}

void gather_share(const GatherArgs& args, const IndexShare& share) {
  const auto* src = static_cast<const char*>(args.src);
  auto* dst = static_cast<char*>(args.dst);
  for (std::int64_t o = share.begin; o < share.end; ++o)
    gather_row(args.inner, src + o * args.extent * args.inner, args.index + share.first,
               share.last - share.first, dst + (o * args.count + share.first) * args.inner);
}

/// Neighbouring elements: the extreme first, then its place.
std::int64_t position_of_byte(const std::uint8_t* row, std::int64_t extent, bool least, bool last) {
  std::uint8_t best = row[0];
  if (least)
    for (std::int64_t i = 1; i < extent; ++i) best = row[i] < best ? row[i] : best;
  else
    for (std::int64_t i = 1; i < extent; ++i) best = row[i] > best ? row[i] : best;
  if (!last) {
    std::int64_t i = 0;
    while (row[i] != best) ++i;
    return i;
  }
  std::int64_t i = extent - 1;
  while (row[i] != best) --i;
  return i;
}

template <class T, bool least, bool last>
[[gnu::always_inline]] inline bool takes(T candidate, T best) {
  if constexpr (least) return last ? candidate <= best : candidate < best;
  return last ? candidate >= best : candidate > best;
}

template <class T, bool least, bool last>
std::int64_t position(const T* row, std::int64_t extent) {
  std::int64_t best = 0;
  for (std::int64_t i = 1; i < extent; ++i)
    if (takes<T, least, last>(row[i], row[best])) best = i;
  return best;
}

/// Up to `block` columns side by side.
template <class T, bool least, bool last>
void positions(const T* src, std::int64_t extent, std::int64_t inner, std::int64_t count,
               std::int64_t* dst) {
  constexpr std::int64_t block = 256;
  T best[block];
  std::int32_t at[block];
  for (std::int64_t first = 0; first < count; first += block) {
    const std::int64_t width = count - first < block ? count - first : block;
    for (std::int64_t i = 0; i < width; ++i) {
      best[i] = src[first + i];
      at[i] = 0;
    }
    for (std::int64_t k = 1; k < extent; ++k) {
      const T* row = src + k * inner + first;
      for (std::int64_t i = 0; i < width; ++i) {
        const bool better = takes<T, least, last>(row[i], best[i]);
        best[i] = better ? row[i] : best[i];
        at[i] = better ? static_cast<std::int32_t>(k) : at[i];
      }
    }
    for (std::int64_t i = 0; i < width; ++i) dst[first + i] = at[i];
  }
}

template <class T, bool least, bool last>
void arg_extreme_of(const ArgExtremeArgs& args, const IndexShare& share) {
  const T* src = static_cast<const T*>(args.src);
  for (std::int64_t o = share.begin; o < share.end; ++o) {
    const T* image = src + o * args.extent * args.inner;
    std::int64_t* dst = args.dst + o * args.inner;
    if (args.inner != 1)
      positions<T, least, last>(image + share.first, args.extent, args.inner,
                                share.last - share.first, dst + share.first);
    else if constexpr (sizeof(T) == 1)
      *dst = position_of_byte(image, args.extent, least, last);
    else
      *dst = position<T, least, last>(image, args.extent);
  }
}

template <class T>
void arg_extreme_type(const ArgExtremeArgs& args, const IndexShare& share) {
  if (args.least)
    return args.last ? arg_extreme_of<T, true, true>(args, share)
                     : arg_extreme_of<T, true, false>(args, share);
  return args.last ? arg_extreme_of<T, false, true>(args, share)
                   : arg_extreme_of<T, false, false>(args, share);
}

void arg_extreme_share(const ArgExtremeArgs& args, const IndexShare& share) {
  if (args.input == Output::f32) return arg_extreme_type<float>(args, share);
  arg_extreme_type<std::uint8_t>(args, share);
}

}  // namespace
}  // namespace intact::kernels
