// Float to integers of 8 or 16 bits and back. Plain header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "core/thread_team.hpp"
#include "intact/isa.hpp"
#include "kernels/value_range.hpp"

namespace intact::kernels {

/// q = clamp(half_even(x / scale) + zero_point, lower, upper) with a true float division, as ONNX
/// QuantizeLinear. Infinities saturate, NaN gives `lower`. Source element (b, c, p) is at
/// src[b * src_strides[0] + c * src_strides[1] + p * src_strides[2]] with p the pixel; so one
/// kernel reads channels-first or channels-last. Destination is channels-last u8 or u16: pixel (b,
/// p) at dst + (b * pixels + p) * dst_pitch. Fast for src_strides[1] == 1 (channels-last), and of
/// u8 for src_strides[2] == 1 (channels-first).
template <class Integer>
struct QuantizeArgsOf {
  std::int64_t batch = 1, channels = 0, pixels = 0;
  const float* src = nullptr;
  std::ptrdiff_t src_strides[3] = {0, 0, 0};  ///< batch, channel, pixel; in elements
  float scale = 1;
  std::int32_t zero_point = 0, lower = 0, upper = std::numeric_limits<Integer>::max();
  Integer* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
};
template <class Integer>
struct QuantizeKernelOf {
  const char* name;
  Isa isa;
  void (*run)(const QuantizeArgsOf<Integer>&, Part part);
};
using QuantizeArgs = QuantizeArgsOf<std::uint8_t>;
using QuantizeKernel = QuantizeKernelOf<std::uint8_t>;
using QuantizeWordsArgs = QuantizeArgsOf<std::uint16_t>;
using QuantizeWordsKernel = QuantizeKernelOf<std::uint16_t>;
std::span<const QuantizeKernel> quantize_kernels();
std::span<const QuantizeWordsKernel> quantize_words_kernels();

/// `count` floats one after the other.
struct RangeArgs {
  const float* src = nullptr;
  std::int64_t count = 0;
};
/// The range of 0 and of this part's share; NaN counts as nothing.
struct RangeKernel {
  const char* name;
  Isa isa;
  ValueRange (*run)(const RangeArgs&, Part part);
};
std::span<const RangeKernel> range_kernels();

/// x = float(q - zero_point) * scale. Source is channels-last u8 or u16 with src_pitch; destination
/// element (b, c, p) at dst[b * dst_strides[0] + c * dst_strides[1] + p * dst_strides[2]]. Fast for
/// the same strides.
template <class Integer>
struct DequantizeArgsOf {
  std::int64_t batch = 1, channels = 0, pixels = 0;
  const Integer* src = nullptr;
  std::ptrdiff_t src_pitch = 0;
  float scale = 1;
  std::int32_t zero_point = 0;
  float* dst = nullptr;
  std::ptrdiff_t dst_strides[3] = {0, 0, 0};
};
template <class Integer>
struct DequantizeKernelOf {
  const char* name;
  Isa isa;
  void (*run)(const DequantizeArgsOf<Integer>&, Part part);
};
using DequantizeArgs = DequantizeArgsOf<std::uint8_t>;
using DequantizeKernel = DequantizeKernelOf<std::uint8_t>;
using DequantizeWordsArgs = DequantizeArgsOf<std::uint16_t>;
using DequantizeWordsKernel = DequantizeKernelOf<std::uint16_t>;
std::span<const DequantizeKernel> dequantize_kernels();
std::span<const DequantizeWordsKernel> dequantize_words_kernels();

}  // namespace intact::kernels
