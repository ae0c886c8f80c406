// Comparisons, choices and conversions of elements of any type, over `rows` rows of `channels`
// contiguous elements. Row r of an operand is at data + r * pitch (in elements); pitch 0 repeats
// one row, `step` 0 repeats one element along its row. Nothing outside [row][0, channels) of dst is
// written, nothing outside of the operands is read. Plain header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/thread_team.hpp"
#include "intact/isa.hpp"

namespace intact::kernels {

/// Booleans are bytes that are 0 or 1.
enum class ElementKind : std::uint8_t { boolean, u8, s8, s32, s64, f32 };
constexpr std::ptrdiff_t bytes_of_kind(ElementKind element) {
  switch (element) {
    case ElementKind::s32:
    case ElementKind::f32:
      return 4;
    case ElementKind::s64:
      return 8;
    default:
      return 1;
  }
}

struct AnyOperand {
  const void* data = nullptr;
  std::ptrdiff_t pitch = 0;
  int step = 1;  ///< 1 or 0
};

/// dst = a op b as a boolean; comparisons with NaN are false. The last three are of booleans.
enum class Relation : std::uint8_t { equal, less, less_or_equal, both, either, one };
struct CompareArgs {
  Relation relation = Relation::equal;
  ElementKind type = ElementKind::f32;
  std::int64_t rows = 0, channels = 0;
  AnyOperand a, b;
  void* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
};
struct CompareKernel {
  const char* name;
  Isa isa;
  void (*run)(const CompareArgs&, Part part);
};
std::span<const CompareKernel> compare_kernels();

/// dst = condition ? a : b, copies of elements of 1, 4 or 8 bytes.
struct SelectArgs {
  int element_bytes = 1;
  std::int64_t rows = 0, channels = 0;
  AnyOperand condition;  ///< of booleans
  AnyOperand a, b;
  void* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
};
struct SelectKernel {
  const char* name;
  Isa isa;
  void (*run)(const SelectArgs&, Part part);
};
std::span<const SelectKernel> select_kernels();

/// Converts one row, as C++ converts: integers wrap, booleans are x != 0. From f32 to f32 and
/// boolean only.
struct CastArgs {
  ElementKind from = ElementKind::boolean, to = ElementKind::f32;
  std::int64_t channels = 0;
  const void* src = nullptr;
  void* dst = nullptr;
};
struct CastKernel {
  const char* name;
  Isa isa;
  void (*run)(const CastArgs&, Part part);
};
std::span<const CastKernel> cast_kernels();

}  // namespace intact::kernels
