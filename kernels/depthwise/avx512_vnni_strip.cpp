// Depthwise convolution with windows of 5 to 8 rows and 5 or 7 columns, stride 1 or 2, with
// vpdpbusd.
//
// Per chunk of channels and group of output rows: (1) the bytes of eight image rows are interleaved
// in fours, column by column, into a strip in scratch, which serves as many output rows as have
// their windows in it (weights shifted down by the stride); (2) for one of the four accumulator
// vectors after the other, all weights of the window stay in registers while seven neighbouring
// outputs share each loaded column; (3) the epilogue reads the accumulators back. Blocks of outputs
// keep the strip in the first-level cache.
#include <immintrin.h>

#include <cstring>

#include "kernels/depthwise/avx512_interleave.hpp"
#include "kernels/depthwise/avx512_output.hpp"
#include "kernels/depthwise/chunks.hpp"

namespace intact::kernels {
namespace {

constexpr int kStripRows = 8;
constexpr int kMostShifts = 4;
constexpr int kMostColumns = 7;
constexpr int kTogether = 7;  ///< neighbouring outputs
constexpr int kBlock = 28;    ///< outputs to a strip: a multiple of kTogether

struct PackedChunk {
  /// [output row][accumulator][rows 0..3 and 4..7][column][element][row]
  alignas(64) std::int8_t weights[kMostShifts][4][2][kMostColumns][64];
  ChunkConstants constants;
};

/// One column of the strip: eight interleaved rows.
struct StripColumn {
  Interleaved rows[2];
};

struct Scratch {
  StripColumn strip[(kBlock - 1) * 2 + kMostColumns];
  __m512i accumulators[kBlock][4];
};

/// Output rows to a strip.
int shifts(const ConvShape& shape) {
  return static_cast<int>((kStripRows - shape.kernel[1]) / shape.stride[1]) + 1;
}

const char* refuses(const ConvShape& shape, const ConvWeights& weights) {
  const auto& stride = shape.stride;
  if (shape.kernel[1] < 5 || shape.kernel[1] > 8) return "window not of 5 to 8 rows";
  if (shape.kernel[2] != 5 && shape.kernel[2] != 7) return "window not of 5 or 7 columns";
  if (const char* reason = refuses_plane_windows(shape)) return reason;
  if (stride[1] != stride[2] || stride[1] < 1 || stride[1] > 2) return "stride above 2";
  return fits_bytes(shape, weights) ? nullptr : "weights minus zero point exceed a byte";
}

std::size_t packed_bytes(const ConvShape& shape) {
  return sizeof(PackedHeader) + Chunks{shape.in_channels}.count() * sizeof(PackedChunk);
}

std::size_t scratch_bytes(const ConvShape&) {
  return sizeof(Scratch);
}

void pack_chunk(const ConvShape& shape, const ConvWeights& weights, const Chunk& chunk,
                PackedChunk* packed) {
  pack_constants(shape, weights, chunk, &packed->constants);
  memset(packed->weights, 0, sizeof packed->weights);
  const long columns = shape.kernel[2], taps = shape.taps();
  for (int element = 0; element < 64; ++element) {
    const int within = chunk_channel(chunk, element);
    if (within >= chunk.channels) continue;
    for (int shift = 0; shift < shifts(shape); ++shift)
      for (long tap = 0; tap < taps; ++tap) {
        const long row = tap / columns + shift * shape.stride[1];
        packed->weights[shift][element / 16][row / 4][tap % columns][element % 16 * 4 + row % 4] =
            static_cast<std::int8_t>(weight_at(weights, taps, chunk.channel + within, tap));
      }
  }
}

void pack(const ConvShape& shape, const ConvWeights& weights, void* packed) {
  auto* header = static_cast<PackedHeader*>(packed);
  *header = {.src_zero_point = weights.src_zero_point};
  auto* blocks = reinterpret_cast<PackedChunk*>(header + 1);
  const Chunks chunks{shape.in_channels};
  for (long i = 0; i < chunks.count(); ++i) pack_chunk(shape, weights, chunks[i], blocks + i);
}

/// Accumulator vector j of outputs [0, count) of the block in output row `shift`; `count` is
/// rounded up to kTogether, what lies beyond is computed from whatever the strip holds and never
/// read.
template <int Columns, int Stride>
void multiply(const PackedChunk& packed, const std::int32_t* biases, int shift, int j, int count,
              Scratch* scratch) {
  __m512i weights[2][Columns];
  for (int half = 0; half < 2; ++half)
    for (int column = 0; column < Columns; ++column)
      weights[half][column] = _mm512_load_si512(packed.weights[shift][j][half][column]);
  for (int x = 0; x < count; x += kTogether) {
    const StripColumn* strip = scratch->strip + x * Stride;
    __m512i acc[kTogether];
#pragma GCC unroll 8
    for (__m512i& a : acc) a = load_again(biases + 16 * j);
#pragma GCC unroll 32
    for (int column = 0; column < (kTogether - 1) * Stride + Columns; ++column)
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const __m512i bytes = strip[column].rows[half].v[j];
#pragma GCC unroll 8
        for (int i = 0; i < kTogether; ++i)
          if (column >= i * Stride && column < i * Stride + Columns)
            acc[i] = _mm512_dpbusd_epi32(acc[i], bytes, weights[half][column - i * Stride]);
      }
    for (int i = 0; i < kTogether; ++i) scratch->accumulators[x + i][j] = acc[i];
  }
}

/// Where a task's outputs go and which image rows they need.
template <int Positions>
struct Task {
  ImageRows<4, Positions> image[2];
  OutputRow<Positions> rows[kMostShifts];

