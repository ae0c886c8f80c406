// Convolution tiles for AVX2. vpmaddubsw adds pairs of products in 16 bits and saturates: packing
// keeps such sums, and those of two neighbouring groups, within 16 bits, and lists what it took
// from the weights for a second product (rests.hpp). Panels for which that does not pay, and
// matrices packed at run time, are words, multiplied with vpmaddwd, which is exact.
#include "kernels/conv/avx2_tile.hpp"

namespace intact::kernels {
namespace {

struct ChainProducts {
  static constexpr int chain = chain_groups, group_bytes = 64;
  static constexpr bool keeps_rests = true;
  template <int groups>
  [[gnu::always_inline]] static void add(__m256i (&sums)[vectors], const std::uint8_t* row,
                                         const std::ptrdiff_t (&at)[groups],
                                         const std::int8_t* weights) {
    __m256i chains[vectors];
#pragma GCC unroll 2
    for (int group = 0; group < groups; ++group) {
      const __m256i x = broadcast_4(row + at[group]);
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        const __m256i pairs = _mm256_maddubs_epi16(x, load(weights + 64 * group + 32 * v));
        chains[v] = group == 0 ? pairs : _mm256_add_epi16(chains[v], pairs);
      }
    }
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v)
      sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(chains[v], _mm256_set1_epi16(1)));
  }
};

/// The weights stay in memory: compilers keep them in the registers of sums otherwise.
[[gnu::always_inline]] inline __m256i multiply_words(__m256i x, const std::int8_t* weights) {
  __m256i pairs;
  asm("vpmaddwd %2, %1, %0"
      : "=x"(pairs)
      : "x"(x), "m"(*reinterpret_cast<const __m256i*>(weights)));
  return pairs;
}

/// Bytes 0 and 2, and 1 and 3, of each group of four as pairs of words.
struct WordProducts {
  static constexpr int chain = 1, group_bytes = word_group_bytes;
  static constexpr bool keeps_rests = false;
  [[gnu::always_inline]] static void add(__m256i (&sums)[vectors], const std::uint8_t* row,
                                         const std::ptrdiff_t (&at)[1],
                                         const std::int8_t* weights) {
    const __m256i x = broadcast_4(row + at[0]);
    const __m256i even = _mm256_and_si256(x, _mm256_set1_epi16(0xff)),
                  odd = _mm256_srli_epi16(x, 8);
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) {
      add_32_bits(sums[v], multiply_words(even, weights + 32 * v));
      add_32_bits(sums[v], multiply_words(odd, weights + 64 + 32 * v));
    }
  }
};

}  // namespace

void conv_tile_avx2_16(const ConvTile& tile) {
  return tile.k_offsets != nullptr ? run_tile<ChainProducts>(tile) : run_tile<WordProducts>(tile);
}

std::int32_t sum_bytes_avx2(const std::uint8_t* from, std::int64_t count) {
  __m128i sums = _mm_setzero_si128();  // two, of 8 bytes each
  for (; count >= 16; count -= 16, from += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    sums = _mm_add_epi64(sums, _mm_sad_epu8(bytes, _mm_setzero_si128()));
  }
  std::int32_t sum = _mm_cvtsi128_si32(sums) + _mm_extract_epi32(sums, 2);
  for (; count > 0; --count) sum += *from++;
  return sum;
}

}  // namespace intact::kernels
