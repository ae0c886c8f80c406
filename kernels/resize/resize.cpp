// The list of resize kernels, and the share of each thread.
#include "kernels/resize/implementations.hpp"

namespace intact::kernels {
namespace {

template <void (*compute)(const ResizeArgs&, std::int64_t, std::int64_t)>
void run_share(const ResizeArgs& args, Part part) {
  const Range range =
      split(args.rows.value_or(args.batch * args.axis[0].out * args.axis[1].out), part);
  if (range.begin < range.end)
    compute(args, args.first_row + range.begin, args.first_row + range.end);
}

constexpr ResizeKernel list[] = {
    {"resize_avx512vnni", Isa::avx512vnni, run_share<avx512_vnni::resize_rows>},
    {"resize_avx2", Isa::avx2, run_share<avx2::resize_rows>},
    {"resize_reference", Isa::scalar, run_share<reference::resize_rows>},
};

}  // namespace

std::span<const ResizeKernel> resize_kernels() {
  return list;
}

}  // namespace intact::kernels
