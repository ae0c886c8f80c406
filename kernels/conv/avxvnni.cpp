// Convolution tiles for AVX-VNNI: vpdpbusd on vectors of 8 sums, exact for all weights.
#include "kernels/conv/avx2_tile.hpp"

namespace intact::kernels {
namespace {

struct VnniProducts {
  static constexpr int chain = 1, group_bytes = 64;
  static constexpr bool keeps_rests = false;
  [[gnu::always_inline]] static void add(__m256i (&sums)[vectors], const std::uint8_t* row,
                                         const std::ptrdiff_t (&at)[1],
                                         const std::int8_t* weights) {
    const __m256i x = broadcast_4(row + at[0]);
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v)
      sums[v] = _mm256_dpbusd_avx_epi32(sums[v], x, load(weights + 32 * v));
  }
};

}  // namespace

void conv_tile_avxvnni_16(const ConvTile& tile) {
  run_tile<VnniProducts>(tile);
}

}  // namespace intact::kernels
