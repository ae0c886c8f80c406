// Elements by position: gathering along an axis, the position of an extreme, the greatest elements
// of rows of bytes. Plain header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/thread_team.hpp"
#include "intact/isa.hpp"
#include "kernels/epilogue.hpp"

namespace intact::kernels {

/// dst[o][i] = src[o][index[i]] for blocks of `inner` bytes: src is [outer][extent][inner], dst
/// [outer][count][inner], both dense.
struct GatherArgs {
  std::int64_t outer = 1, extent = 1, count = 1, inner = 1;
  const std::int64_t* index = nullptr;  ///< [count], within [0, extent)
  const void* src = nullptr;
  void* dst = nullptr;
};
struct GatherKernel {
  const char* name;
  Isa isa;
  void (*run)(const GatherArgs&, Part part);
};
std::span<const GatherKernel> gather_kernels();

/// dst[o][i] = the position along the middle one of [outer][extent][inner] of the greatest (least)
/// element, the first of equal ones or the last. A float is greater than another only where `>`
/// says so: NaN is found in the first position alone.
struct ArgExtremeArgs {
  bool least = false, last = false;
  Output input = Output::u8;  ///< type of the source
  std::int64_t outer = 1, extent = 1, inner = 1;
  const void* src = nullptr;
  std::int64_t* dst = nullptr;  ///< [outer][inner]
};
struct ArgExtremeKernel {
  const char* name;
  Isa isa;
  void (*run)(const ArgExtremeArgs&, Part part);
};
std::span<const ArgExtremeKernel> arg_extreme_kernels();

/// The `count` greatest (least) bytes of each row in their order, of equal ones those that come
/// first in the row first, and their positions.
struct TopBytesArgs {
  bool least = false;
  std::int64_t rows = 1, length = 1, count = 1;  ///< count <= length
  const std::uint8_t* src = nullptr;
  std::uint8_t* values = nullptr;     ///< [rows][count] or null
  std::int64_t* positions = nullptr;  ///< [rows][count] or null
};
/// A sort by counting, which no vector instruction helps: one implementation.
struct TopBytesKernel {
  const char* name;
  Isa isa;
  void (*run)(const TopBytesArgs&, Part part);
};
std::span<const TopBytesKernel> top_bytes_kernels();

}  // namespace intact::kernels
