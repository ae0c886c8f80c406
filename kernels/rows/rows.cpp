// The list of row kernels, and the share of each thread.
#include "kernels/rows/implementations.hpp"

namespace intact::kernels {
namespace {

template <void (*compute)(const RowArgs&)>
void run_share(const RowArgs& args, Part part) {
  const Range range = split(args.rows, part);
  if (range.begin == range.end) return;
  RowArgs share = args;
  share.rows = range.end - range.begin;
  share.first_row = args.first_row + range.begin;
  if (args.addend_row != nullptr) share.addend_row += range.begin;
  share.src =
      static_cast<const std::byte*>(args.src) + range.begin * args.src_pitch * bytes_of(args.input);
  share.dst =
      static_cast<std::byte*>(args.dst) + range.begin * args.dst_pitch * bytes_of(args.output);
  compute(share);
}

constexpr RowKernel list[] = {
    {"rows_avx512vnni", Isa::avx512vnni, run_share<avx512_vnni::rows>},
    {"rows_avx2", Isa::avx2, run_share<avx2::rows>},
    {"rows_reference", Isa::scalar, run_share<reference::rows>},
};

}  // namespace

std::span<const RowKernel> rows_kernels() {
  return list;
}

}  // namespace intact::kernels
