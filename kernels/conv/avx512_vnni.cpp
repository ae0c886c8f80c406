// Convolution tiles for AVX-512 VNNI: 24 accumulators as 6 rows x 64 columns, 12 x 32 or 24 x 16.
// A load broadcasts 4 bytes of a row, vpdpbusd multiplies them with 16 columns of weights. The
// accumulators go through the epilogue in registers, in quads (kernels/epilogue_avx512.hpp).
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

template <EpilogueForm form, int width, int quads>
[[gnu::always_inline]] inline void finish(const __m512i (&accumulator)[quads][4],
                                          const ConvTile& tile, const EpilogueVectors& e,
                                          std::int64_t row) {
  if constexpr (form == EpilogueForm::floats || form == EpilogueForm::unrounded_residual) {
    alignas(64) __m512i spilled[quads][4];
    unroll<0, quads * 4>([&]<int i>() __attribute__((always_inline)) {
      spilled[i / 4][i % 4] = accumulator[i / 4][i % 4];
    });
    finish_spilled<form, width>(spilled, quads, tile, e, row);
  } else {
    const Destination to = destination<form>(tile, row);
    const auto channels = load_channels<width>(tile.multiplier, tile.float_bias);
    const EpilogueVectors constants = e;
    unroll<0, quads>([&]<int q>() __attribute__((always_inline)) {
      finish_one<form, width>(accumulator[q], q, channels, constants, to);
    });
    if constexpr (form == EpilogueForm::range) e.range = constants.range;
  }
}

/// `quads` quads from `row` on, products and epilogue.
template <int width, int quads>
[[gnu::noinline]] void run_block(const ConvTile& tile, EpilogueForm form, const EpilogueVectors& e,
                                 std::int64_t row) {
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
      multiply<width, quads, k_unroll<width>>(rows, at, weights, accumulator);
      at += 4 * k_unroll<width>;
      weights += width * 4 * k_unroll<width>;
    }
    for (; k_unroll < width >> 1 && left > 0; --left) {
      multiply<width, quads, 1>(rows, at, weights, accumulator);
      at += 4;
      weights += width * 4;
    }
  }
  switch (form) {
    case EpilogueForm::bytes:
      return finish<EpilogueForm::bytes, width, quads>(accumulator, tile, e, row);
    case EpilogueForm::table:
      return finish<EpilogueForm::table, width, quads>(accumulator, tile, e, row);
    case EpilogueForm::rounded_residual:
      return finish<EpilogueForm::rounded_residual, width, quads>(accumulator, tile, e, row);
    case EpilogueForm::unrounded_residual:
      return finish<EpilogueForm::unrounded_residual, width, quads>(accumulator, tile, e, row);
    case EpilogueForm::floats:
      return finish<EpilogueForm::floats, width, quads>(accumulator, tile, e, row);
    case EpilogueForm::range:
      return finish<EpilogueForm::range, width, quads>(accumulator, tile, e, row);
    case EpilogueForm::quotient:
      return finish<EpilogueForm::quotient, width, quads>(accumulator, tile, e, row);
  }
}

/// All rows, in blocks of nearly equal height: 49 rows are nine blocks of five or six, not eight of
/// six and a lonely one.
template <int width>
void run_tile(const ConvTile& tile) {
  using Run = void (*)(const ConvTile&, EpilogueForm, const EpilogueVectors&, std::int64_t);
  static constexpr Run run[max_quads] = {run_block<width, 1>, run_block<width, 2>,
                                         run_block<width, 3>, run_block<width, 4>,
                                         run_block<width, 5>, run_block<width, 6>};
  constexpr int rows_per_quad = Block<width>::rows_per_quad;
  const EpilogueVectors e = load_epilogue(*tile.epilogue);
  const EpilogueForm form = form_of(*tile.epilogue);
  const std::int64_t quads = (tile.row_count + rows_per_quad - 1) / rows_per_quad;
  const std::int64_t blocks = (quads + max_quads - 1) / max_quads;
  const std::int64_t each = blocks > 0 ? quads / blocks : 0, larger = quads - each * blocks;
  std::int64_t quad = 0;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t count = each + (block < larger ? 1 : 0);
    run[count - 1](tile, form, e, quad * rows_per_quad);
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
