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

}  // namespace intact::kernels
