// The exact AVX2 form: two vpmaddwd and two additions for 32 products.
#include <immintrin.h>

#include "bench/kernels/peak.hpp"

namespace intact {

double multiply_avx2(long repeats) {
  __m256i sum[8];
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) sum[j] = _mm256_setzero_si256();
  __m256i x = _mm256_set1_epi16(3);
  for (long i = 0; i < repeats; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      sum[j] = _mm256_add_epi32(sum[j], _mm256_madd_epi16(x, x));
      __asm__ volatile("" : "+x"(sum[j]), "+x"(x));
    }
  return static_cast<double>(repeats) * 8 * 16;
}

}  // namespace intact
