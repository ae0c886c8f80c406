// Depthwise convolution of any window with AVX2, exact: bytes of tap pairs are widened to 16 bits
// and multiplied with vpmaddwd by 16-bit weights, which hold w - zero_point without loss.
//
// Per output pixel the taps are a list of pointers (padding: a row of src_zero_point in scratch,
// behind it the constants of all chunks for the run's zero point and scale).
#include "kernels/depthwise/avx2_chunk.hpp"
#include "kernels/depthwise/taps.hpp"

namespace intact::kernels {
namespace {

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

void pack_chunk(const ConvShape& shape, const ConvWeights& weights, long chunk, void* packed) {
  memset(packed, 0, chunk_bytes(shape));
  auto* constants = static_cast<ChunkConstants*>(packed);
  auto* tap_pairs = reinterpret_cast<TapPair*>(constants + 1);
  pack_constants(shape, weights, chunk, constants);
  const long taps = shape.taps();
  for_channels(shape, chunk, [&](long channel, int j, int e) {
    for (long tap = 0; tap < taps; ++tap)
      tap_pairs[tap / 2].weights[j][e][tap % 2] = weight_at(weights, taps, channel, tap);
  });
}

void pack(const ConvShape& shape, const ConvWeights& weights, void* packed) {
  auto* header = static_cast<PackedHeader*>(packed);
  *header = {.src_zero_point = weights.src_zero_point};
  auto* bytes = reinterpret_cast<std::uint8_t*>(header + 1);
  for (long i = 0; i < chunks(shape); ++i)
    pack_chunk(shape, weights, i, bytes + i * chunk_bytes(shape));
}

/// acc += bytes of the taps, from `channel` on, times weights.
__attribute__((always_inline)) inline void accumulate(const std::uint8_t* const* taps, long channel,
                                                      const TapPair* weights, long count,
                                                      __m256i acc[4]) {
  for (long i = 0; i < count; ++i) {
    __m256i words[4];
    interleave(taps[2 * i] + channel, taps[2 * i + 1] + channel, words);
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
  for (long chunk = first; chunk < last; ++chunk) {
    __m256i acc[4];
    for (int j = 0; j < 4; ++j) acc[j] = load(constants[chunk].bias + 8 * j);
    const auto* weights =
        reinterpret_cast<const TapPair*>(&packed_constants(shape, args.weights, chunk) + 1);
    accumulate(taps, chunk * kWidth, weights, pairs(shape), acc);
    finish_quad<form, kWidth>(acc, constants[chunk].multiplier, constants[chunk].float_bias,
                              epilogue, target_at<form>(shape, args, pixel, chunk));
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
  with_form(args.epilogue, [&]<EpilogueForm form>() { run_form<form>(shape, args, part); });
}

}  // namespace

extern const ConvKernel depthwise_avx2;
const ConvKernel depthwise_avx2 = {"depthwise_avx2", Isa::avx2, refuses, packed_bytes, pack,
                                   scratch_bytes,    run};

}  // namespace intact::kernels