  /// Groups of output rows [first_group, first_group + Positions), columns from `column` on.
  void place(const ConvShape& shape, const ConvArgs& args, const Chunk& chunk,
             const std::uint8_t* padding, long first_group, long column) {
    const long height = shape.out[1], group_rows = shifts(shape);
    const long groups = (height + group_rows - 1) / group_rows;
    for (auto& half : image) {
      half.column = column;
      half.columns = shape.in[2];
      half.padding = _mm512_set1_epi8(static_cast<char>(padding[0]));
    }
    for (int i = 0; i < Positions; ++i) {
      const long plane = (first_group + i) / groups, y = (first_group + i) % groups * group_rows;
      for (int half = 0; half < 2; ++half)
        image[half].place(i, shape, args, chunk.channel, padding, plane,
                          y * shape.stride[1] - shape.pad_begin[1] + 4 * half);
      for (int shift = 0; shift < group_rows; ++shift)
        rows[shift].set(i, plane < shape.batch * shape.out[0] && y + shift < height, args,
                        (plane * height + y + shift) * shape.out[2], chunk);
    }
  }
};

/// A chunk of channels of `Positions` groups of output rows.
template <bool plain, int Columns, int Stride, int Positions>
void run_rows(const ConvShape& shape, const ConvArgs& args, const RowEpilogue& epilogue,
              const Chunk& chunk, const PackedChunk& packed, const ChunkConstants& constants,
              const std::uint8_t* padding, long first_group) {
  auto* scratch = static_cast<Scratch*>(args.scratch);
  for (long first = 0; first < shape.out[2]; first += kBlock) {
    const long left = shape.out[2] - first;
    const int count = left < kBlock ? static_cast<int>(left) : kBlock;
    Task<Positions> task;
    task.place(shape, args, chunk, padding, first_group, first * Stride - shape.pad_begin[2]);
    for (int half = 0; half < 2; ++half) {
      auto image = task.image[half];  // pointers in registers
      for (int column = 0; column < (count - 1) * Stride + Columns; ++column)
        scratch->strip[column].rows[half] = image.load();
    }
    for (int shift = 0; shift < shifts(shape); ++shift) {
      if (!task.rows[shift].any()) continue;
      for (int j = 0; j < 4; ++j)
        multiply<Columns, Stride>(packed, constants.bias, shift, j, count, scratch);
      finish_row<plain>(scratch->accumulators, count, constants, epilogue, task.rows[shift], first);
    }
  }
}

template <bool plain, int Columns, int Stride>
void run_window(const ConvShape& shape, const ConvArgs& args, Part part) {
  const auto* header = static_cast<const PackedHeader*>(args.weights);
  const auto* packed = reinterpret_cast<const PackedChunk*>(header + 1);
  alignas(64) std::uint8_t padding[64];
  memset(padding, zero_point_of(args, *header), sizeof padding);
  const RowEpilogue epilogue = load_row_epilogue(args.epilogue);
  const long group_rows = shifts(shape);
  const long groups = shape.batch * shape.out[0] * ((shape.out[1] + group_rows - 1) / group_rows);
  for_items(
      Chunks{shape.in_channels}, groups, part, [&](long index, const Chunk& chunk, long first) {
        const auto run = chunk.width == 64   ? run_rows<plain, Columns, Stride, 1>
                         : chunk.width == 32 ? run_rows<plain, Columns, Stride, 2>
                                             : run_rows<plain, Columns, Stride, 4>;
        ChunkConstants copy;
        const auto& constants = constants_of_run(packed[index].constants, args, *header, copy);
        run(shape, args, epilogue, chunk, packed[index], constants, padding, first);
      });
  epilogue.vectors.range.join_into(args.epilogue.range);
}

template <bool plain>
void run_form(const ConvShape& shape, const ConvArgs& args, Part part) {
  if (shape.kernel[2] == 5)
    shape.stride[2] == 1 ? run_window<plain, 5, 1>(shape, args, part)
                         : run_window<plain, 5, 2>(shape, args, part);
  else
    shape.stride[2] == 1 ? run_window<plain, 7, 1>(shape, args, part)
                         : run_window<plain, 7, 2>(shape, args, part);
}

void run(const ConvShape& shape, const ConvArgs& args, Part part) {
  is_plain(args.epilogue) ? run_form<true>(shape, args, part) : run_form<false>(shape, args, part);
}

}  // namespace

extern const ConvKernel depthwise_avx512_vnni_strip;
const ConvKernel depthwise_avx512_vnni_strip = {
    "depthwise_avx512vnni_strip", Isa::avx512vnni, refuses, packed_bytes, pack, scratch_bytes, run};

}  // namespace intact::kernels
