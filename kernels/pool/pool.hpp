// Pooling over channels-last u8 or u16 tensors. Plain header.
#pragma once

#include "kernels/conv/conv.hpp"
#include "kernels/element.hpp"

namespace intact::kernels {

/// Average kernels refuse windows of kMaxAverageWindow positions and more: |acc| stays below 2^31.
/// Callers keep windows of u16 to kMaxWordWindow positions for the same reason.
inline constexpr std::int64_t kMaxAverageWindow = std::int64_t{1} << 23;
inline constexpr std::int64_t kMaxWordWindow = std::int64_t{1} << 15;

/// shape.in_channels == shape.out_channels == channels; weights and groups are unused.
/// Max: padding never wins; with Extreme::least the minimum. Average: acc = sum over the window of
/// (a - src_zero_point), padding counts zero; t = float(acc) * (ratio / float(divisor)); q =
/// clamp(half_even(t) + zero_point, lower, upper). Output f32 (average only): writes t, with ratio
/// = scale_x. A global average is a window as large as the image. Max ignores src_zero_point,
/// ratio, zero_point, lower and upper. A window without any position inside the image gives 0 (the
/// greatest integer for Extreme::least) or acc = 0 with divisor 1. Of u16, max writes u16 without a
/// table and average f32. Sources are readable for 64 bytes beyond the last element.
enum class Divisor : std::uint8_t {
  inside,  ///< the number of positions inside the image
  padded,  ///< of the window, in padding counted up to the padded extent (ONNX ceil_mode rule)
  one      ///< a sum
};
enum class Extreme : std::uint8_t { greatest, least };
struct PoolArgs {
  Element input = Element::u8;  ///< or u16
  const void* src = nullptr;
  std::ptrdiff_t src_pitch = 0;
  void* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
  std::array<std::int64_t, 3> pad_end = {0, 0, 0};
  Divisor divisor = Divisor::inside;
  Extreme extreme = Extreme::greatest;
  std::int32_t src_zero_point = 0;
  float ratio = 1;  ///< scale_x / scale_y
  Output output = Output::u8;
  std::int32_t zero_point = 0, lower = 0, upper = 255;
  const std::uint8_t* table = nullptr;  ///< 256 entries, applied to q (max pooling included)
};

struct PoolKernel {
  const char* name;
  Isa isa;
  const char* (*refuses)(const ConvShape&);
  void (*run)(const ConvShape&, const PoolArgs&, Part part);
};

std::span<const PoolKernel> max_pool_kernels();
std::span<const PoolKernel> average_pool_kernels();

}  // namespace intact::kernels
