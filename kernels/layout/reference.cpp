// The definition of the strided copy and of splitting words, one element after the other.

#include <cstring>

#include "kernels/layout/implementations.hpp"

namespace intact::kernels::reference {

void copy(const CopyArgs& args, Part part) {
  std::int64_t total = 1;
  for (int k = 0; k < args.rank; ++k) total *= args.extents[k];
  const Range range = split(total, part);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    std::int64_t rest = i;
    std::ptrdiff_t from = 0, to = 0;
    for (int k = args.rank - 1; k >= 0; --k) {
      const std::int64_t index = rest % args.extents[k];
      rest /= args.extents[k];
      from += index * args.src_strides[k];
      to += index * args.dst_strides[k];
    }
    const auto* src = static_cast<const std::uint8_t*>(args.src) + from * args.element_bytes;
    auto* dst = static_cast<std::uint8_t*>(args.dst) + to * args.element_bytes;
    std::memcpy(dst, src, static_cast<std::size_t>(args.element_bytes));
    if (args.element_bytes == 1) *dst ^= args.flip;
  }
}

void split_row(const SplitRow& row) {
  for (std::int64_t i = 0; i < row.count; ++i) {
    row.high[i] = static_cast<std::uint8_t>(row.src[i] >> 8);
    row.low[i] = static_cast<std::uint8_t>(row.src[i] & 255);
  }
}

}  // namespace intact::kernels::reference
