// vpdpbusd on twelve independent accumulators.
#include <immintrin.h>

#include "kernels/peak/peak.hpp"

namespace intact::kernels {

double multiply_avx512_vnni(long repeats) {
  __m512i sum[12];
#pragma GCC unroll 12
  for (int j = 0; j < 12; ++j) sum[j] = _mm512_setzero_si512();
  __m512i x = _mm512_set1_epi32(3);
  for (long i = 0; i < repeats; ++i)
#pragma GCC unroll 12
    for (int j = 0; j < 12; ++j) {
      sum[j] = _mm512_dpbusd_epi32(sum[j], x, x);
      __asm__ volatile("" : "+v"(sum[j]), "+v"(x));
    }
  return static_cast<double>(repeats) * 12 * 64;
}

}  // namespace intact::kernels
