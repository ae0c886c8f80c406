// The lists of this family, and the share of each thread: of the outer indices, or of what lies
// within where there are fewer of those than threads.
#include "kernels/indexing/indexing.hpp"

#include "kernels/indexing/implementations.hpp"

namespace intact::kernels {
namespace {

/// False when nothing is left for this part.
bool find_share(std::int64_t outer, std::int64_t within, Part part, IndexShare& share) {
  const bool by_outer = outer >= part.count;
  const Range range = by_outer ? split(outer, part) : split(within, part, within >= 64 ? 64 : 1);
  share = by_outer ? IndexShare{range.begin, range.end, 0, within}
                   : IndexShare{0, outer, range.begin, range.end};
  return range.begin < range.end;
}

template <void (*compute)(const GatherArgs&, const IndexShare&)>
void gather(const GatherArgs& args, Part part) {
  IndexShare share;
  if (find_share(args.outer, args.count, part, share)) compute(args, share);
}
template <void (*compute)(const ArgExtremeArgs&, const IndexShare&)>
void arg_extreme(const ArgExtremeArgs& args, Part part) {
  IndexShare share;
  if (find_share(args.outer, args.inner, part, share)) compute(args, share);
}
void top_bytes(const TopBytesArgs& args, Part part) {
  const Range range = split(args.rows, part);
  reference::top_bytes(args, range.begin, range.end);
}

constexpr GatherKernel gather_list[] = {
    {"gather_avx512vnni", Isa::avx512vnni, gather<avx512_vnni::gather>},
    {"gather_avx2", Isa::avx2, gather<avx2::gather>},
    {"gather_reference", Isa::scalar, gather<reference::gather>},
};
constexpr ArgExtremeKernel arg_extreme_list[] = {
    {"arg_extreme_avx512vnni", Isa::avx512vnni, arg_extreme<avx512_vnni::arg_extreme>},
    {"arg_extreme_avx2", Isa::avx2, arg_extreme<avx2::arg_extreme>},
    {"arg_extreme_reference", Isa::scalar, arg_extreme<reference::arg_extreme>},
};
constexpr TopBytesKernel top_bytes_list[] = {{"top_bytes", Isa::scalar, top_bytes}};

}  // namespace

std::span<const GatherKernel> gather_kernels() {
  return gather_list;
}
std::span<const ArgExtremeKernel> arg_extreme_kernels() {
  return arg_extreme_list;
}
std::span<const TopBytesKernel> top_bytes_kernels() {
  return top_bytes_list;
}

}  // namespace intact::kernels
