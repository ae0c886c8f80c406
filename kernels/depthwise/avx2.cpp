// Depthwise convolution of any window with AVX2, exact: bytes of tap pairs are widened to 16 bits
// and multiplied with vpmaddwd by 16-bit weights, which hold w - zero_point without loss.
//
// Per output pixel the taps are a list of pointers (padding: a row of src_zero_point in scratch,
// behind it the constants of all chunks for the run's zero point and scale);
// 32 channels at a time. Accumulator j holds in its half l, element i channel 16 * l + 4 * j + i:
// the order in which the interleaves leave and from which the packs restore the natural one.
#include <immintrin.h>

#include <cstring>

#include "kernels/depthwise/packed.hpp"
#include "kernels/depthwise/taps.hpp"
#include "kernels/epilogue_avx2.hpp"
#include "kernels/epilogue_reference.hpp"

namespace intact::kernels {
namespace {

constexpr int kWidth = 32;  ///< channels to a chunk

struct ChunkConstants {
  alignas(64) std::int32_t bias[kWidth];
  std::int32_t sum[kWidth];  ///< weight_sum
  float multiplier[kWidth];
  float float_bias[kWidth];
};

/// Weights of two taps: [accumulator][element][tap].
struct TapPair {
  alignas(64) std::int16_t weights[4][8][2];
};

long chunks(const ConvShape& shape) {
  return (shape.in_channels + kWidth - 1) / kWidth;
}
long pairs(const ConvShape& shape) {
  return (shape.taps() + 1) / 2;
}

std::size_t chunk_bytes(const ConvShape& shape) {
  return sizeof(ChunkConstants) + pairs(shape) * sizeof(TapPair);
}

const char* refuses(const ConvShape&, const ConvWeights&) {
  return nullptr;
}

std::size_t packed_bytes(const ConvShape& shape) {
  return sizeof(PackedHeader) + chunks(shape) * chunk_bytes(shape);
}

std::size_t padding_bytes(const ConvShape& shape) {
  return round_up(shape.in_channels, 64);
}

std::size_t scratch_bytes(const ConvShape& shape) {
  return padding_bytes(shape) + chunks(shape) * sizeof(ChunkConstants) +
         2 * pairs(shape) * sizeof(const std::uint8_t*);
}

void pack_chunk(const ConvShape& shape, const ConvWeights& weights, long first, void* packed) {
  memset(packed, 0, chunk_bytes(shape));
  auto* constants = static_cast<ChunkConstants*>(packed);
  auto* tap_pairs = reinterpret_cast<TapPair*>(constants + 1);
  const long taps = shape.taps();
  for (int j = 0; j < 4; ++j)
    for (int e = 0; e < 8; ++e) {
      const long c = first + 16 * (e / 4) + 4 * j + e % 4;
      if (c >= shape.in_channels) continue;
      constants->bias[8 * j + e] = corrected_bias(weights, taps, c);
      constants->sum[8 * j + e] = weight_sum(weights, taps, c);
      constants->multiplier[8 * j + e] = weights.multiplier[c];
      constants->float_bias[8 * j + e] = weights.float_bias ? weights.float_bias[c] : no_float_bias;
      for (long tap = 0; tap < taps; ++tap)
        tap_pairs[tap / 2].weights[j][e][tap % 2] = weight_at(weights, taps, c, tap);
    }
}

void pack(const ConvShape& shape, const ConvWeights& weights, void* packed) {
  auto* header = static_cast<PackedHeader*>(packed);
  *header = {.src_zero_point = weights.src_zero_point};
  auto* bytes = reinterpret_cast<std::uint8_t*>(header + 1);
  for (long i = 0; i < chunks(shape); ++i)
    pack_chunk(shape, weights, i * kWidth, bytes + i * chunk_bytes(shape));
}

__m256i load(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

/// acc += bytes of the taps, from `channel` on, times weights.
__attribute__((always_inline)) inline void accumulate(const std::uint8_t* const* taps, long channel,
                                                      const TapPair* weights, long count,
                                                      __m256i acc[4]) {
  const __m256i zero = _mm256_setzero_si256();
  for (long i = 0; i < count; ++i) {
    const __m256i a = load(taps[2 * i] + channel), b = load(taps[2 * i + 1] + channel);
    const __m256i low = _mm256_unpacklo_epi8(a, b), high = _mm256_unpackhi_epi8(a, b);
    const __m256i words[4] = {_mm256_unpacklo_epi8(low, zero), _mm256_unpackhi_epi8(low, zero),
                              _mm256_unpacklo_epi8(high, zero), _mm256_unpackhi_epi8(high, zero)};
    for (int j = 0; j < 4; ++j)
      acc[j] = _mm256_add_epi32(acc[j], _mm256_madd_epi16(words[j], load(weights[i].weights[j])));
  }
}

const ChunkConstants& packed_constants(const ConvShape& shape, const void* packed, long chunk) {
  return *reinterpret_cast<const ChunkConstants*>(
      static_cast<const std::uint8_t*>(packed) + sizeof(PackedHeader) + chunk * chunk_bytes(shape));
}

/// All channels of the chunks [first, last) of one output pixel.
template <EpilogueForm form>
void run_pixel(const ConvShape& shape, const ConvArgs& args, const EpilogueVectors& epilogue,
               const ChunkConstants* constants, const std::uint8_t* const* taps, long pixel,
               long first, long last) {
  const Residual* residual = args.epilogue.residual;
  for (long chunk = first; chunk < last; ++chunk) {
    const long channel = chunk * kWidth, left = shape.in_channels - channel;
    __m256i acc[4];
    for (int j = 0; j < 4; ++j) acc[j] = load(constants[chunk].bias + 8 * j);
    const auto* weights =
        reinterpret_cast<const TapPair*>(&packed_constants(shape, args.weights, chunk) + 1);
    accumulate(taps, channel, weights, pairs(shape), acc);
    EpilogueTarget target;
    target.dst = static_cast<std::uint8_t*>(args.dst) +
                 (pixel * args.dst_pitch + channel) * output_bytes(form);
    if (residual) target.residual = residual->data + pixel * residual->pitch + channel;
    target.columns = left < kWidth ? static_cast<int>(left) : kWidth;
    finish_quad<form, kWidth>(acc, constants[chunk].multiplier, constants[chunk].float_bias,
                              epilogue, target);
  }
}

template <EpilogueForm form>
void run_form(const ConvShape& shape, const ConvArgs& args, Part part) {
  const auto* header = static_cast<const PackedHeader*>(args.weights);
  auto* padding = static_cast<std::uint8_t*>(args.scratch);
  memset(padding, zero_point_of(args, *header), padding_bytes(shape));
  auto* constants = reinterpret_cast<ChunkConstants*>(padding + padding_bytes(shape));
  for (long i = 0; i < chunks(shape); ++i)
    constants[i] =
        constants_of_run(packed_constants(shape, args.weights, i), args, *header, constants[i]);
  auto** taps = reinterpret_cast<const std::uint8_t**>(constants + chunks(shape));
  taps[2 * pairs(shape) - 1] = padding;
  const EpilogueVectors epilogue = load_epilogue(args.epilogue);
  for_rows_and_chunks(out_rows(shape), chunks(shape), part, [&](long row, long first, long last) {
    Window window = row_window(shape, row);
    for (long x = 0; x < shape.out[2]; ++x) {
      window.axis[2] = axis_window(shape, 2, x);
      gather_taps(shape, args.src, args.src_pitch, window, padding, taps);
      run_pixel<form>(shape, args, epilogue, constants, taps, row * shape.out[2] + x, first, last);
    }
  });
  epilogue.range.join_into(args.epilogue.range);
}

void run(const ConvShape& shape, const ConvArgs& args, Part part) {
  switch (form_of(args.epilogue)) {
    case EpilogueForm::bytes:
      return run_form<EpilogueForm::bytes>(shape, args, part);
    case EpilogueForm::table:
      return run_form<EpilogueForm::table>(shape, args, part);
    case EpilogueForm::rounded_residual:
      return run_form<EpilogueForm::rounded_residual>(shape, args, part);
    case EpilogueForm::unrounded_residual:
      return run_form<EpilogueForm::unrounded_residual>(shape, args, part);
    case EpilogueForm::floats:
      return run_form<EpilogueForm::floats>(shape, args, part);
    case EpilogueForm::range:
      return run_form<EpilogueForm::range>(shape, args, part);
    case EpilogueForm::quotient:
      return run_form<EpilogueForm::quotient>(shape, args, part);
  }
}

}  // namespace

extern const ConvKernel depthwise_avx2;
const ConvKernel depthwise_avx2 = {"depthwise_avx2", Isa::avx2, refuses, packed_bytes, pack,
                                   scratch_bytes,    run};

}  // namespace intact::kernels
