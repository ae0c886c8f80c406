// Convolution tiles for AVX2. vpmaddubsw adds pairs of products in 16 bits and saturates. Packing
// finds the groups of weights that could reach that and halves them, to be multiplied in two steps;
// panels with many of them widen both sides to 16 bits and use vpmaddwd, which is exact.
#include "kernels/conv/avx2_tile.hpp"

namespace intact::kernels {
namespace {

struct PairProducts : ByteOperands {
  static constexpr int max_quads = 3;
  static constexpr bool splits_pairs = true;
  [[gnu::always_inline]] static __m256i add(__m256i sum, const Row& x, const Weights& w) {
    const __m256i pairs = _mm256_maddubs_epi16(x.bytes, w.bytes);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
};

/// Bytes 0 and 2, and 1 and 3, of each group of four as 16-bit pairs.
struct WideProducts {
  static constexpr bool splits_pairs = false;
  static constexpr int max_quads = 2;  // the widened weights need registers
  struct Row {
    explicit Row(__m256i x)
        : even(_mm256_and_si256(x, _mm256_set1_epi16(0xff))), odd(_mm256_srli_epi16(x, 8)) {}
    __m256i even, odd;
  };
  struct Weights {
    explicit Weights(__m256i w)
        : even(_mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8)), odd(_mm256_srai_epi16(w, 8)) {}
    __m256i even, odd;
  };
  [[gnu::always_inline]] static __m256i add(__m256i sum, const Row& x, const Weights& w) {
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x.even, w.even));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x.odd, w.odd));
  }
};

}  // namespace

void conv_tile_avx2_16(const ConvTile& tile) {
  return tile.splits.count >= 0 ? run_tile<PairProducts>(tile) : run_tile<WideProducts>(tile);
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
