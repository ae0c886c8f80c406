// Pooling with AVX-512: the code of vector_pool.hpp on vectors of 64 bytes.
#include <immintrin.h>

#include "kernels/epilogue_avx512.hpp"
#include "kernels/pool/vector_pool.hpp"

namespace intact::kernels {
namespace {

struct Simd {
  using Vector = __m512i;
  static constexpr int width = 64;
  static Vector load(const void* p) { return _mm512_loadu_si512(static_cast<const Vector*>(p)); }
  static Vector zero() { return _mm512_setzero_si512(); }
  static Vector broadcast(std::int32_t v) { return _mm512_set1_epi32(v); }
  static Vector max(Vector a, Vector b, std::uint8_t) { return _mm512_max_epu8(a, b); }
  static Vector max(Vector a, Vector b, std::uint16_t) { return _mm512_max_epu16(a, b); }
  static Vector min(Vector a, Vector b, std::uint8_t) { return _mm512_min_epu8(a, b); }
  static Vector min(Vector a, Vector b, std::uint16_t) { return _mm512_min_epu16(a, b); }
  static Vector add16(Vector a, Vector b) { return _mm512_add_epi16(a, b); }
  static Vector add32(Vector a, Vector b) { return _mm512_add_epi32(a, b); }
  static Vector low_bytes(Vector v) { return _mm512_unpacklo_epi8(v, zero()); }
  static Vector high_bytes(Vector v) { return _mm512_unpackhi_epi8(v, zero()); }
  static Vector low_words(Vector v) { return _mm512_unpacklo_epi16(v, zero()); }
  static Vector high_words(Vector v) { return _mm512_unpackhi_epi16(v, zero()); }
};

}  // namespace

extern const PoolKernel max_pool_avx512_vnni, average_pool_avx512_vnni;
const PoolKernel max_pool_avx512_vnni = {"max_pool_avx512vnni", Isa::avx512vnni, refuses_max,
                                         run_max<Simd>};
const PoolKernel average_pool_avx512_vnni = {"average_pool_avx512vnni", Isa::avx512vnni,
                                             refuses_average, run_average<Simd>};

}  // namespace intact::kernels
