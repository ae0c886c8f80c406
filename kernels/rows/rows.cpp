// The list of row kernels, and the share of each thread.
#include "kernels/rows/implementations.hpp"

namespace intact::kernels {
namespace {

template <class Element>
const void* source_row(const RowArgs& args, std::int64_t row) {
  return static_cast<const Element*>(args.src) + row * args.src_pitch;
}
template <class Element>
void* destination_row(const RowArgs& args, std::int64_t row) {
  return static_cast<Element*>(args.dst) + row * args.dst_pitch;
}

template <void (*compute)(const RowArgs&)>
void run_share(const RowArgs& args, Part part) {
  const Range range = split(args.rows, part);
  if (range.begin == range.end) return;
  RowArgs share = args;
  share.rows = range.end - range.begin;
  share.first_row = args.first_row + range.begin;
  if (args.addend_row != nullptr) share.addend_row += range.begin;
  share.src = args.input == Output::u8 ? source_row<std::uint8_t>(args, range.begin)
                                       : source_row<float>(args, range.begin);
  share.dst = args.output == Output::u8 ? destination_row<std::uint8_t>(args, range.begin)
                                        : destination_row<float>(args, range.begin);
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
