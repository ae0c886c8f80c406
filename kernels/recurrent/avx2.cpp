// LSTM, GRU and RNN for avx2.
#include "kernels/elementwise/lanes_avx2.hpp"
#include "kernels/quantize/implementations.hpp"
#include "kernels/recurrent/implementations.hpp"
// Over the lanes included above.
#include "kernels/recurrent/vector_kernels.hpp"

namespace intact::kernels::avx2 {
namespace {

/// 32 columns at a time, as 16-bit numbers: each column has two sums, joined at the end.
void multiply_half(const std::uint8_t* state, const std::int8_t* weights, std::int64_t groups,
                   std::int32_t* sums) {
  __m256i halves[8];
  for (__m256i& sum : halves) sum = _mm256_setzero_si256();
  for (std::int64_t group = 0; group < groups; ++group) {
    std::int32_t four;
    __builtin_memcpy(&four, state + 4 * group, sizeof four);
    const __m256i x = _mm256_cvtepu8_epi16(_mm_set1_epi32(four));
    for (int i = 0; i < 8; ++i) {
      const auto* source = reinterpret_cast<const __m128i*>(weights + group * 256 + i * 16);
      halves[i] = _mm256_add_epi32(
          halves[i], _mm256_madd_epi16(x, _mm256_cvtepi8_epi16(_mm_loadu_si128(source))));
    }
  }
  for (int i = 0; i < 8; i += 2)
    _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(sums + 4 * i),
        _mm256_permute4x64_epi64(_mm256_hadd_epi32(halves[i], halves[i + 1]), 0b11011000));
}

void multiply_bytes(const std::uint8_t* state, const std::int8_t* weights, std::int64_t groups,
                    std::int32_t* sums) {
  multiply_half(state, weights, groups, sums);
  multiply_half(state, weights + 128, groups, sums + 32);
}

constexpr BytePrimitives primitives = {range, quantize_rows, multiply_bytes};

}  // namespace

void recur(const RecurrentArgs& args, const FloatSequence& sequence) {
  run_sequence(args, sequence);
}
void lstm_bytes(const ByteLstmArgs& args, const ByteLstmSequence& sequence) {
  run_sequence<primitives>(args, sequence);
}

}  // namespace intact::kernels::avx2
