// Exact sums for avx512_vnni: sixteen channels at a time.
#include <immintrin.h>

#include "kernels/reduce/exact_sum_implementations.hpp"

namespace intact::kernels::avx512_vnni {
namespace {

/// Sixteen channels, from `src` on.
void sum_sixteen(const ExactSumArgs& args, const float* src, double* sums) {
  const __m512d offset = _mm512_set1_pd(rounding_offset(args.unit));
  const auto rounded = [&](__m256 x) {
    return _mm512_sub_pd(_mm512_add_pd(_mm512_cvtps_pd(x), offset), offset);
  };
  __m512d low = _mm512_loadu_pd(sums), high = _mm512_loadu_pd(sums + 8);
  for (std::int64_t r = 0; r < args.rows; ++r, src += args.src_pitch) {
    low = _mm512_add_pd(low, rounded(_mm256_loadu_ps(src)));
    high = _mm512_add_pd(high, rounded(_mm256_loadu_ps(src + 8)));
  }
  _mm512_storeu_pd(sums, low);
  _mm512_storeu_pd(sums + 8, high);
}

}  // namespace

void exact_sum(const ExactSumArgs& args) {
  std::int64_t c = 0;
  for (; c + 16 <= args.channels; c += 16) sum_sixteen(args, args.src + c, args.sums + c);
  ExactSumArgs rest = args;
  rest.channels = args.channels - c;
  rest.src = args.src + c;
  rest.sums = args.sums + c;
  reference::exact_sum(rest);
}

}  // namespace intact::kernels::avx512_vnni
