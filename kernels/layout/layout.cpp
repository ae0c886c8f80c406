// The list of copy kernels, and what they share: a copy is simplified (extents of 1 dropped,
// adjacent dimensions merged), then seen as rows or as a transpose in its two innermost dimensions,
// around which all others are loops. Parts share the steps of those loops and the longer of the
// two.

#include "kernels/layout/layout.hpp"

#include <algorithm>
#include <cstdlib>

#include "kernels/layout/implementations.hpp"

namespace intact::kernels {
namespace {

struct Dimension {
  std::int64_t extent;
  std::ptrdiff_t src, dst;  ///< strides in bytes
};

/// The dimensions around contiguous pieces of `unit` bytes, outermost first.
struct Loops {
  int rank = 0;
  std::array<Dimension, 9> dimensions = {};
  std::int64_t unit = 1;

  Dimension& back() { return dimensions[rank - 1]; }
  Dimension take(int k) {
    const Dimension taken = dimensions[k];
    std::copy(dimensions.begin() + k + 1, dimensions.begin() + rank, dimensions.begin() + k);
    --rank;
    return taken;
  }
  std::int64_t count() const {
    std::int64_t result = 1;
    for (int k = 0; k < rank; ++k) result *= dimensions[k].extent;
    return result;
  }
};

/// The order of the loops does not matter for the result: the one of the destination's strides
/// brings together what can be merged.
Loops simplified(const CopyArgs& args) {
  Loops all;
  for (int k = 0; k < args.rank; ++k) {
    if (args.extents[k] == 1) continue;
    all.dimensions[all.rank++] = {args.extents[k], args.src_strides[k] * args.element_bytes,
                                  args.dst_strides[k] * args.element_bytes};
  }
  std::stable_sort(
      all.dimensions.begin(), all.dimensions.begin() + all.rank,
      [](const Dimension& a, const Dimension& b) { return std::abs(a.dst) > std::abs(b.dst); });
  Loops merged;
  for (int k = 0; k < all.rank; ++k) {
    const Dimension inner = all.dimensions[k];
    if (merged.rank > 0 && merged.back().src == inner.extent * inner.src &&
        merged.back().dst == inner.extent * inner.dst) {
      merged.back() = {merged.back().extent * inner.extent, inner.src, inner.dst};
    } else {
      merged.dimensions[merged.rank++] = inner;
    }
  }
  merged.unit = args.element_bytes;
  if (merged.rank > 0 && merged.back().src == merged.unit && merged.back().dst == merged.unit) {
    merged.unit *= merged.take(merged.rank - 1).extent;
  }
  return merged;
}

/// Calls `body(src_offset, dst_offset, begin, end)`: for each step of `loops`, the range of the
/// inner loop of `extent` that is this part's.
template <class Body>
void for_each_share(const Loops& loops, std::int64_t extent, long grain, Part part,
                    const Body& body) {
  const std::int64_t total = loops.count() * extent;
  const Range range = split(total, part, total / part.count >= grain ? grain : 1);
  if (range.begin == range.end) return;
  std::array<std::int64_t, 9> index = {};
  std::int64_t rest = range.begin / extent;
  std::ptrdiff_t src = 0, dst = 0;
  for (int k = loops.rank - 1; k >= 0; --k) {
    index[k] = rest % loops.dimensions[k].extent;
    rest /= loops.dimensions[k].extent;
    src += index[k] * loops.dimensions[k].src;
    dst += index[k] * loops.dimensions[k].dst;
  }
  std::int64_t begin = range.begin % extent;
  for (std::int64_t left = range.end - range.begin;;) {
    const std::int64_t end = std::min(extent, begin + left);
    body(src, dst, begin, end);
    left -= end - begin;
    if (left == 0) return;
    begin = 0;
    for (int k = loops.rank - 1; k >= 0; --k) {
      const Dimension& dimension = loops.dimensions[k];
      src += dimension.src;
      dst += dimension.dst;
      if (++index[k] < dimension.extent) break;
      index[k] = 0;
      src -= dimension.extent * dimension.src;
      dst -= dimension.extent * dimension.dst;
    }
  }
}

constexpr long cache_line = 64;

/// Parts share the rows, or the bytes of each where there are fewer rows than parts.
void copy_as_rows(const CopyArgs& args, Loops loops, void (*rows)(const RowCopy&), Part part) {
  const auto* const src = static_cast<const std::uint8_t*>(args.src);
  auto* const dst = static_cast<std::uint8_t*>(args.dst);
  if (loops.rank == 0) loops.dimensions[loops.rank++] = {1, 0, 0};
  Range bytes = {0, loops.unit};
  if (loops.count() < part.count) {
    bytes = split(loops.unit, part, cache_line);
    part = {};
  }
  // Many short rows in one call rather than many calls.
  int longest = loops.rank - 1;
  if (loops.dimensions[longest].extent < 16) {
    for (int k = 0; k < loops.rank; ++k) {
      if (loops.dimensions[k].extent > loops.dimensions[longest].extent) longest = k;
    }
  }
  const Dimension row = loops.take(longest);
  for_each_share(
      loops, row.extent, 1, part,
      [&](std::ptrdiff_t from, std::ptrdiff_t to, std::int64_t begin, std::int64_t end) {
        rows({src + from + begin * row.src + bytes.begin, dst + to + begin * row.dst + bytes.begin,
              row.src, row.dst, end - begin, bytes.end - bytes.begin, args.flip});
      });
}

void copy_as_transpose(const CopyArgs& args, const Loops& loops, const Dimension& row,
                       const Dimension& column, void (*transpose)(const Transpose&), Part part) {
  const auto* const src = static_cast<const std::uint8_t*>(args.src);
  auto* const dst = static_cast<std::uint8_t*>(args.dst);
  const bool by_rows = row.extent > column.extent;
  for_each_share(loops, by_rows ? row.extent : column.extent, cache_line, part,
                 [&](std::ptrdiff_t from, std::ptrdiff_t to, std::int64_t begin, std::int64_t end) {
                   const Dimension& cut = by_rows ? row : column;
                   transpose({src + from + begin * cut.src, dst + to + begin * cut.dst, row.src,
                              column.dst, by_rows ? end - begin : row.extent,
                              by_rows ? column.extent : end - begin, args.flip});
                 });
}

/// The dimension along which `stride` is one element, or -1.
int find_stride(const Loops& loops, std::ptrdiff_t Dimension::*stride) {
  for (int k = 0; k < loops.rank; ++k) {
    if (loops.dimensions[k].*stride == loops.unit) return k;
  }
  return -1;
}

/// The parameters are one instruction set's pieces.
template <void (*rows)(const RowCopy&), void (*transpose_1)(const Transpose&),
          void (*transpose_4)(const Transpose&)>
void copy(const CopyArgs& args, Part part) {
  Loops loops = simplified(args);
  if (loops.unit == 0 || loops.count() == 0) return;
  const int inner_src = find_stride(loops, &Dimension::src);
  const int inner_dst = find_stride(loops, &Dimension::dst);
  if ((loops.unit != 1 && loops.unit != 4) || inner_src < 0 || inner_dst < 0) {
    copy_as_rows(args, loops, rows, part);
    return;
  }
  const Dimension row = loops.dimensions[inner_dst], column = loops.dimensions[inner_src];
  loops.take(std::max(inner_dst, inner_src));
  loops.take(std::min(inner_dst, inner_src));
  copy_as_transpose(args, loops, row, column, loops.unit == 1 ? transpose_1 : transpose_4, part);
}

/// Parts share the rows, or the words of each where there are fewer rows than parts.
template <void (*split_row)(const SplitRow&)>
void split_words(const SplitArgs& args, Part part) {
  SplitArgs all = args;
  if (all.src_pitch == all.channels && all.dst_pitch == all.channels) {
    all.channels *= all.rows;
    all.rows = 1;
  }
  Range rows = {0, all.rows}, words = {0, all.channels};
  if (all.rows < part.count)
    words = split(all.channels, part, cache_line);
  else
    rows = split(all.rows, part);
  for (long r = rows.begin; r < rows.end; ++r)
    split_row({all.src + r * all.src_pitch + words.begin,
               all.high + r * all.dst_pitch + words.begin,
               all.low + r * all.dst_pitch + words.begin, words.end - words.begin});
}

constexpr SplitKernel split_list[] = {
    {"split_avx512vnni", Isa::avx512vnni, split_words<avx512_vnni::split_row>},
    {"split_avx2", Isa::avx2, split_words<avx2::split_row>},
    {"split_reference", Isa::scalar, split_words<reference::split_row>},
};

constexpr CopyKernel copy_list[] = {
    {"copy_avx512vnni", Isa::avx512vnni,
     copy<avx512_vnni::copy_rows, avx512_vnni::transpose_1, avx512_vnni::transpose_4>},
    {"copy_avx2", Isa::avx2, copy<avx2::copy_rows, avx2::transpose_1, avx2::transpose_4>},
    {"copy_reference", Isa::scalar, reference::copy},
};

}  // namespace

std::span<const CopyKernel> copy_kernels() {
  return copy_list;
}
std::span<const SplitKernel> split_kernels() {
  return split_list;
}

}  // namespace intact::kernels
