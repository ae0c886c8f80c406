// The definition of integer convolution: one output after the other, every shape, straight from the
// formula in conv.hpp. Slow on purpose; the oracle of the other kernels and the last resort.
#include <algorithm>

#include "kernels/conv/kernels.hpp"
#include "kernels/epilogue_form.hpp"
#include "kernels/epilogue_reference.hpp"

namespace intact::kernels {
namespace {

/// Packed data: this header, per-channel vectors, then the weights as they came.
struct Header {
  std::int32_t src_zero_point;
};
struct Packed {
  const Header* header;
  const float* multiplier;
  const float* float_bias;
  const std::int32_t* bias;
  const std::int32_t* zero_point;
  const std::int8_t* weights;
};

constexpr std::size_t header_bytes = 64;
static_assert(sizeof(Header) <= header_bytes);

Packed view(const ConvShape& shape, const void* packed) {
  const auto* bytes = static_cast<const std::byte*>(packed);
  const auto* vectors = reinterpret_cast<const std::int32_t*>(bytes + header_bytes);
  const std::int64_t n = shape.out_channels;
  return {reinterpret_cast<const Header*>(bytes),
          reinterpret_cast<const float*>(vectors),
          reinterpret_cast<const float*>(vectors + n),
          vectors + 2 * n,
          vectors + 3 * n,
          reinterpret_cast<const std::int8_t*>(vectors + 4 * n)};
}

std::size_t weight_count(const ConvShape& shape) {
  return static_cast<std::size_t>(shape.out_channels * shape.taps() * shape.group_in_channels());
}

const char* refuses(const ConvShape&, const ConvWeights&) {
  return nullptr;
}

std::size_t packed_bytes(const ConvShape& shape) {
  return header_bytes + 16 * static_cast<std::size_t>(shape.out_channels) + weight_count(shape);
}

void pack(const ConvShape& shape, const ConvWeights& weights, void* packed) {
  const Packed to = view(shape, packed);
  const std::int64_t n = shape.out_channels;
  const_cast<Header*>(to.header)->src_zero_point = weights.src_zero_point;
  const auto fill = [n](auto* vector, const auto* values, auto otherwise) {
    auto* out = const_cast<std::remove_const_t<std::remove_pointer_t<decltype(vector)>>*>(vector);
    for (std::int64_t c = 0; c < n; ++c) out[c] = values != nullptr ? values[c] : otherwise;
  };
  fill(to.multiplier, weights.multiplier, 1.0F);
  fill(to.float_bias, weights.float_bias, no_float_bias);
  fill(to.bias, weights.bias, 0);
  fill(to.zero_point, weights.zero_point, 0);
  auto* const target = const_cast<std::int8_t*>(to.weights);
  if (weights.matrix == nullptr) {
    std::copy_n(weights.data, weight_count(shape), target);
    return;
  }
  const ConvMatrix& matrix = *weights.matrix;
  for (std::int64_t c = 0; c < n; ++c)
    for (std::int64_t k = 0; k < shape.in_channels; ++k)
      target[c * shape.in_channels + k] = static_cast<std::int8_t>(
          matrix.data[k * matrix.k_stride + c * matrix.column_stride] - 128);
}

/// What a TileStage takes at once: channels of one pixel.
std::size_t scratch_bytes(const ConvShape&) {
  return TileStage::most_elements * sizeof(float);
}

/// {batch, depth, height, width} of an output pixel.
std::array<std::int64_t, 4> coordinates(const ConvShape& shape, std::int64_t pixel) {
  const std::int64_t x = pixel % shape.out[2], line = pixel / shape.out[2];
  const std::int64_t y = line % shape.out[1], plane = line / shape.out[1];
  return {plane / shape.out[0], plane % shape.out[0], y, x};
}

/// The input pixel that a tap reads, or -1 in padding.
std::int64_t input_pixel(const ConvShape& shape, const std::array<std::int64_t, 4>& at,
                         std::int64_t tap) {
  const std::array<std::int64_t, 3> k = {tap / (shape.kernel[1] * shape.kernel[2]),
                                         tap / shape.kernel[2] % shape.kernel[1],
                                         tap % shape.kernel[2]};
  std::int64_t pixel = at[0];
  for (int d = 0; d < 3; ++d) {
    const std::int64_t i =
        at[d + 1] * shape.stride[d] - shape.pad_begin[d] + k[d] * shape.dilation[d];
    if (i < 0 || i >= shape.in[d]) return -1;
    pixel = pixel * shape.in[d] + i;
  }
  return pixel;
}

std::int32_t accumulate(const ConvShape& shape, const ConvArgs& args, const Packed& packed,
                        const std::array<std::int64_t, 4>& at, std::int64_t channel) {
  const std::int32_t src_zero_point =
      args.src_zero_point != nullptr ? *args.src_zero_point : packed.header->src_zero_point;
  const std::int64_t inputs = shape.group_in_channels();
  const std::int64_t group = channel / (shape.out_channels / shape.groups);
  std::int32_t sum = packed.bias[channel];
  for (std::int64_t tap = 0; tap < shape.taps(); ++tap) {
    const std::int64_t pixel = input_pixel(shape, at, tap);
    if (pixel < 0) continue;  // padding is src_zero_point: adds zero
    const std::uint8_t* a = args.src + pixel * args.src_pitch + group * inputs;
    const std::int8_t* w = packed.weights + (channel * shape.taps() + tap) * inputs;
    for (std::int64_t i = 0; i < inputs; ++i)
      sum += (a[i] - src_zero_point) * (w[i] - packed.zero_point[channel]);
  }
  return sum;
}

/// Collects the channels of a pixel; complete runs of them go to the TileStage.
void hand_over(const ConvShape& shape, const ConvArgs& args, float t, std::int64_t pixel,
               std::int64_t channel) {
  auto* const row = static_cast<float*>(args.scratch);
  const std::int64_t at = channel % TileStage::most_elements;
  row[at] = clamp_float(t, args.epilogue.float_lower, args.epilogue.float_upper);
  if (at + 1 < TileStage::most_elements && channel + 1 < shape.out_channels) return;
  const TileStage& stage = *args.epilogue.tiles;
  stage.run(stage, {row, at + 1, pixel, 1, channel - at, at + 1});
}

void run(const ConvShape& shape, const ConvArgs& args, Part part) {
  const Packed packed = view(shape, args.weights);
  const Range pixels = split(shape.out_pixels(), part);
  for (std::int64_t pixel = pixels.begin; pixel < pixels.end; ++pixel) {
    const std::array<std::int64_t, 4> at = coordinates(shape, pixel);
    for (std::int64_t c = 0; c < shape.out_channels; ++c) {
      const std::int32_t accumulator = accumulate(shape, args, packed, at, c);
      const float multiplier =
          args.src_scale != nullptr ? packed.multiplier[c] * *args.src_scale : packed.multiplier[c];
      const float t = scale_accumulator(accumulator, multiplier, packed.float_bias[c],
                                        adds_bias_apart(args.epilogue));
      if (args.epilogue.tiles != nullptr)
        hand_over(shape, args, t, pixel, c);
      else
        write_reference(args.epilogue, t, pixel, c, args.dst, args.dst_pitch);
    }
  }
}

}  // namespace

ConvKernel conv_reference() {
  return {"conv_reference", Isa::scalar, refuses, packed_bytes, pack, scratch_bytes, run};
}

}  // namespace intact::kernels
