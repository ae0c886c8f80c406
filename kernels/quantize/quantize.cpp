// The lists of the quantize kernels, and the division of their work: into shares of threads, and
// into pieces of one batch entry for which the layout of the floats is either rows or planes.

#include "kernels/quantize/quantize.hpp"

#include <algorithm>

#include "kernels/quantize/implementations.hpp"

namespace intact::kernels {
namespace {

/// Extents, strides of the floats (batch, channel, pixel) and pitch of the bytes.
struct Geometry {
  std::int64_t batch, channels, pixels;
  std::ptrdiff_t strides[3];
  std::ptrdiff_t pitch;
};

/// The same elements with as few and as long rows as their places allow.
Geometry simplified(Geometry g) {
  if (g.channels == 1) g.strides[1] = g.strides[2] == 1 ? 0 : 1;
  if (g.pixels == 1) g.strides[2] = g.batch == 1 ? 1 : g.strides[0];
  if (g.batch == 1 || g.pixels == 1 || g.strides[0] == g.pixels * g.strides[2]) {
    g.pixels *= g.batch;
    g.batch = 1;
  }
  if (g.channels == 1 && g.pitch == 1 && g.strides[2] == 1) {
    g = {1, g.pixels, g.batch, {0, 1, g.strides[0]}, g.pixels};
  }
  if (g.batch == 1 && g.strides[1] == 1 && g.strides[2] == g.channels && g.pitch == g.channels) {
    g = {1, g.channels * g.pixels, 1, {0, 1, 0}, g.channels * g.pixels};
  }
  return g;
}

/// Calls `body(piece, float_offset, integer_offset)` for the pieces of this part; each has
/// batch 1.
template <class Body>
void for_each_piece(const Geometry& geometry, Part part, const Body& body) {
  constexpr long cache_line = 64;
  const Geometry all = simplified(geometry);
  const std::int64_t rows = all.batch * all.pixels;
  Range pixels = {0, rows}, channels = {0, all.channels};
  if (rows < part.count) {
    channels = split(all.channels, part, cache_line);
  } else {
    pixels = split(rows, part, rows / part.count >= cache_line ? cache_line : 1);
  }
  if (channels.begin == channels.end) return;
  for (long begin = pixels.begin; begin < pixels.end;) {
    const std::int64_t entry = begin / all.pixels, first = begin % all.pixels;
    const long count = std::min<std::int64_t>(pixels.end - begin, all.pixels - first);
    const Geometry piece = {
        1, channels.end - channels.begin, count, {0, all.strides[1], all.strides[2]}, all.pitch};
    body(piece, entry * all.strides[0] + channels.begin * all.strides[1] + first * all.strides[2],
         begin * all.pitch + channels.begin);
    begin += count;
  }
}

/// Takes `rows` for channel stride 1, `planes` (if there is one) for pixel stride 1 and `other` for
/// the rest. (With a single channel or pixel its stride has no meaning; simplified() left one that
/// serves.)
template <class Args>
void run_piece(const Args& args, const std::ptrdiff_t (&strides)[3], void (*rows)(const Args&),
               void (*planes)(const Args&), void (*other)(const Args&, Part)) {
  if (strides[1] == 1) return rows(args);
  if (strides[2] == 1 && planes != nullptr) return planes(args);
  other(args, Part{});
}

/// Quantizing reads floats with strides and writes integers with a pitch; dequantizing is the
/// reverse.
template <class Args>
constexpr bool quantizes = requires(Args args) {
  args.src_strides;
};

template <class Args>
auto& float_strides(Args& args) {
  if constexpr (quantizes<Args>)
    return args.src_strides;
  else
    return args.dst_strides;
}

template <class Args>
auto& integer_pitch(Args& args) {
  if constexpr (quantizes<Args>)
    return args.dst_pitch;
  else
    return args.src_pitch;
}

/// Words have no kernels for planes.
template <class Args, void (*rows)(const Args&), void (*planes)(const Args&) = nullptr>
void convert(const Args& args, Part part) {
  const std::ptrdiff_t(&strides)[3] = float_strides(args);
  for_each_piece(
      {args.batch,
       args.channels,
       args.pixels,
       {strides[0], strides[1], strides[2]},
       integer_pitch(args)},
      part, [&](const Geometry& piece, std::ptrdiff_t float_offset, std::ptrdiff_t integer_offset) {
        Args share = args;
        share.batch = 1;
        share.channels = piece.channels;
        share.pixels = piece.pixels;
        std::copy_n(piece.strides, 3, float_strides(share));
        integer_pitch(share) = piece.pitch;
        share.src += quantizes<Args> ? float_offset : integer_offset;
        share.dst += quantizes<Args> ? integer_offset : float_offset;
        if constexpr (quantizes<Args>)
          run_piece(share, share.src_strides, rows, planes, reference::quantize);
        else
          run_piece(share, share.dst_strides, rows, planes, reference::dequantize);
      });
}

template <ValueRange (*run)(const RangeArgs&)>
ValueRange range(const RangeArgs& args, Part part) {
  constexpr long cache_line = 64 / sizeof(float);
  const Range share = split(args.count, part, cache_line);
  return run({args.src + share.begin, share.end - share.begin});
}

constexpr RangeKernel range_list[] = {
    {"range_avx512vnni", Isa::avx512vnni, range<avx512_vnni::range>},
    {"range_avx2", Isa::avx2, range<avx2::range>},
    {"range_reference", Isa::scalar, range<reference::range>},
};

constexpr QuantizeKernel quantize_list[] = {
    {"quantize_avx512vnni", Isa::avx512vnni,
     convert<QuantizeArgs, avx512_vnni::quantize_rows, avx512_vnni::quantize_planes>},
    {"quantize_avx2", Isa::avx2, convert<QuantizeArgs, avx2::quantize_rows, avx2::quantize_planes>},
    {"quantize_reference", Isa::scalar, reference::quantize},
};

constexpr QuantizeWordsKernel quantize_words_list[] = {
    {"quantize_u16_avx512vnni", Isa::avx512vnni,
     convert<QuantizeWordsArgs, avx512_vnni::quantize_rows>},
    {"quantize_u16_avx2", Isa::avx2, convert<QuantizeWordsArgs, avx2::quantize_rows>},
    {"quantize_u16_reference", Isa::scalar, reference::quantize},
};

constexpr DequantizeKernel dequantize_list[] = {
    {"dequantize_avx512vnni", Isa::avx512vnni,
     convert<DequantizeArgs, avx512_vnni::dequantize_rows, avx512_vnni::dequantize_planes>},
    {"dequantize_avx2", Isa::avx2,
     convert<DequantizeArgs, avx2::dequantize_rows, avx2::dequantize_planes>},
    {"dequantize_reference", Isa::scalar, reference::dequantize},
};

constexpr DequantizeWordsKernel dequantize_words_list[] = {
    {"dequantize_u16_avx512vnni", Isa::avx512vnni,
     convert<DequantizeWordsArgs, avx512_vnni::dequantize_rows>},
    {"dequantize_u16_avx2", Isa::avx2, convert<DequantizeWordsArgs, avx2::dequantize_rows>},
    {"dequantize_u16_reference", Isa::scalar, reference::dequantize},
};

}  // namespace

std::span<const QuantizeKernel> quantize_kernels() {
  return quantize_list;
}
std::span<const QuantizeWordsKernel> quantize_words_kernels() {
  return quantize_words_list;
}
std::span<const RangeKernel> range_kernels() {
  return range_list;
}
std::span<const DequantizeKernel> dequantize_kernels() {
  return dequantize_list;
}
std::span<const DequantizeWordsKernel> dequantize_words_kernels() {
  return dequantize_words_list;
}

}  // namespace intact::kernels
