// The scalar definitions: element by element.
#include <cstring>

#include "kernels/indexing/implementations.hpp"

namespace intact::kernels::reference {
namespace {

template <class T>
std::int64_t extreme_position(const T* src, std::int64_t extent, std::int64_t stride, bool least,
                              bool last) {
  std::int64_t best = 0;
  for (std::int64_t i = 1; i < extent; ++i) {
    const T candidate = src[i * stride], found = src[best * stride];
    if ((least ? candidate < found : candidate > found) || (last && candidate == found)) best = i;
  }
  return best;
}

}  // namespace

void gather(const GatherArgs& args, const IndexShare& share) {
  const auto* src = static_cast<const char*>(args.src);
  auto* dst = static_cast<char*>(args.dst);
  for (std::int64_t o = share.begin; o < share.end; ++o)
    for (std::int64_t i = share.first; i < share.last; ++i)
      std::memcpy(dst + (o * args.count + i) * args.inner,
                  src + (o * args.extent + args.index[i]) * args.inner,
                  static_cast<std::size_t>(args.inner));
}

void arg_extreme(const ArgExtremeArgs& args, const IndexShare& share) {
  for (std::int64_t o = share.begin; o < share.end; ++o)
    for (std::int64_t i = share.first; i < share.last; ++i) {
      const std::int64_t at = o * args.extent * args.inner + i;
      args.dst[o * args.inner + i] =
          args.input == Output::f32
              ? extreme_position(static_cast<const float*>(args.src) + at, args.extent, args.inner,
                                 args.least, args.last)
              : extreme_position(static_cast<const std::uint8_t*>(args.src) + at, args.extent,
                                 args.inner, args.least, args.last);
    }
}

void top_bytes(const TopBytesArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const std::uint8_t* src = args.src + row * args.length;
    // Bytes in the order in which they come out: the complement where the greatest come first.
    const int flip = args.least ? 0 : 255;
    std::int64_t next[256] = {};  // where the next element of each byte goes
    for (std::int64_t i = 0; i < args.length; ++i) ++next[src[i] ^ flip];
    std::int64_t before = 0;
    for (std::int64_t& count : next) {
      const std::int64_t own = count;
      count = before;
      before += own;
    }
    for (std::int64_t i = 0; i < args.length; ++i) {
      const std::int64_t at = next[src[i] ^ flip]++;
      if (at >= args.count) continue;
      if (args.values) args.values[row * args.count + at] = src[i];
      if (args.positions) args.positions[row * args.count + at] = i;
    }
  }
}

}  // namespace intact::kernels::reference
