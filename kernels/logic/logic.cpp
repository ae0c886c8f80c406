// The lists of comparisons, choices and conversions, and the share of each thread: of the rows, or
// of the elements of each where there are fewer rows than threads.
#include "kernels/logic/logic.hpp"

#include "kernels/logic/implementations.hpp"

namespace intact::kernels {
namespace {

void advance(AnyOperand& operand, std::int64_t rows, std::int64_t channels, std::ptrdiff_t bytes) {
  operand.data = static_cast<const char*>(operand.data) +
                 (rows * operand.pitch + channels * operand.step) * bytes;
}

void advance(CompareArgs& args, std::int64_t rows, std::int64_t channels) {
  advance(args.a, rows, channels, bytes_of_kind(args.type));
  advance(args.b, rows, channels, bytes_of_kind(args.type));
  args.dst = static_cast<char*>(args.dst) + rows * args.dst_pitch + channels;
}
void advance(SelectArgs& args, std::int64_t rows, std::int64_t channels) {
  advance(args.condition, rows, channels, 1);
  advance(args.a, rows, channels, args.element_bytes);
  advance(args.b, rows, channels, args.element_bytes);
  args.dst = static_cast<char*>(args.dst) + (rows * args.dst_pitch + channels) * args.element_bytes;
}

constexpr long cache_line = 64;

template <class Args, void (*compute)(const Args&)>
void run_share(const Args& args, Part part) {
  Args share = args;
  const bool by_rows = args.rows >= part.count;
  const Range range = by_rows ? split(args.rows, part) : split(args.channels, part, cache_line);
  if (range.begin == range.end) return;
  advance(share, by_rows ? range.begin : 0, by_rows ? 0 : range.begin);
  (by_rows ? share.rows : share.channels) = range.end - range.begin;
  if (share.rows > 0 && share.channels > 0) compute(share);
}

template <void (*compute)(const CastArgs&)>
void cast_share(const CastArgs& args, Part part) {
  const Range range = split(args.channels, part, cache_line);
  if (range.begin == range.end) return;
  CastArgs share = args;
  share.channels = range.end - range.begin;
  share.src = static_cast<const char*>(args.src) + range.begin * bytes_of_kind(args.from);
  share.dst = static_cast<char*>(args.dst) + range.begin * bytes_of_kind(args.to);
  compute(share);
}

constexpr CompareKernel compare_list[] = {
    {"compare_avx512vnni", Isa::avx512vnni, run_share<CompareArgs, avx512_vnni::compare>},
    {"compare_avx2", Isa::avx2, run_share<CompareArgs, avx2::compare>},
    {"compare_reference", Isa::scalar, run_share<CompareArgs, reference::compare>},
};
constexpr SelectKernel select_list[] = {
    {"select_avx512vnni", Isa::avx512vnni, run_share<SelectArgs, avx512_vnni::select>},
    {"select_avx2", Isa::avx2, run_share<SelectArgs, avx2::select>},
    {"select_reference", Isa::scalar, run_share<SelectArgs, reference::select>},
};
constexpr CastKernel cast_list[] = {
    {"cast_avx512vnni", Isa::avx512vnni, cast_share<avx512_vnni::cast>},
    {"cast_avx2", Isa::avx2, cast_share<avx2::cast>},
    {"cast_reference", Isa::scalar, cast_share<reference::cast>},
};

}  // namespace

std::span<const CompareKernel> compare_kernels() {
  return compare_list;
}
std::span<const SelectKernel> select_kernels() {
  return select_list;
}
std::span<const CastKernel> cast_kernels() {
  return cast_list;
}

}  // namespace intact::kernels
