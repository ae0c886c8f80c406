// Depthwise convolution of any window with vpdpbusd: taps in groups of four, whose bytes are
// interleaved per channel.
//
// Per output pixel the taps are a list of pointers (padding: a row of src_zero_point in scratch,
// behind it the constants of all chunks for the run's zero point and scale).
// Where w - zero_point does not fit a byte, it is the sum of two bytes and each group is multiplied
// twice.
#include <immintrin.h>

#include <cstring>

#include "kernels/depthwise/avx512_interleave.hpp"
#include "kernels/depthwise/avx512_output.hpp"
#include "kernels/depthwise/chunks.hpp"
#include "kernels/depthwise/taps.hpp"

namespace intact::kernels {
namespace {

/// Output pixels for which tap pointers are gathered at a time: what the narrowest chunk takes.
constexpr int kPixels = 4;

/// Weights of four taps: [accumulator][element][tap].
struct TapGroup {
  alignas(64) std::int8_t weights[4][16][4];
};

long tap_groups(const ConvShape& shape) {
  return (shape.taps() + 3) / 4;
}

/// Constants, then the weights of each tap group, once or (split weights) twice.
std::size_t chunk_bytes(const ConvShape& shape, bool split_weights) {
  return sizeof(ChunkConstants) + tap_groups(shape) * (split_weights ? 2 : 1) * sizeof(TapGroup);
}

const char* refuses(const ConvShape& shape, const ConvWeights& weights) {
  if (weights.zero_point == nullptr) return nullptr;
  const long taps = shape.taps();
  for (long c = 0; c < shape.in_channels; ++c)
    for (long tap = 0; tap < taps; ++tap)
      if (weight_at(weights, taps, c, tap) > 254) return "a weight minus zero point of 255";
  return nullptr;
}

std::size_t packed_bytes(const ConvShape& shape) {
  return sizeof(PackedHeader) + Chunks{shape.in_channels}.count() * chunk_bytes(shape, true);
}

std::size_t padding_bytes(const ConvShape& shape) {
  return round_up(shape.in_channels, 64) + 64;
}

std::size_t constants_bytes(const ConvShape& shape) {
  return Chunks{shape.in_channels}.count() * sizeof(ChunkConstants);
}

std::size_t scratch_bytes(const ConvShape& shape) {
  return padding_bytes(shape) + constants_bytes(shape) +
         kPixels * 4 * tap_groups(shape) * sizeof(const std::uint8_t*);
}

void pack_chunk(const ConvShape& shape, const ConvWeights& weights, const Chunk& chunk,
                bool split_weights, void* packed) {
  memset(packed, 0, chunk_bytes(shape, split_weights));
  auto* constants = static_cast<ChunkConstants*>(packed);
  auto* groups = reinterpret_cast<TapGroup*>(constants + 1);
  pack_constants(shape, weights, chunk, constants);
  const long taps = shape.taps(), copies = split_weights ? 2 : 1;
  for (int element = 0; element < 64; ++element) {
    const int within = chunk_channel(chunk, element);
    if (within >= chunk.channels) continue;
    for (long tap = 0; tap < taps; ++tap) {
      const int weight = weight_at(weights, taps, chunk.channel + within, tap);
      const int first = weight < -128 ? -128 : weight > 127 ? 127 : weight;
      TapGroup* group = groups + tap / 4 * copies;
      group->weights[element / 16][element % 16][tap % 4] = static_cast<std::int8_t>(first);
      if (split_weights)
        group[1].weights[element / 16][element % 16][tap % 4] =
            static_cast<std::int8_t>(weight - first);
    }
  }
}

void pack(const ConvShape& shape, const ConvWeights& weights, void* packed) {
  auto* header = static_cast<PackedHeader*>(packed);
  *header = {.src_zero_point = weights.src_zero_point};
  header->split_weights = !fits_bytes(shape, weights);
  auto* bytes = reinterpret_cast<std::uint8_t*>(header + 1);
  const Chunks chunks{shape.in_channels};
  for (long i = 0; i < chunks.count(); ++i)
    pack_chunk(shape, weights, chunks[i], header->split_weights,
               bytes + i * chunk_bytes(shape, header->split_weights));
}

/// One vector of output: `taps` are lists of 4 * groups pointers, one list per position.
template <int Positions, bool SplitWeights>
__attribute__((always_inline)) inline void accumulate(const std::uint8_t* const* taps, long groups,
                                                      long channel, const TapGroup* weights,
                                                      __m512i acc[4]) {
  constexpr int kCopies = SplitWeights ? 2 : 1;
  const auto row = [&](long tap) __attribute__((always_inline)) {
    const std::uint8_t* p[Positions];
    for (int i = 0; i < Positions; ++i) p[i] = taps[i * 4 * groups + tap] + channel;
    return load_positions<Positions>(p);
  };
  for (long g = 0; g < groups; ++g) {
    const Interleaved bytes =
        interleave(row(4 * g), row(4 * g + 1), row(4 * g + 2), row(4 * g + 3));
    for (int copy = 0; copy < kCopies; ++copy)
      for (int j = 0; j < 4; ++j)
        acc[j] = _mm512_dpbusd_epi32(acc[j], bytes.v[j],
                                     _mm512_load_si512(weights[g * kCopies + copy].weights[j]));
  }
}

template <bool plain, int Positions, bool SplitWeights>
void run_chunk(const ConvShape& shape, const ConvArgs& args, const RowEpilogue& epilogue,
               const Chunk& chunk, const TapGroup* weights, const ChunkConstants& constants,
               const std::uint8_t* const* taps, long first_pixel, int pixels) {
  const long groups = tap_groups(shape);
  for (int first = 0; first < pixels; first += Positions) {
    OutputRow<Positions> row;
    for (int i = 0; i < Positions; ++i)
      row.set(i, first + i < pixels, args, first_pixel + first + i, chunk);
    __m512i acc[4];
    for (int j = 0; j < 4; ++j) acc[j] = _mm512_load_si512(constants.bias + 16 * j);
    accumulate<Positions, SplitWeights>(taps + first * 4 * groups, groups, chunk.channel, weights,
                                        acc);
    __m512 t[4];
    for (int j = 0; j < 4; ++j) t[j] = scale_accumulators<plain>(acc[j], constants, j, epilogue);
    finish_positions<plain>(t, epilogue, row, 0);
  }
}

using RunChunk = void (*)(const ConvShape&, const ConvArgs&, const RowEpilogue&, const Chunk&,
                          const TapGroup*, const ChunkConstants&, const std::uint8_t* const*, long,
                          int);

template <bool plain>
RunChunk choose(int positions, bool split_weights) {
  if (positions == 1) return split_weights ? run_chunk<plain, 1, true> : run_chunk<plain, 1, false>;
  if (positions == 2) return split_weights ? run_chunk<plain, 2, true> : run_chunk<plain, 2, false>;
  return split_weights ? run_chunk<plain, 4, true> : run_chunk<plain, 4, false>;
}

/// Work is divided over rows of output and chunks of channels.
template <bool plain>
void run_form(const ConvShape& shape, const ConvArgs& args, Part part) {
  const auto* header = static_cast<const PackedHeader*>(args.weights);
  const auto* packed = reinterpret_cast<const std::uint8_t*>(header + 1);
  auto* padding = static_cast<std::uint8_t*>(args.scratch);
  memset(padding, zero_point_of(args, *header), padding_bytes(shape));
  const RowEpilogue epilogue = load_row_epilogue(args.epilogue);
  const Chunks chunks{shape.in_channels};
  const std::size_t bytes = chunk_bytes(shape, header->split_weights);
  const long list = 4 * tap_groups(shape);
  auto* constants = reinterpret_cast<ChunkConstants*>(padding + padding_bytes(shape));
  const auto packed_constants = [&](long c) -> const ChunkConstants& {
    return *reinterpret_cast<const ChunkConstants*>(packed + c * bytes);
  };
  for (long c = 0; c < chunks.count(); ++c)
    constants[c] = constants_of_run(packed_constants(c), args, *header, constants[c]);
  auto** taps = reinterpret_cast<const std::uint8_t**>(constants + chunks.count());
  for (long i = 0; i < kPixels * list; ++i) taps[i] = padding;
  for_rows_and_chunks(out_rows(shape), chunks.count(), part, [&](long row, long first, long last) {
    Window window = row_window(shape, row);
    for (long x = 0; x < shape.out[2]; x += kPixels) {
      const int pixels = shape.out[2] - x < kPixels ? static_cast<int>(shape.out[2] - x) : kPixels;
      for (int i = 0; i < pixels; ++i) {
        window.axis[2] = axis_window(shape, 2, x + i);
        gather_taps(shape, args.src, args.src_pitch, window, padding, taps + i * list);
      }
      for (long c = first; c < last; ++c) {
        const Chunk chunk = chunks[c];
        choose<plain>(chunk.positions(), header->split_weights)(
            shape, args, epilogue, chunk,
            reinterpret_cast<const TapGroup*>(&packed_constants(c) + 1), constants[c], taps,
            row * shape.out[2] + x, pixels);
      }
    }
  });
  epilogue.vectors.range.join_into(args.epilogue.range);
}

void run(const ConvShape& shape, const ConvArgs& args, Part part) {
  is_plain(args.epilogue) ? run_form<true>(shape, args, part) : run_form<false>(shape, args, part);
}

}  // namespace

extern const ConvKernel depthwise_avx512_vnni;
const ConvKernel depthwise_avx512_vnni = {
    "depthwise_avx512vnni", Isa::avx512vnni, refuses, packed_bytes, pack, scratch_bytes, run};

}  // namespace intact::kernels
