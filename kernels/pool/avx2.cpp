// Pooling with AVX2: the code of vector_pool.hpp on vectors of 32 bytes.
#include <immintrin.h>

#include "kernels/epilogue_avx2.hpp"
#include "kernels/pool/vector_pool.hpp"

namespace intact::kernels {
namespace {

struct Simd {
  using Vector = __m256i;
  static constexpr int width = 32;
  static Vector load(const void* p) { return _mm256_loadu_si256(static_cast<const Vector*>(p)); }
  static Vector zero() { return _mm256_setzero_si256(); }
  static Vector broadcast(std::int32_t v) { return _mm256_set1_epi32(v); }
  static Vector max(Vector a, Vector b, std::uint8_t) { return _mm256_max_epu8(a, b); }
  static Vector max(Vector a, Vector b, std::uint16_t) { return _mm256_max_epu16(a, b); }
  static Vector min(Vector a, Vector b, std::uint8_t) { return _mm256_min_epu8(a, b); }
  static Vector min(Vector a, Vector b, std::uint16_t) { return _mm256_min_epu16(a, b); }
  static Vector add16(Vector a, Vector b) { return _mm256_add_epi16(a, b); }
  static Vector add32(Vector a, Vector b) { return _mm256_add_epi32(a, b); }
  static Vector low_bytes(Vector v) { return _mm256_unpacklo_epi8(v, zero()); }
  static Vector high_bytes(Vector v) { return _mm256_unpackhi_epi8(v, zero()); }
  static Vector low_words(Vector v) { return _mm256_unpacklo_epi16(v, zero()); }
  static Vector high_words(Vector v) { return _mm256_unpackhi_epi16(v, zero()); }
};

}  // namespace

extern const PoolKernel max_pool_avx2, average_pool_avx2;
const PoolKernel max_pool_avx2 = {"max_pool_avx2", Isa::avx2, refuses_max, run_max<Simd>};
const PoolKernel average_pool_avx2 = {"average_pool_avx2", Isa::avx2, refuses_average,
                                      run_average<Simd>};

}  // namespace intact::kernels
