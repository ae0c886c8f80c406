// Element-wise kernels for AVX-512 (with VBMI): the common text over 16 floats.

#include "kernels/elementwise/implementations.hpp"
#include "kernels/elementwise/lanes_avx512.hpp"
// Over the lanes included above.
#include "kernels/elementwise/vector_kernels.hpp"

namespace intact::kernels::avx512_vnni {
namespace {

/// The table of floats as four tables of bytes, lowest byte first.
struct FloatTable {
  ByteTable plane[4];
};

[[gnu::always_inline]] inline void load(FloatTable& table, const float* src) {
  alignas(64) std::uint8_t plane[4][256];
  for (int i = 0; i < 256; i += 16) {
    const __m512i entries = _mm512_loadu_si512(src + i);
    for (int k = 0; k < 4; ++k) {
      _mm_store_si128(reinterpret_cast<__m128i*>(plane[k] + i),
                      _mm512_cvtepi32_epi8(_mm512_srli_epi32(entries, 8 * k)));
    }
  }
  for (int k = 0; k < 4; ++k) kernels::load(table.plane[k], plane[k]);
}

/// 64 bytes to 64 floats, 16 per result.
[[gnu::always_inline]] inline void lookup(const FloatTable& table, Bytes index, __m512i (&to)[4]) {
  // The interleaving below works within lanes of 128 bits: lane l of result k comes from bytes
  // 4k to 4k + 3 of lane l. This order puts there what the result wants there.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  index.value = _mm512_permutexvar_epi32(order, index.value);
  __m512i byte[4];
  for (int k = 0; k < 4; ++k) byte[k] = kernels::lookup(table.plane[k], index).value;
  const __m512i low_even = _mm512_unpacklo_epi8(byte[0], byte[1]);
  const __m512i high_even = _mm512_unpacklo_epi8(byte[2], byte[3]);
  const __m512i low_odd = _mm512_unpackhi_epi8(byte[0], byte[1]);
  const __m512i high_odd = _mm512_unpackhi_epi8(byte[2], byte[3]);
  to[0] = _mm512_unpacklo_epi16(low_even, high_even);
  to[1] = _mm512_unpackhi_epi16(low_even, high_even);
  to[2] = _mm512_unpacklo_epi16(low_odd, high_odd);
  to[3] = _mm512_unpackhi_epi16(low_odd, high_odd);
}

}  // namespace

void byte_binary(const ByteBinaryArgs& args) {
  byte_binary_all(args);
}
void byte_sum(const ByteSumArgs& args) {
  byte_sum_all(args);
}
void affine(const AffineArgs& args) {
  affine_all(args);
}
void table_to_bytes(const TableArgs& args) {
  table_to_bytes_all(args);
}
void word_table(const WordTableArgs& args) {
  word_table_all(args);
}
void float_binary(const FloatBinaryArgs& args) {
  float_binary_all(args);
}
void float_unary(const FloatUnaryArgs& args) {
  float_unary_all(args);
}

void table_to_floats(const TableArgs& args) {
  FloatTable table;
  load(table, static_cast<const float*>(args.table));
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const std::uint8_t* src = args.src + row * args.src_pitch;
    float* dst = static_cast<float*>(args.dst) + row * args.dst_pitch;
    for (std::int64_t i = 0; i < args.channels; i += 64) {
      const int count = static_cast<int>(args.channels - i < 64 ? args.channels - i : 64);
      Bytes index;
      kernels::load_first(index, src + i, count);
      __m512i to[4];
      lookup(table, index, to);
      for (int k = 0; 16 * k < count; ++k) {
        const int left = count - 16 * k < 16 ? count - 16 * k : 16;
        _mm512_mask_storeu_epi32(dst + i + 16 * k, first_lanes(left), to[k]);
      }
    }
  }
}

}  // namespace intact::kernels::avx512_vnni
