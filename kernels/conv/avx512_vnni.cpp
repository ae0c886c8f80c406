// Convolution tiles for AVX-512 VNNI: 24 accumulators as 6 rows x 64 columns, 12 x 32 or 24 x 16.
// A load broadcasts 4 bytes of a row, vpdpbusd multiplies them with 16 columns of weights. The
// accumulators go to the epilogue through memory, in quads (kernels/epilogue_avx512.hpp).
#include "kernels/conv/avx512_finish.hpp"
#include "kernels/conv/kernels.hpp"
#include "kernels/unroll.hpp"

namespace intact::kernels {
namespace {

constexpr int max_quads = 6;

/// Groups of 4 bytes in a row: so that a row's pointer is loaded less often.
template <int width>
constexpr int k_unroll = Block<width>::rows_per_quad;

[[gnu::always_inline]] inline __m512i broadcast_4(const std::uint8_t* from) {
  int value;
  __builtin_memcpy(&value, from, sizeof value);
  return _mm512_set1_epi32(value);
}

/// `k_count` groups of 4 bytes for every row: the inner step.
template <int width, int quads, int k_count>
[[gnu::always_inline]] inline void multiply(const std::uint8_t* const* rows, std::ptrdiff_t at,
                                            const std::int8_t* weights,
                                            __m512i (&accumulator)[quads][4]) {
  using B = Block<width>;
  __m512i w[k_count * B::vectors];
  unroll<0, k_count * B::vectors>([&]<int i>() __attribute__((always_inline)) {
    w[i] = _mm512_load_si512(weights + i * 64);
  });
  unroll<0, quads * B::rows_per_quad>([&]<int r>() __attribute__((always_inline)) {
    const std::uint8_t* a = rows[r] + at;
    unroll<0, k_count>([&]<int k>() __attribute__((always_inline)) {
      const __m512i x = broadcast_4(a + 4 * k);
      unroll<0, B::vectors>([&]<int v>() __attribute__((always_inline)) {
        __m512i& sum = accumulator[r / B::rows_per_quad][r % B::rows_per_quad * B::vectors + v];
        sum = _mm512_dpbusd_epi32(sum, x, w[k * B::vectors + v]);
      });
    });
  });
}

/// Where a block's products fetch ahead, and how far each group of them advances: less than a line
/// where little is left, 0 where nothing is.
struct AheadStep {
  const char* at;
  std::ptrdiff_t step;
  [[gnu::always_inline]] void fetch() {
    _mm_prefetch(at, _MM_HINT_T1);
    at += step;
  }
};

template <int width>
[[gnu::always_inline]] inline AheadStep take_ahead(const ConvTile& tile) {
  const std::int64_t groups = tile.taps * (tile.k_groups / k_unroll<width>);
  if (tile.ahead == nullptr || tile.ahead->next >= tile.ahead->end || groups == 0)
    return {reinterpret_cast<const char*>(tile.weights), 0};
  const std::ptrdiff_t left = tile.ahead->end - tile.ahead->next;
  const AheadStep step{reinterpret_cast<const char*>(tile.ahead->next),
                       left >= groups * 64 ? 64 : (left + groups - 1) / groups};
  tile.ahead->next += groups * step.step;
  return step;
}

/// The sums of `quads` quads from `row` on.
template <int width, int quads>
[[gnu::noinline]] void multiply_block(const ConvTile& tile, std::int64_t row, AheadStep ahead,
                                      __m512i (*sums)[4]) {
  using B = Block<width>;
  __m512i accumulator[quads][4];
  unroll<0, quads * 4>([&]<int i>() __attribute__((always_inline)) {
    accumulator[i / 4][i % 4] = _mm512_load_si512(tile.bias + i % B::vectors * 16);
  });
  if (tile.zero_point != nullptr)
    unroll<0, quads * 4>([&]<int i>() __attribute__((always_inline)) {
      accumulator[i / 4][i % 4] = _mm512_sub_epi32(
          accumulator[i / 4][i % 4],
          _mm512_mullo_epi32(_mm512_load_si512(tile.zero_point + i % B::vectors * 16),
                             _mm512_set1_epi32(tile.row_sums[row + i / B::vectors])));
    });
  const std::int8_t* weights = tile.weights;
  const std::uint8_t* const* rows = tile.rows + row;
  for (std::int64_t tap = 0; tap < tile.taps; ++tap, rows += tile.row_stride) {
    std::ptrdiff_t at = tile.src_offset;
    std::int64_t left = tile.k_groups;
    for (; left >= k_unroll<width>; left -= k_unroll<width>) {
      ahead.fetch();
      multiply<width, quads, k_unroll<width>>(rows, at, weights, accumulator);
      at += 4 * k_unroll<width>;
      weights += width * 4 * k_unroll<width>;
    }
    unroll<1, k_unroll<width>>([&]<int rest>() __attribute__((always_inline)) {
      if (left == rest) {
        multiply<width, quads, rest>(rows, at, weights, accumulator);
        weights += width * 4 * rest;
      }
    });
  }
  unroll<0, quads * 4>([&]<int i>() __attribute__((always_inline)) {
    sums[i / 4][i % 4] = accumulator[i / 4][i % 4];
  });
}

/// All rows, in blocks of nearly equal height: 49 rows are nine blocks of five or six, not eight of
/// six and a lonely one.
template <int width>
void run_tile(const ConvTile& tile) {
  using MultiplyBlock = void (*)(const ConvTile&, std::int64_t, AheadStep, __m512i(*)[4]);
  static constexpr MultiplyBlock multiply[max_quads] = {
      multiply_block<width, 1>, multiply_block<width, 2>, multiply_block<width, 3>,
      multiply_block<width, 4>, multiply_block<width, 5>, multiply_block<width, 6>};
  constexpr int rows_per_quad = Block<width>::rows_per_quad;
  const EpilogueVectors e = load_epilogue(*tile.epilogue);
  const Finisher<width> finish(tile, e);
  const std::int64_t quads = (tile.row_count + rows_per_quad - 1) / rows_per_quad;
  const std::int64_t blocks = (quads + max_quads - 1) / max_quads;
  const std::int64_t each = blocks > 0 ? quads / blocks : 0, larger = quads - each * blocks;
  alignas(64) __m512i sums[max_quads][4];
  std::int64_t quad = 0;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const int count = static_cast<int>(each + (block < larger ? 1 : 0));
    multiply[count - 1](tile, quad * rows_per_quad, take_ahead<width>(tile), sums);
    finish(sums, count, quad * rows_per_quad);
    quad += count;
  }
  e.range.join_into(tile.epilogue->range);
}

}  // namespace

void conv_tile_avx512_vnni_64(const ConvTile& tile) {
  run_tile<64>(tile);
}
void conv_tile_avx512_vnni_32(const ConvTile& tile) {
  run_tile<32>(tile);
}
void conv_tile_avx512_vnni_16(const ConvTile& tile) {
  run_tile<16>(tile);
}

std::int32_t sum_bytes_avx512_vnni(const std::uint8_t* from, std::int64_t count) {
  const __m512i ones = broadcast_byte(1);
  __m512i sum = _mm512_setzero_si512();
  for (; count >= 64; count -= 64, from += 64)
    sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(from), ones);
  if (count > 0) {
    const __mmask64 mask = first_bytes(static_cast<int>(count));
    sum = _mm512_dpbusd_epi32(sum, _mm512_maskz_loadu_epi8(mask, from), ones);
  }
  return _mm512_reduce_add_epi32(sum);
}

}  // namespace intact::kernels
