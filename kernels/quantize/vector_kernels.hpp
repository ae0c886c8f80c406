// Quantize, range and dequantize, written once over the lane types of whichever lanes_*.hpp was
// included before this file. Channels-first tensors are transposed in registers: 4 channels of a
// pixel make one integer of 32 bits, and 4 such integers of 4 pixels change places.
#pragma once

#include "kernels/quantize/quantize.hpp"
#include "kernels/quantize/quotient.hpp"

namespace intact::kernels {
namespace {

[[gnu::always_inline]] inline int smaller(std::int64_t count, int limit) {
  return count < limit ? static_cast<int>(count) : limit;
}

/// `Divide` is Quotient, or SlowQuotient for scales that the former cannot take.
template <class Divide>
struct Quantizer {
  Divide divide;
  Floats lowest, greatest;
  std::int32_t zero_point;

  template <class Integer>
  [[gnu::always_inline]] explicit Quantizer(const QuantizeArgsOf<Integer>& args)
      : divide(args.scale), zero_point(args.zero_point) {
    broadcast(lowest, static_cast<float>(args.lower - args.zero_point));
    broadcast(greatest, static_cast<float>(args.upper - args.zero_point));
  }
  /// Before the zero point is added. The bounds are integers, so clamping may come before rounding,
  /// where it cannot overflow; NaN becomes the lower bound.
  [[gnu::always_inline]] Ints operator()(Floats x) const {
    return round(minimum(maximum(divide(x), lowest), greatest));
  }
};

template <class Divide>
void quantize_rows_by(const QuantizeArgs& args) {
  constexpr int width = Floats::size;
  const Quantizer<Divide> quantizer(args);
  for (std::int64_t pixel = 0; pixel < args.pixels; ++pixel) {
    const float* src = args.src + pixel * args.src_strides[2];
    std::uint8_t* dst = args.dst + pixel * args.dst_pitch;
    std::int64_t i = 0;
    Floats x;
    for (; i + 4 * width <= args.channels; i += 4 * width) {
      Ints q[4];
      for (int k = 0; k < 4; ++k) {
        load(x, src + i + k * width);
        q[k] = quantizer(x);
      }
      store(dst + i, narrow(q, args.zero_point));
    }
    for (; i < args.channels; i += width) {
      const int count = smaller(args.channels - i, width);
      load_first(x, src + i, count);
      store_first(dst + i, narrow(quantizer(x), args.zero_point), count);
    }
  }
}

template <class Divide>
void quantize_rows_by(const QuantizeWordsArgs& args) {
  constexpr int width = Floats::size;
  const Quantizer<Divide> quantizer(args);
  Ints zero_point;
  broadcast(zero_point, args.zero_point);
  for (std::int64_t pixel = 0; pixel < args.pixels; ++pixel) {
    const float* src = args.src + pixel * args.src_strides[2];
    std::uint16_t* dst = args.dst + pixel * args.dst_pitch;
    std::int64_t i = 0;
    Floats x;
    for (; i + width <= args.channels; i += width) {
      load(x, src + i);
      store_first(dst + i, quantizer(x) + zero_point, width);
    }
    if (i < args.channels) {
      const int count = static_cast<int>(args.channels - i);
      load_first(x, src + i, count);
      store_first(dst + i, quantizer(x) + zero_point, count);
    }
  }
}

template <class Integer>
void quantize_rows_all(const QuantizeArgsOf<Integer>& args) {
  has_reciprocal(args.scale) ? quantize_rows_by<Quotient>(args)
                             : quantize_rows_by<SlowQuotient>(args);
}

/// Four channels of Floats::size pixels: one integer per pixel, lowest channel in the lowest byte.
template <bool full, class Divide>
[[gnu::always_inline]] inline Ints quantized_quad(const Quantizer<Divide>& quantizer,
                                                  Ints zero_point, const float* src,
                                                  std::ptrdiff_t channel_stride, int channels,
                                                  int pixels) {
  Ints q[4];
  for (int k = 0; k < 4; ++k) {
    broadcast(q[k], 0);
    if (k >= channels) continue;
    Floats x;
    if constexpr (full) {
      load(x, src + k * channel_stride);
    } else {
      load_first(x, src + k * channel_stride, pixels);
    }
    q[k] = quantizer(x) + zero_point;
  }
  return (q[0] | shift_left<8>(q[1])) | (shift_left<16>(q[2]) | shift_left<24>(q[3]));
}

/// Floats::size pixels, or fewer, of all channels.
template <bool full, class Divide>
[[gnu::always_inline]] inline void quantize_pixels(const QuantizeArgs& args,
                                                   const Quantizer<Divide>& quantizer,
                                                   Ints zero_point, std::int64_t pixel,
                                                   int pixels) {
  const float* src = args.src + pixel;
  std::uint8_t* dst = args.dst + pixel * args.dst_pitch;
  const std::ptrdiff_t stride = args.src_strides[1];
  if (full && args.channels == 3 && args.dst_pitch == 3) {
    store_triples(dst, quantized_quad<full>(quantizer, zero_point, src, stride, 3, pixels));
    return;
  }
  for (std::int64_t channel = 0; channel < args.channels; channel += 16) {
    const int channels = smaller(args.channels - channel, 16);
    Ints word[4];
    for (int k = 0; k < 4; ++k) {
      broadcast(word[k], 0);
      if (4 * k >= channels) continue;
      word[k] = quantized_quad<full>(quantizer, zero_point, src + (channel + 4 * k) * stride,
                                     stride, channels - 4 * k, pixels);
    }
    transpose(word);
    for (int k = 0; k < 4; ++k) {
      std::uint8_t* to = dst + channel + k * args.dst_pitch;
      if (full && channels == 16) {
        store_lanes(to, 4 * args.dst_pitch, word[k]);
      } else {
        store_lanes_first(to, 4 * args.dst_pitch, word[k], channels, (pixels - k + 3) / 4);
      }
    }
  }
}

/// Planes are streams from memory: what the hardware fetches ahead of each ends with its page.
constexpr std::ptrdiff_t floats_ahead = 512;

template <class Divide>
void quantize_planes_by(const QuantizeArgs& args) {
  constexpr int width = Floats::size;
  const Quantizer<Divide> quantizer(args);
  Ints zero_point;
  broadcast(zero_point, args.zero_point);
  std::int64_t pixel = 0;
  for (; pixel + width <= args.pixels; pixel += width) {
    for (std::int64_t channel = 0; channel < args.channels; ++channel)
      __builtin_prefetch(args.src + pixel + channel * args.src_strides[1] + floats_ahead);
    quantize_pixels<true>(args, quantizer, zero_point, pixel, width);
  }
  if (pixel < args.pixels) {
    quantize_pixels<false>(args, quantizer, zero_point, pixel,
                           static_cast<int>(args.pixels - pixel));
  }
}

void quantize_planes_all(const QuantizeArgs& args) {
  has_reciprocal(args.scale) ? quantize_planes_by<Quotient>(args)
                             : quantize_planes_by<SlowQuotient>(args);
}

/// Several running ranges, because one would wait for itself. The new number comes first in every
/// comparison: NaN changes nothing.
ValueRange range_of_all(const RangeArgs& args) {
  constexpr int width = Floats::size, together = 4;
  Floats low[together], high[together], x;
  for (int k = 0; k < together; ++k) {
    broadcast(low[k], 0);
    broadcast(high[k], 0);
  }
  const auto extend = [&](int k) __attribute__((always_inline)) {
    low[k] = minimum(x, low[k]);
    high[k] = maximum(x, high[k]);
  };
  std::int64_t i = 0;
  for (; i + together * width <= args.count; i += together * width)
    for (int k = 0; k < together; ++k) {
      load(x, args.src + i + k * width);
      extend(k);
    }
  for (; i < args.count; i += width) {
    load_first(x, args.src + i, smaller(args.count - i, width));
    extend(0);
  }
  for (int k = 1; k < together; ++k) {
    low[0] = minimum(low[k], low[0]);
    high[0] = maximum(high[k], high[0]);
  }
  float lows[width], highs[width];
  store(lows, low[0]);
  store(highs, high[0]);
  ValueRange range;
  for (int k = 0; k < width; ++k) {
    if (lows[k] < range.low) range.low = lows[k];
    if (highs[k] > range.high) range.high = highs[k];
  }
  return range;
}

struct Dequantizer {
  Floats scale;
  Ints zero_point;

