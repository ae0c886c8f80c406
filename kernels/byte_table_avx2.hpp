// Tables of 256 bytes with AVX2, which has no permutation across more than 16 of them: each row of
// 16 is looked up by the low bits of the index, and the high bits choose among the rows, two by
// two. Included only by files compiled for AVX2: intrinsics and internal linkage only.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace intact::kernels {
namespace {

/// The entry of 2^bits rows from `row` on. `low`: index modulo 16.
template <int bits>
[[gnu::always_inline]] inline __m256i entry_of_rows(__m256i index, __m256i low,
                                                    const std::uint8_t* row) {
  if constexpr (bits == 0) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(entries), low);
  } else {
    const __m256i first = entry_of_rows<bits - 1>(index, low, row);
    const __m256i second = entry_of_rows<bits - 1>(index, low, row + (8 << bits));
    const __m256i sign = _mm256_slli_epi16(index, 4 - bits);  // bit 3 + bits of each byte
    return _mm256_blendv_epi8(first, second, sign);
  }
}

[[gnu::always_inline]] inline __m256i look_up(__m256i index, const std::uint8_t* table) {
  return entry_of_rows<4>(index, _mm256_and_si256(index, _mm256_set1_epi8(15)), table);
}

}  // namespace
}  // namespace intact::kernels
