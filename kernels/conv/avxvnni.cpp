// Convolution tiles for AVX-VNNI: vpdpbusd on vectors of 8 sums, exact for all weights.
#include "kernels/conv/avx2_tile.hpp"

namespace intact::kernels {
namespace {

struct VnniProducts : ByteOperands {
  static constexpr int max_quads = 3;
  static constexpr bool splits_pairs = false;
  [[gnu::always_inline]] static __m256i add(__m256i sum, const Row& x, const Weights& w) {
    return _mm256_dpbusd_avx_epi32(sum, x.bytes, w.bytes);
  }
};

}  // namespace

void conv_tile_avxvnni_16(const ConvTile& tile) {
  run_tile<VnniProducts>(tile);
}

}  // namespace intact::kernels
