// The list of float reductions, and the share of each thread: of the images, or of their channels
// where there are fewer images than threads.
#include "kernels/reduce/reduce.hpp"

#include "kernels/reduce/implementations.hpp"

namespace intact::kernels {
namespace {

template <void (*compute)(const ReduceArgs&, const ReduceShare&)>
void run_share(const ReduceArgs& args, Part part) {
  constexpr long cache_line = 16;
  const bool by_images = args.batch >= part.count;
  const Range range = by_images ? split(args.batch, part) : split(args.channels, part, cache_line);
  if (range.begin == range.end) return;
  compute(args, by_images ? ReduceShare{range.begin, range.end, 0, args.channels}
                          : ReduceShare{0, args.batch, range.begin, range.end});
}

constexpr ReduceKernel list[] = {
    {"reduce_avx512vnni", Isa::avx512vnni, run_share<avx512_vnni::reduce>},
    {"reduce_avx2", Isa::avx2, run_share<avx2::reduce>},
    {"reduce_reference", Isa::scalar, run_share<reference::reduce>},
};

}  // namespace

std::span<const ReduceKernel> reduce_kernels() {
  return list;
}

}  // namespace intact::kernels
