// Exact sums for avx2: eight channels at a time.
#include <immintrin.h>

#include "kernels/reduce/exact_sum_implementations.hpp"

namespace intact::kernels::avx2 {
namespace {

/// Eight channels, from `src` on.
void sum_eight(const ExactSumArgs& args, const float* src, double* sums) {
  const __m256d offset = _mm256_set1_pd(rounding_offset(args.unit));
  const auto rounded = [&](__m128 x) {
    return _mm256_sub_pd(_mm256_add_pd(_mm256_cvtps_pd(x), offset), offset);
  };
  __m256d low = _mm256_loadu_pd(sums), high = _mm256_loadu_pd(sums + 4);
  for (std::int64_t r = 0; r < args.rows; ++r, src += args.src_pitch) {
    low = _mm256_add_pd(low, rounded(_mm_loadu_ps(src)));
    high = _mm256_add_pd(high, rounded(_mm_loadu_ps(src + 4)));
  }
  _mm256_storeu_pd(sums, low);
  _mm256_storeu_pd(sums + 4, high);
}

}  // namespace

void exact_sum(const ExactSumArgs& args) {
  std::int64_t c = 0;
  for (; c + 8 <= args.channels; c += 8) sum_eight(args, args.src + c, args.sums + c);
  ExactSumArgs rest = args;
  rest.channels = args.channels - c;
  rest.src = args.src + c;
  rest.sums = args.sums + c;
  reference::exact_sum(rest);
}

}  // namespace intact::kernels::avx2
