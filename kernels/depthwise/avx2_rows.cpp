// Depthwise convolution of windows of up to 8 rows with stride 1 or 2 with AVX2, exact: 16-bit
// weights, which hold w - zero_point without loss, times bytes widened to 16 bits (vpmaddwd).
//
// A chunk of channels goes down a plane of the image. The rows of input are taken in pairs, even
// and odd, whatever row a window begins with (weights exist for both cases, zero where a pair
// reaches out of the window): so each is widened and interleaved once, into lines in scratch, and
// serves all windows that it lies in. For one of the four vectors of sums after the other, up to 8
// neighbouring outputs share each loaded weight.
#include <climits>

#include "kernels/depthwise/avx2_chunk.hpp"
#include "kernels/depthwise/plane_windows.hpp"

namespace intact::kernels {
namespace {

constexpr int kMostRows = 8, kMostPairs = kMostRows / 2 + 1;
constexpr int kTogether = 8;      ///< neighbouring outputs
constexpr long kNone = LONG_MIN;  ///< no pair of rows

/// Two pixels, one above the other, as pairs of 16 bits.
struct Column {
  __m256i words[4];
};

/// Pairs of rows that a window touches whose first row is even (0) or odd (1).
long pairs(const ConvShape& shape, int odd) {
  return (shape.kernel[1] + odd + 1) / 2;
}
/// Lines kept at a time; they are indexed by the pair modulo their number.
long lines(const ConvShape& shape) {
  return pairs(shape, 1);
}
/// Columns of a line, with their padding.
long columns(const ConvShape& shape) {
  return (shape.out[2] - 1) * shape.stride[2] + shape.kernel[2];
}

/// Of weights: [odd][pair][column of the window].
long tap_pairs(const ConvShape& shape) {
  return (pairs(shape, 0) + pairs(shape, 1)) * shape.kernel[2];
}
std::size_t chunk_bytes(const ConvShape& shape) {
  return sizeof(ChunkConstants) + static_cast<std::size_t>(tap_pairs(shape)) * sizeof(TapPair);
}

const char* refuses(const ConvShape& shape, const ConvWeights&) {
  if (const char* reason = refuses_plane_windows(shape)) return reason;
  if (shape.kernel[1] > kMostRows) return "window of more than 8 rows";
  if (shape.stride[2] != 1 && shape.stride[2] != 2) return "stride above 2";
  return nullptr;
}

std::size_t packed_bytes(const ConvShape& shape) {
  return sizeof(PackedHeader) + static_cast<std::size_t>(chunks(shape)) * chunk_bytes(shape);
}

std::size_t scratch_bytes(const ConvShape& shape) {
  return static_cast<std::size_t>(lines(shape) * columns(shape)) * sizeof(Column);
}

void pack_chunk(const ConvShape& shape, const ConvWeights& weights, long chunk, void* packed) {
  memset(packed, 0, chunk_bytes(shape));
  auto* constants = static_cast<ChunkConstants*>(packed);
  pack_constants(shape, weights, chunk, constants);
  auto* to = reinterpret_cast<TapPair*>(constants + 1);
  const long width = shape.kernel[2];
  for (int odd = 0; odd < 2; to += pairs(shape, odd++) * width)
    for_channels(shape, chunk, [&](long channel, int j, int e) {
      for (long tap = 0; tap < shape.taps(); ++tap) {
        const long row = tap / width + odd;
        to[row / 2 * width + tap % width].weights[j][e][row % 2] =
            weight_at(weights, shape.taps(), channel, tap);
      }
    });
}

void pack(const ConvShape& shape, const ConvWeights& weights, void* packed) {
  auto* header = static_cast<PackedHeader*>(packed);
  *header = {.src_zero_point = weights.src_zero_point};
  auto* bytes = reinterpret_cast<std::uint8_t*>(header + 1);
  for (long i = 0; i < chunks(shape); ++i)
    pack_chunk(shape, weights, i, bytes + static_cast<std::size_t>(i) * chunk_bytes(shape));
}

/// The lines of a chunk of channels of one plane.
class Lines {
 public:
  Lines(const ConvShape& shape, const ConvArgs& args, std::int32_t zero_point)
      : shape_(shape), args_(args), columns_(static_cast<Column*>(args.scratch)) {
    memset(padding_, zero_point, sizeof padding_);
  }

  /// Forgets all lines.
  void start(long plane, long chunk) {
    src_ = args_.src + plane * shape_.in[1] * shape_.in[2] * args_.src_pitch + chunk * kWidth;
    for (long& pair : held_) pair = kNone;
  }

  /// Rows 2 * pair and 2 * pair + 1.
  const Column* line(long pair) {
    const long count = lines(shape_), slot = (pair % count + count) % count;
    Column* const to = columns_ + slot * columns(shape_);
    if (held_[slot] != pair) fill(pair, to);
    held_[slot] = pair;
    return to;
  }

 private:
  void fill(long pair, Column* to) const {
    const std::uint8_t* rows[2];
    std::ptrdiff_t steps[2];
    for (int i = 0; i < 2; ++i) {
      const long row = 2 * pair + i;
      const bool inside = row >= 0 && row < shape_.in[1];
      rows[i] = inside ? src_ + row * shape_.in[2] * args_.src_pitch : padding_;
      steps[i] = inside ? args_.src_pitch : 0;
    }
    Column beyond;
    interleave(padding_, padding_, beyond.words);
    const long all = columns(shape_),
               before = shape_.pad_begin[2] < all ? shape_.pad_begin[2] : all;
    const long inside = shape_.in[2] < all - before ? shape_.in[2] : all - before;
    for (long x = 0; x < before; ++x) *to++ = beyond;
    for (long x = 0; x < inside; ++x, ++to, rows[0] += steps[0], rows[1] += steps[1])
      interleave(rows[0], rows[1], to->words);
    for (long x = before + inside; x < all; ++x) *to++ = beyond;
  }