  template <class Integer>
  [[gnu::always_inline]] explicit Dequantizer(const DequantizeArgsOf<Integer>& args) {
    broadcast(scale, args.scale);
    broadcast(zero_point, args.zero_point);
  }
  [[gnu::always_inline]] Floats operator()(Ints q) const {
    return to_floats(q - zero_point) * scale;
  }
};

template <class Integer>
void dequantize_rows_all(const DequantizeArgsOf<Integer>& args) {
  constexpr int width = Floats::size;
  const Dequantizer dequantizer(args);
  for (std::int64_t pixel = 0; pixel < args.pixels; ++pixel) {
    const Integer* src = args.src + pixel * args.src_pitch;
    float* dst = args.dst + pixel * args.dst_strides[2];
    std::int64_t i = 0;
    for (; i + width <= args.channels; i += width) store(dst + i, dequantizer(widen(src + i)));
    if (i < args.channels) {
      const int count = static_cast<int>(args.channels - i);
      store_first(dst + i, dequantizer(widen_first(src + i, count)), count);
    }
  }
}

/// Byte k of each integer goes to channel `channel` + k, for up to `channels` of four channels.
template <bool full>
[[gnu::always_inline]] inline void dequantize_quad(const DequantizeArgs& args,
                                                   const Dequantizer& dequantizer, Ints quad,
                                                   float* dst, int channels, int pixels) {
  Ints low_byte;
  broadcast(low_byte, 255);
  const Ints q[4] = {quad, shift_right<8>(quad), shift_right<16>(quad), shift_right<24>(quad)};
  for (int k = 0; k < 4 && k < channels; ++k) {
    const Floats x = dequantizer(q[k] & low_byte);
    if constexpr (full) {
      store(dst + k * args.dst_strides[1], x);
    } else {
      store_first(dst + k * args.dst_strides[1], x, pixels);
    }
  }
}

/// Floats::size pixels, or fewer, of all channels.
template <bool full>
[[gnu::always_inline]] inline void dequantize_pixels(const DequantizeArgs& args,
                                                     const Dequantizer& dequantizer,
                                                     std::int64_t pixel, int pixels) {
  const std::uint8_t* src = args.src + pixel * args.src_pitch;
  float* dst = args.dst + pixel;
  if (full && args.channels == 3 && args.src_pitch == 3) {
    dequantize_quad<full>(args, dequantizer, load_triples(src), dst, 3, pixels);
    return;
  }
  for (std::int64_t channel = 0; channel < args.channels; channel += 16) {
    const int channels = smaller(args.channels - channel, 16);
    Ints word[4];
    for (int k = 0; k < 4; ++k) {
      const std::uint8_t* from = src + channel + k * args.src_pitch;
      word[k] = full && channels == 16
                    ? load_lanes(from, 4 * args.src_pitch)
                    : load_lanes_first(from, 4 * args.src_pitch, channels, (pixels - k + 3) / 4);
    }
    transpose(word);
    for (int k = 0; k < 4 && 4 * k < channels; ++k) {
      dequantize_quad<full>(args, dequantizer, word[k],
                            dst + (channel + 4 * k) * args.dst_strides[1], channels - 4 * k,
                            pixels);
    }
  }
}

void dequantize_planes_all(const DequantizeArgs& args) {
  constexpr int width = Floats::size;
  const Dequantizer dequantizer(args);
  std::int64_t pixel = 0;
  for (; pixel + width <= args.pixels; pixel += width) {
    dequantize_pixels<true>(args, dequantizer, pixel, width);
  }
  if (pixel < args.pixels) {
    dequantize_pixels<false>(args, dequantizer, pixel, static_cast<int>(args.pixels - pixel));
  }
}

}  // namespace

void isa::quantize_rows(const QuantizeArgs& args) {
  quantize_rows_all(args);
}
void isa::quantize_rows(const QuantizeWordsArgs& args) {
  quantize_rows_all(args);
}
void isa::quantize_planes(const QuantizeArgs& args) {
  quantize_planes_all(args);
}
void isa::dequantize_rows(const DequantizeArgs& args) {
  dequantize_rows_all(args);
}
void isa::dequantize_rows(const DequantizeWordsArgs& args) {
  dequantize_rows_all(args);
}
void isa::dequantize_planes(const DequantizeArgs& args) {
  dequantize_planes_all(args);
}
ValueRange isa::range(const RangeArgs& args) {
  return range_of_all(args);
}

}  // namespace intact::kernels
