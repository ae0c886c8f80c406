// vpdpbusd on ten independent accumulators of 8 sums.
#include <immintrin.h>

#include "kernels/peak/peak.hpp"

namespace intact::kernels {

double multiply_avxvnni(long repeats) {
  __m256i sum[10];
#pragma GCC unroll 10
  for (int j = 0; j < 10; ++j) sum[j] = _mm256_setzero_si256();
  __m256i x = _mm256_set1_epi32(3);
  for (long i = 0; i < repeats; ++i)
#pragma GCC unroll 10
    for (int j = 0; j < 10; ++j) {
      sum[j] = _mm256_dpbusd_avx_epi32(sum[j], x, x);
      __asm__ volatile("" : "+x"(sum[j]), "+x"(x));
    }
  return static_cast<double>(repeats) * 10 * 32;
}

}  // namespace intact::kernels