  const ConvShape& shape_;
  const ConvArgs& args_;
  Column* columns_;
  const std::uint8_t* src_ = nullptr;
  long held_[kMostPairs] = {};
  alignas(32) std::uint8_t padding_[kWidth];
};

/// A run of outputs of a row: the lines from its first column on, and the weights that suit them.
struct Window {
  const Column* lines[kMostPairs];
  long pairs, width;
  const TapPair* weights;
};

/// The sums of `count` neighbouring outputs.
template <int count, int stride>
void multiply(const Window& window, const ChunkConstants& constants,
              __m256i (&sums)[kTogether][4]) {
  for (int j = 0; j < 4; ++j) {
    __m256i acc[count];
    for (__m256i& a : acc) a = load(constants.bias + 8 * j);
    const TapPair* weights = window.weights;
    for (long pair = 0; pair < window.pairs; ++pair) {
      const Column* column = window.lines[pair];
      for (long x = 0; x < window.width; ++x, ++column, ++weights) {
        const __m256i w = load(weights->weights[j]);
#pragma GCC unroll 8
        for (int i = 0; i < count; ++i)
          acc[i] = _mm256_add_epi32(acc[i], _mm256_madd_epi16(column[i * stride].words[j], w));
      }
    }
    for (int i = 0; i < count; ++i) sums[i][j] = acc[i];
  }
}

template <int stride>
void multiply_some(const Window& window, const ChunkConstants& constants, long count,
                   __m256i (&sums)[kTogether][4]) {
  using Multiply = void (*)(const Window&, const ChunkConstants&, __m256i(&)[kTogether][4]);
  static constexpr Multiply multiplies[kTogether] = {
      multiply<1, stride>, multiply<2, stride>, multiply<3, stride>, multiply<4, stride>,
      multiply<5, stride>, multiply<6, stride>, multiply<7, stride>, multiply<8, stride>};
  multiplies[count - 1](window, constants, sums);
}

/// One row of outputs of a chunk; `row` counts over all planes.
template <EpilogueForm form>
void run_row(const ConvShape& shape, const ConvArgs& args, const EpilogueVectors& epilogue,
             const ChunkConstants& constants, const TapPair* weights, Lines& lines, long row,
             long chunk) {
  const long first = row % shape.out[1] * shape.stride[1] - shape.pad_begin[1];
  const int odd = static_cast<int>(first & 1);
  Window window;
  window.pairs = pairs(shape, odd);
  window.width = shape.kernel[2];
  window.weights = weights + odd * pairs(shape, 0) * shape.kernel[2];
  for (long i = 0; i < window.pairs; ++i) window.lines[i] = lines.line((first - odd) / 2 + i);
  const ChannelVectors<kWidth> channels =
      load_channels<kWidth>(constants.multiplier, constants.float_bias);
  for (long x = 0; x < shape.out[2]; x += kTogether) {
    const long left = shape.out[2] - x, count = left < kTogether ? left : kTogether;
    __m256i sums[kTogether][4];
    shape.stride[2] == 1 ? multiply_some<1>(window, constants, count, sums)
                         : multiply_some<2>(window, constants, count, sums);
    for (long i = 0; i < window.pairs; ++i) window.lines[i] += kTogether * shape.stride[2];
    EpilogueTarget target = target_at<form>(shape, args, row * shape.out[2] + x, chunk);
    for (long i = 0; i < count; ++i) {
      finish_quad<form, kWidth>(sums[i], channels, epilogue, target);
      target.dst = static_cast<std::uint8_t*>(target.dst) + args.dst_pitch * output_bytes(form);
      if (args.epilogue.residual) target.residual += args.epilogue.residual->pitch;
    }
  }
}

template <EpilogueForm form>
void run_form(const ConvShape& shape, const ConvArgs& args, Part part) {
  const auto* header = static_cast<const PackedHeader*>(args.weights);
  const auto* packed = reinterpret_cast<const std::uint8_t*>(header + 1);
  const EpilogueVectors epilogue = load_epilogue(args.epilogue);
  Lines lines(shape, args, zero_point_of(args, *header));
  const long height = shape.out[1], planes = shape.batch * shape.out[0];
  const Range range = split(planes * chunks(shape) * height, part);
  for (long item = range.begin; item < range.end;) {
    const long strip = item / height, plane = strip / chunks(shape), chunk = strip % chunks(shape);
    const long left = range.end - item, y = item % height;
    const long rows = left < height - y ? left : height - y;
    ChunkConstants copy;
    const auto& chunk_packed = *reinterpret_cast<const ChunkConstants*>(
        packed + static_cast<std::size_t>(chunk) * chunk_bytes(shape));
    const ChunkConstants& constants = constants_of_run(chunk_packed, args, *header, copy);
    const auto* weights = reinterpret_cast<const TapPair*>(&chunk_packed + 1);
    lines.start(plane, chunk);
    for (long row = plane * height + y; row < plane * height + y + rows; ++row)
      run_row<form>(shape, args, epilogue, constants, weights, lines, row, chunk);
    item += rows;
  }
  epilogue.range.join_into(args.epilogue.range);
}

void run(const ConvShape& shape, const ConvArgs& args, Part part) {
  with_form(args.epilogue, [&]<EpilogueForm form>() { run_form<form>(shape, args, part); });
}

}  // namespace

extern const ConvKernel depthwise_avx2_rows;
const ConvKernel depthwise_avx2_rows = {
    "depthwise_avx2_rows", Isa::avx2, refuses, packed_bytes, pack, scratch_bytes, run};

}  // namespace intact::kernels
