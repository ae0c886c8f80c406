// LSTM, GRU and RNN for avx512_vnni.
#include "kernels/elementwise/lanes_avx512.hpp"
#include "kernels/quantize/implementations.hpp"
#include "kernels/recurrent/implementations.hpp"
// Over the lanes included above.
#include "kernels/recurrent/vector_kernels.hpp"

namespace intact::kernels::avx512_vnni {
namespace {

/// Two groups at a time: as many sums as hide the latency of a product.
void multiply_bytes(const std::uint8_t* state, const std::int8_t* weights, std::int64_t groups,
                    std::int32_t* sums) {
  __m512i even[4], odd[4];
  for (int i = 0; i < 4; ++i) even[i] = odd[i] = _mm512_setzero_si512();
  const auto add_group = [&](std::int64_t group, __m512i(&into)[4]) {
    std::int32_t four;
    __builtin_memcpy(&four, state + 4 * group, sizeof four);
    const __m512i x = _mm512_set1_epi32(four);
    for (int i = 0; i < 4; ++i)
      into[i] = _mm512_dpbusd_epi32(into[i], x, _mm512_loadu_si512(weights + group * 256 + i * 64));
  };
  std::int64_t group = 0;
  for (; group + 2 <= groups; group += 2) {
    add_group(group, even);
    add_group(group + 1, odd);
  }
  if (group < groups) add_group(group, even);
  for (int i = 0; i < 4; ++i) _mm512_storeu_si512(sums + 16 * i, _mm512_add_epi32(even[i], odd[i]));
}

constexpr BytePrimitives primitives = {range, quantize_rows, multiply_bytes};

}  // namespace

void recur(const RecurrentArgs& args, const FloatSequence& sequence) {
  run_sequence(args, sequence);
}
void lstm_bytes(const ByteLstmArgs& args, const ByteLstmSequence& sequence) {
  run_sequence<primitives>(args, sequence);
}

}  // namespace intact::kernels::avx512_vnni
