// Moving elements without changing them: strided copies that cover channels-first <->
// channels-last, transposes, slices and Concat slots. Plain header.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/thread_team.hpp"
#include "intact/isa.hpp"

namespace intact::kernels {

/// dst[sum i_k * dst_strides[k]] = src[sum i_k * src_strides[k]] over all indices; up to 8
/// dimensions, outermost first, strides in elements of `element_bytes` (1, 2, 4 or 8). `flip` is
/// xor-ed onto every byte (1-byte elements only): 0x80 turns s8 into u8 of the shifted grid and
/// back. Source and destination do not overlap. Fast where the innermost stride of both is 1, and
/// for two-dimensional transposes of 1- and 4-byte elements.
struct CopyArgs {
  int rank = 0;
  std::array<std::int64_t, 8> extents = {};
  std::array<std::ptrdiff_t, 8> src_strides = {}, dst_strides = {};
  int element_bytes = 1;
  std::uint8_t flip = 0;
  const void* src = nullptr;
  void* dst = nullptr;
};
struct CopyKernel {
  const char* name;
  Isa isa;
  void (*run)(const CopyArgs&, Part part);
};
std::span<const CopyKernel> copy_kernels();

/// The high and the low bytes of words, apart: high[r * dst_pitch + c] and low[r * dst_pitch + c]
/// of the word at src[r * src_pitch + c]. Nothing else is written, and nothing else is read.
struct SplitArgs {
  std::int64_t rows = 0, channels = 0;
  const std::uint16_t* src = nullptr;
  std::ptrdiff_t src_pitch = 0;
  std::uint8_t* high = nullptr;
  std::uint8_t* low = nullptr;
  std::ptrdiff_t dst_pitch = 0;
};
struct SplitKernel {
  const char* name;
  Isa isa;
  void (*run)(const SplitArgs&, Part part);
};
std::span<const SplitKernel> split_kernels();

}  // namespace intact::kernels
