// Depthwise 3x3 convolution, stride 1 or 2, with vpdpbusd.
//
// The bytes of four image rows are interleaved per pixel, so that one vpdpbusd multiplies a column
// of the window. Interleaved columns are kept in registers while the window slides to the right;
// with stride 1 they serve two output rows (weights shifted by one row). Rows outside the image are
// read from one constant vector with step 0, columns outside it are a constant register: neither
// costs a copy of the image.
#include <immintrin.h>

#include <cstring>

#include "kernels/depthwise/avx512_interleave.hpp"
#include "kernels/depthwise/avx512_output.hpp"
#include "kernels/depthwise/chunks.hpp"
#include "kernels/pool/window.hpp"

namespace intact::kernels {
namespace {

struct PackedChunk {
  /// [shift of rows][column][accumulator][element][row]
  alignas(64) std::int8_t weights[2][3][4][64];
  ChunkConstants constants;
};

const char* refuses(const ConvShape& shape, const ConvWeights& weights) {
  const auto& stride = shape.stride;
  if (shape.kernel[1] != 3 || shape.kernel[2] != 3) return "not a 3x3 window";
  if (const char* reason = refuses_plane_windows(shape)) return reason;
  if (stride[1] != stride[2] || stride[1] < 1 || stride[1] > 2) return "stride above 2";
  return fits_bytes(shape, weights) ? nullptr : "weights minus zero point exceed a byte";
}

std::size_t packed_bytes(const ConvShape& shape) {
  return sizeof(PackedHeader) + Chunks{shape.in_channels}.count() * sizeof(PackedChunk);
}

std::size_t scratch_bytes(const ConvShape&) {
  return 0;
}

void pack_chunk(const ConvShape& shape, const ConvWeights& weights, const Chunk& chunk,
                PackedChunk* packed) {
  pack_constants(shape, weights, chunk, &packed->constants);
  memset(packed->weights, 0, sizeof packed->weights);
  for (int shift = 0; shift < 2; ++shift)
    for (int column = 0; column < 3; ++column)
      for (int element = 0; element < 64; ++element) {
        const int within = chunk_channel(chunk, element);
        if (within >= chunk.channels) continue;
        std::int8_t* rows = &packed->weights[shift][column][element / 16][element % 16 * 4];
        for (int row = 0; row < 3; ++row)
          rows[row + shift] = static_cast<std::int8_t>(
              weight_at(weights, 9, chunk.channel + within, row * 3 + column));
      }
}

void pack(const ConvShape& shape, const ConvWeights& weights, void* packed) {
  auto* header = static_cast<PackedHeader*>(packed);
  *header = {.src_zero_point = weights.src_zero_point};
  auto* blocks = reinterpret_cast<PackedChunk*>(header + 1);
  const Chunks chunks{shape.in_channels};
  for (long i = 0; i < chunks.count(); ++i) pack_chunk(shape, weights, chunks[i], blocks + i);
}

/// Image columns under `pixels` neighbouring windows; two shifts mean stride 1, one means stride 2.
constexpr int columns_under(int shifts, int pixels) {
  return (pixels - 1) * (shifts == 2 ? 1 : 2) + 3;
}

/// Pixels of a row whose sums wait for the epilogue: it then finds registers for its constants.
constexpr int kSegment = 8;

/// One task: a chunk of channels of `Positions` consecutive groups of `Shifts` output rows.
template <bool plain, int Shifts, int Positions>
struct Task {
  ImageRows<Shifts == 2 ? 4 : 3, Positions> image;
  const PackedChunk* packed;
  const ChunkConstants* constants;
  OutputRow<Positions> rows[Shifts];
  const RowEpilogue* epilogue;
  __m512i sums[Shifts][kSegment][4];

  /// Pixels first .. first + Pixels - 1 of the segment in each row, from the image columns that
  /// they see. Taking several at a time halves the loads of weights.
  template <int Pixels>
  __attribute__((always_inline)) void multiply(
      int first, const Interleaved (&columns)[columns_under(Shifts, Pixels)]) {
    constexpr int kStride = Shifts == 2 ? 1 : 2;
    unroll<0, 4 * Shifts>([&]<int n>() __attribute__((always_inline)) {
      constexpr int j = n / Shifts, shift = n % Shifts;
      __m512i acc[Pixels];
      unroll<0, Pixels>([&]<int i>() __attribute__((always_inline)) {
        acc[i] = load_again(constants->bias + 16 * j);
      });
      unroll<0, 3>([&]<int column>() __attribute__((always_inline)) {
        const __m512i weights = _mm512_load_si512(packed->weights[shift][column][j]);
        unroll<0, Pixels>([&]<int i>() __attribute__((always_inline)) {
          acc[i] = _mm512_dpbusd_epi32(acc[i], columns[i * kStride + column].v[j], weights);
        });
      });
      unroll<0, Pixels>([&]<int i>()
                            __attribute__((always_inline)) { sums[shift][first + i][j] = acc[i]; });
    });
  }

