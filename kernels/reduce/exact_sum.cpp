// The list of exact sums, and their scalar definition.
#include "kernels/reduce/exact_sum.hpp"

#include "kernels/reduce/exact_sum_implementations.hpp"

namespace intact::kernels {

namespace reference {

void exact_sum(const ExactSumArgs& args) {
  const double offset = rounding_offset(args.unit);
  for (std::int64_t r = 0; r < args.rows; ++r)
    for (std::int64_t c = 0; c < args.channels; ++c) {
      const auto x = static_cast<double>(args.src[r * args.src_pitch + c]);
      args.sums[c] += (x + offset) - offset;
    }
}

}  // namespace reference

std::span<const ExactSumKernel> exact_sum_kernels() {
  static constexpr ExactSumKernel kernels[] = {
      {"exact_sum_avx512vnni", Isa::avx512vnni, avx512_vnni::exact_sum},
      {"exact_sum_avx2", Isa::avx2, avx2::exact_sum},
      {"exact_sum_reference", Isa::scalar, reference::exact_sum},
  };
  return kernels;
}

}  // namespace intact::kernels
