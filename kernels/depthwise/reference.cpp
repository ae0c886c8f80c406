// Scalar depthwise convolution: every shape, every weight zero point. The yardstick of the tests.
#include <cstdint>

#include "kernels/depthwise/packed.hpp"
#include "kernels/epilogue_form.hpp"
#include "kernels/epilogue_reference.hpp"
#include "kernels/pool/window.hpp"

namespace intact::kernels {
namespace {

const char* refuses(const ConvShape&, const ConvWeights&) {
  return nullptr;
}

/// Behind the header: weights [taps][channels], then per channel bias, multiplier, float bias.
struct Packed {
  const PackedHeader* header;
  const std::int16_t* weights;
  const std::int32_t* bias;
  const float *multiplier, *float_bias;
};

std::size_t weight_bytes(const ConvShape& shape) {
  return round_up(shape.taps() * shape.in_channels * long{sizeof(std::int16_t)}, 64);
}

std::size_t packed_bytes(const ConvShape& shape) {
  return sizeof(PackedHeader) + weight_bytes(shape) + 3 * sizeof(float) * shape.in_channels;
}

void pack(const ConvShape& shape, const ConvWeights& weights, void* packed) {
  const long channels = shape.in_channels, taps = shape.taps();
  auto* bytes = static_cast<std::uint8_t*>(packed);
  *reinterpret_cast<PackedHeader*>(bytes) = {.src_zero_point = weights.src_zero_point};
  auto* values = reinterpret_cast<std::int16_t*>(bytes + sizeof(PackedHeader));
  auto* bias = reinterpret_cast<std::int32_t*>(bytes + sizeof(PackedHeader) + weight_bytes(shape));
  auto* multiplier = reinterpret_cast<float*>(bias + channels);
  for (long c = 0; c < channels; ++c) {
    for (long tap = 0; tap < taps; ++tap)
      values[tap * channels + c] = weight_at(weights, taps, c, tap);
    bias[c] = weights.bias ? weights.bias[c] : 0;
    multiplier[c] = weights.multiplier[c];
    multiplier[channels + c] = weights.float_bias ? weights.float_bias[c] : no_float_bias;
  }
}

Packed unpack(const ConvShape& shape, const void* packed) {
  const auto* bytes = static_cast<const std::uint8_t*>(packed);
  Packed p;
  p.header = reinterpret_cast<const PackedHeader*>(bytes);
  p.weights = reinterpret_cast<const std::int16_t*>(bytes + sizeof(PackedHeader));
  p.bias =
      reinterpret_cast<const std::int32_t*>(bytes + sizeof(PackedHeader) + weight_bytes(shape));
  p.multiplier = reinterpret_cast<const float*>(p.bias + shape.in_channels);
  p.float_bias = p.multiplier + shape.in_channels;
  return p;
}

std::size_t scratch_bytes(const ConvShape&) {
  return 0;
}

/// Sum over the taps inside the image of (a - src_zero_point) * (w - zero_point): padding is zero.
std::int32_t accumulate(const ConvShape& shape, const ConvArgs& args, const Packed& packed,
                        const Window& window, long c) {
  const auto& axis = window.axis;
  std::int32_t sum = packed.bias[c];
  for (long kd = axis[0].begin; kd < axis[0].end; ++kd)
    for (long kh = axis[1].begin; kh < axis[1].end; ++kh)
      for (long kw = axis[2].begin; kw < axis[2].end; ++kw) {
        const long tap = (kd * shape.kernel[1] + kh) * shape.kernel[2] + kw;
        const long pixel = input_pixel(shape, window, kd, kh, kw);
        sum += (args.src[pixel * args.src_pitch + c] - zero_point_of(args, *packed.header)) *
               packed.weights[tap * shape.in_channels + c];
      }
  return sum;
}

void run(const ConvShape& shape, const ConvArgs& args, Part part) {
  const Packed packed = unpack(shape, args.weights);
  for_rows_and_chunks(
      out_rows(shape), shape.in_channels, part, [&](long row, long first, long last) {
        Window window = row_window(shape, row);
        for (long x = 0; x < shape.out[2]; ++x) {
          window.axis[2] = axis_window(shape, 2, x);
          for (long c = first; c < last; ++c) {
            const float multiplier = args.src_scale != nullptr
                                         ? packed.multiplier[c] * *args.src_scale
                                         : packed.multiplier[c];
            const float t =
                scale_accumulator(accumulate(shape, args, packed, window, c), multiplier,
                                  packed.float_bias[c], adds_bias_apart(args.epilogue));
            write_reference(args.epilogue, t, row * shape.out[2] + x, c, args.dst, args.dst_pitch);
          }
        }
      });
}

}  // namespace

extern const ConvKernel depthwise_reference;
const ConvKernel depthwise_reference = {
    "depthwise_reference", Isa::scalar, refuses, packed_bytes, pack, scratch_bytes, run};

}  // namespace intact::kernels