  /// Writes a segment that starts at pixel x.
  [[gnu::noinline]] void finish(long x, int count) const {
    for (int shift = 0; shift < Shifts; ++shift)
      finish_row<plain>(sums[shift], count, *constants, *epilogue, rows[shift], x);
  }
};

template <bool plain, int Positions>
void sweep_stride_1(Task<plain, 2, Positions>& task, long width) {
  auto image = task.image;  // pointers in registers
  Interleaved a = image.load(), b = image.load(), c, d;
  for (long x = 0; x < width; x += kSegment) {
    const int count = width - x < kSegment ? static_cast<int>(width - x) : kSegment;
    int i = 0;
    for (; i + 4 <= count; i += 4) {
      c = image.load();
      d = image.load();
      task.template multiply<2>(i, {a, b, c, d});
      a = image.load();
      b = image.load();
      task.template multiply<2>(i + 2, {c, d, a, b});
    }
    for (; i < count; ++i) {
      c = image.load();
      task.template multiply<1>(i, {a, b, c});
      a = b;
      b = c;
    }
    task.finish(x, count);
  }
}

template <bool plain, int Positions>
void sweep_stride_2(Task<plain, 1, Positions>& task, long width) {
  auto image = task.image;
  Interleaved a = image.load(), b, c, d, e;
  for (long x = 0; x < width; x += kSegment) {
    const int count = width - x < kSegment ? static_cast<int>(width - x) : kSegment;
    int i = 0;
    for (; i + 2 <= count; i += 2) {
      b = image.load();
      c = image.load();
      d = image.load();
      e = image.load();
      task.template multiply<2>(i, {a, b, c, d, e});
      a = e;
    }
    if (i < count) {
      b = image.load();
      c = image.load();
      task.template multiply<1>(i, {a, b, c});
    }
    task.finish(x, count);
  }
}

/// Sets up and runs one task: output row groups [first_group, first_group + Positions), where group
/// number g holds `Shifts` rows of image plane g / groups_per_plane.
template <bool plain, int Shifts, int Positions>
void run_task(const ConvShape& shape, const ConvArgs& args, const RowEpilogue& epilogue,
              const Chunk& chunk, const PackedChunk* packed, const ChunkConstants& constants,
              const std::uint8_t* padding, long first_group) {
  const long height = shape.out[1], groups_per_plane = (height + Shifts - 1) / Shifts;
  const long planes = shape.batch * shape.out[0];
  Task<plain, Shifts, Positions> task;
  task.packed = packed;
  task.constants = &constants;
  task.epilogue = &epilogue;
  task.image.column = -shape.pad_begin[2];
  task.image.columns = shape.in[2];
  task.image.padding = _mm512_set1_epi8(static_cast<char>(padding[0]));
  for (int i = 0; i < Positions; ++i) {
    const long plane = (first_group + i) / groups_per_plane;
    const long y = (first_group + i) % groups_per_plane * Shifts;
    task.image.place(i, shape, args, chunk.channel, padding, plane,
                     y * shape.stride[1] - shape.pad_begin[1]);
    for (int shift = 0; shift < Shifts; ++shift) {
      const bool exists = plane < planes && y + shift < height;
      const long pixel = (plane * height + y + shift) * shape.out[2];
      task.rows[shift].set(i, exists, args, pixel, chunk);
    }
  }
  if constexpr (Shifts == 2)
    sweep_stride_1(task, shape.out[2]);
  else
    sweep_stride_2(task, shape.out[2]);
}

template <bool plain, int Shifts>
void run_item(const ConvShape& shape, const ConvArgs& args, const RowEpilogue& epilogue,
              const Chunk& chunk, const PackedChunk* packed, const ChunkConstants& constants,
              const std::uint8_t* padding, long first_group) {
  if (chunk.width == 64)
    run_task<plain, Shifts, 1>(shape, args, epilogue, chunk, packed, constants, padding,
                               first_group);
  else if (chunk.width == 32)
    run_task<plain, Shifts, 2>(shape, args, epilogue, chunk, packed, constants, padding,
                               first_group);
  else
    run_task<plain, Shifts, 4>(shape, args, epilogue, chunk, packed, constants, padding,
                               first_group);
}

template <bool plain>
void run_form(const ConvShape& shape, const ConvArgs& args, Part part) {
  const auto* header = static_cast<const PackedHeader*>(args.weights);
  const auto* packed = reinterpret_cast<const PackedChunk*>(header + 1);
  alignas(64) std::uint8_t padding[64];
  memset(padding, zero_point_of(args, *header), sizeof padding);
  const RowEpilogue epilogue = load_row_epilogue(args.epilogue);
  const long group_rows = shape.stride[1] == 1 ? 2 : 1;
  const long groups = shape.batch * shape.out[0] * ((shape.out[1] + group_rows - 1) / group_rows);
  for_items(Chunks{shape.in_channels}, groups, part,
            [&](long index, const Chunk& chunk, long first_group) {
              ChunkConstants copy;
              const auto& constants =
                  constants_of_run(packed[index].constants, args, *header, copy);
              const auto run = group_rows == 2 ? run_item<plain, 2> : run_item<plain, 1>;
              run(shape, args, epilogue, chunk, packed + index, constants, padding, first_group);
            });
  epilogue.vectors.range.join_into(args.epilogue.range);
}

void run(const ConvShape& shape, const ConvArgs& args, Part part) {
  is_plain(args.epilogue) ? run_form<true>(shape, args, part) : run_form<false>(shape, args, part);
}

}  // namespace

extern const ConvKernel depthwise_avx512_vnni_3x3;
const ConvKernel depthwise_avx512_vnni_3x3 = {
    "depthwise_avx512vnni_3x3", Isa::avx512vnni, refuses, packed_bytes, pack, scratch_bytes, run};

}  // namespace intact::kernels
