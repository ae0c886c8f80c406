// vpmaddubsw, vpmaddwd and an addition for 32 products.
#include <immintrin.h>

#include "kernels/peak/peak.hpp"

namespace intact::kernels {

double multiply_avx2(long repeats) {
  __m256i sum[8];
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) sum[j] = _mm256_setzero_si256();
  __m256i x = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1);
  for (long i = 0; i < repeats; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      const __m256i pairs = _mm256_maddubs_epi16(x, x);
      sum[j] = _mm256_add_epi32(sum[j], _mm256_madd_epi16(pairs, ones));
      __asm__ volatile("" : "+x"(sum[j]), "+x"(x));
    }
  return static_cast<double>(repeats) * 8 * 32;
}

}  // namespace intact::kernels
