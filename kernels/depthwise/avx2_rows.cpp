// Depthwise convolution of windows of up to 8 rows with stride 1 or 2 with AVX2, exact: 16-bit
// weights, which hold w - zero_point without loss, times bytes widened to 16 bits (vpmaddwd).
//
// A chunk of channels goes down a plane of the image. The rows of input are taken in pairs, even
// and odd, whatever row a window begins with (weights exist for both cases, zero where a pair
// reaches out of the window): so each is widened and interleaved once, into lines in scratch, and
// serves all windows that it lies in. For one of the four vectors of sums after the other, up to 8
// neighbouring outputs share each loaded weight.
//
// Wide images are cut into strips of columns whose lines fit the first-level cache.
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
/// Columns of a line, with their padding, for so many neighbouring outputs.
long columns(const ConvShape& shape, long outputs) {
  return (outputs - 1) * shape.stride[2] + shape.kernel[2];
}

/// Outputs of a row to a strip, in all but the last one.
long strip_width(const ConvShape& shape) {
  constexpr long most_bytes = 20 * 1024;
  const long column = lines(shape) * static_cast<long>(sizeof(Column));
  const long most = (most_bytes / column - shape.kernel[2]) / shape.stride[2] + 1;
  if (most < kTogether || shape.out[2] <= kTogether) return kTogether;
  const long strips = (shape.out[2] + most - 1) / most;
  return round_up((shape.out[2] + strips - 1) / strips, kTogether);
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
  return static_cast<std::size_t>(lines(shape) * columns(shape, strip_width(shape))) *
         sizeof(Column);
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

/// The lines of a chunk of channels in a strip of one plane.
class Lines {
 public:
  Lines(const ConvShape& shape, const ConvArgs& args, std::int32_t zero_point)
      : shape_(shape), args_(args), columns_(static_cast<Column*>(args.scratch)) {
    memset(padding_, zero_point, sizeof padding_);
  }

  /// Forgets all lines; the next ones serve the outputs from column `x` on.
  void start(long plane, long chunk, long x, long outputs) {
    src_ = args_.src + plane * shape_.in[1] * shape_.in[2] * args_.src_pitch + chunk * kWidth;
    first_ = x * shape_.stride[2] - shape_.pad_begin[2];
    length_ = columns(shape_, outputs);
    for (long& pair : held_) pair = kNone;
  }

  /// Rows 2 * pair and 2 * pair + 1.
  const Column* line(long pair) {
    const long count = lines(shape_), slot = (pair % count + count) % count;
    Column* const to = columns_ + slot * length_;
    if (held_[slot] != pair) fill(pair, to);
    held_[slot] = pair;
    return to;
  }

 private:
  void fill(long pair, Column* to) const {
    const auto limit = [](long x, long most) { return x < 0 ? 0 : x < most ? x : most; };
    const long begin = limit(first_, shape_.in[2]), end = limit(first_ + length_, shape_.in[2]);
    const std::uint8_t* rows[2];
    std::ptrdiff_t steps[2];
    for (int i = 0; i < 2; ++i) {
      const long row = 2 * pair + i;
      const bool inside = row >= 0 && row < shape_.in[1];
      rows[i] = inside ? src_ + (row * shape_.in[2] + begin) * args_.src_pitch : padding_;
      steps[i] = inside ? args_.src_pitch : 0;
    }
    Column beyond;
    interleave(padding_, padding_, beyond.words);
    const long before = limit(begin - first_, length_), after = length_ - before - (end - begin);
    for (long x = 0; x < before; ++x) *to++ = beyond;
    for (long x = begin; x < end; ++x, ++to, rows[0] += steps[0], rows[1] += steps[1])
      interleave(rows[0], rows[1], to->words);
    for (long x = 0; x < after; ++x) *to++ = beyond;
  }

  const ConvShape& shape_;
  const ConvArgs& args_;
  Column* columns_;
  const std::uint8_t* src_ = nullptr;
  long first_ = 0, length_ = 0;  ///< columns of input
  long held_[kMostPairs] = {};
  alignas(32) std::uint8_t padding_[kWidth];
};

/// A run of outputs of a row: the lines from its first column on, and the weights that suit them.
struct Window {
  const Column* lines[kMostPairs];
  long pairs, width;
  const TapPair* weights;
};

/// The sums of `count` neighbouring outputs, vector by vector; a width of 0 is that of the window.
/// Each column is loaded once and multiplied by the weights of all outputs that it belongs to.
template <int width, int stride, int count>
void multiply(const Window& window, const ChunkConstants& constants,
              __m256i (&sums)[kTogether][4]) {
  for (int j = 0; j < 4; ++j) {
    __m256i acc[count];
    unroll<0, count>([&]<int i>()
                         __attribute__((always_inline)) { acc[i] = load(constants.bias + 8 * j); });
    const TapPair* weights = window.weights;
    for (long pair = 0; pair < window.pairs; ++pair) {
      const Column* column = window.lines[pair];
      constexpr int step = width > 0 ? width : 1;
      for (long x = 0; x < window.width; x += step, column += step, weights += step)
        unroll<0, (count - 1) * stride + step>([&]<int c>() __attribute__((always_inline)) {
          const __m256i words = column[c].words[j];
          unroll<0, step>([&]<int k>() __attribute__((always_inline)) {
            constexpr int i = (c - k) / stride;
            if constexpr (c >= k && (c - k) % stride == 0 && i < count)
              acc[i] =
                  _mm256_add_epi32(acc[i], _mm256_madd_epi16(words, load(weights[k].weights[j])));
          });
        });
    }
    unroll<0, count>([&]<int i>() __attribute__((always_inline)) { sums[i][j] = acc[i]; });
  }
}

/// Of 1 to kTogether outputs.
struct Multiplies {
  void (*of_count[kTogether])(const Window&, const ChunkConstants&, __m256i (&)[kTogether][4]);
};

template <int width, int stride>
constexpr Multiplies multiplies = {multiply<width, stride, 1>, multiply<width, stride, 2>,
                                   multiply<width, stride, 3>, multiply<width, stride, 4>,
                                   multiply<width, stride, 5>, multiply<width, stride, 6>,
                                   multiply<width, stride, 7>, multiply<width, stride, 8>};

template <int stride>
const Multiplies& multiplies_of_width(long width) {
  return width == 3   ? multiplies<3, stride>
         : width == 5 ? multiplies<5, stride>
         : width == 7 ? multiplies<7, stride>
                      : multiplies<0, stride>;
}
const Multiplies& multiplies_of(const ConvShape& shape) {
  return shape.stride[2] == 1 ? multiplies_of_width<1>(shape.kernel[2])
                              : multiplies_of_width<2>(shape.kernel[2]);
}

/// What shares lines: the columns [x, x + outputs) of a plane's outputs, of a chunk of channels.
struct Strip {
  long plane, chunk, x, outputs;
};

/// All of them; threads divide their rows.
struct Strips {
  explicit Strips(const ConvShape& shape) : shape(shape), width(strip_width(shape)) {}

  long across() const { return (shape.out[2] + width - 1) / width; }
  long count() const { return shape.batch * shape.out[0] * across() * chunks(shape); }
  Strip operator[](long index) const {
    const long strip = index / chunks(shape), x = strip % across() * width;
    const long left = shape.out[2] - x;
    return {strip / across(), index % chunks(shape), x, left < width ? left : width};
  }

  const ConvShape& shape;
  long width;
};

/// One row of outputs of a strip.
template <EpilogueForm form>
void run_row(const ConvShape& shape, const ConvArgs& args, const EpilogueVectors& epilogue,
             const ChunkConstants& constants, const TapPair* weights, Lines& lines,
             const Strip& strip, long row) {
  const Multiplies& multiplies = multiplies_of(shape);
  const long first = row * shape.stride[1] - shape.pad_begin[1];
  const int odd = static_cast<int>(first & 1);
  Window window;
  window.pairs = pairs(shape, odd);
  window.width = shape.kernel[2];
  window.weights = weights + odd * pairs(shape, 0) * shape.kernel[2];
  for (long i = 0; i < window.pairs; ++i) window.lines[i] = lines.line((first - odd) / 2 + i);
  const ChannelVectors<kWidth> channels =
      load_channels<kWidth>(constants.multiplier, constants.float_bias);
  const long pixel = (strip.plane * shape.out[1] + row) * shape.out[2] + strip.x;
  for (long x = 0; x < strip.outputs; x += kTogether) {
    const long left = strip.outputs - x, count = left < kTogether ? left : kTogether;
    __m256i sums[kTogether][4];
    multiplies.of_count[count - 1](window, constants, sums);
    for (long i = 0; i < window.pairs; ++i) window.lines[i] += kTogether * shape.stride[2];
    EpilogueTarget target = target_at<form>(shape, args, pixel + x, strip.chunk);
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
  const Strips strips(shape);
  const long height = shape.out[1];
  const Range range = split(strips.count() * height, part);
  for (long item = range.begin; item < range.end;) {
    const Strip strip = strips[item / height];
    const long left = range.end - item, y = item % height;
    const long rows = left < height - y ? left : height - y;
    ChunkConstants copy;
    const auto& chunk_packed = *reinterpret_cast<const ChunkConstants*>(
        packed + static_cast<std::size_t>(strip.chunk) * chunk_bytes(shape));
    const ChunkConstants& constants = constants_of_run(chunk_packed, args, *header, copy);
    const auto* weights = reinterpret_cast<const TapPair*>(&chunk_packed + 1);
    lines.start(strip.plane, strip.chunk, strip.x, strip.outputs);
    for (long row = y; row < y + rows; ++row)
      run_row<form>(shape, args, epilogue, constants, weights, lines, strip, row);
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
