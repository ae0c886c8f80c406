// What each instruction set implements of this family: two-dimensional pieces that layout.cpp cuts
// every copy into. All pitches are in bytes. Plain header.
#pragma once

#include "kernels/layout/layout.hpp"

namespace intact::kernels {

/// `rows` rows of `bytes` contiguous bytes.
struct RowCopy {
  const std::uint8_t* src;
  std::uint8_t* dst;
  std::ptrdiff_t src_pitch, dst_pitch;
  std::int64_t rows, bytes;
  std::uint8_t flip;
};

/// Element (row, column) is at src + row * src_pitch + column * element_bytes and goes to
/// dst + column * dst_pitch + row * element_bytes.
struct Transpose {
  const std::uint8_t* src;
  std::uint8_t* dst;
  std::ptrdiff_t src_pitch, dst_pitch;
  std::int64_t rows, columns;
  std::uint8_t flip;
};

/// `count` words one after the other.
struct SplitRow {
  const std::uint16_t* src;
  std::uint8_t* high;
  std::uint8_t* low;
  std::int64_t count;
};

namespace avx512_vnni {
void split_row(const SplitRow& row);
void copy_rows(const RowCopy& piece);
void transpose_1(const Transpose& piece);
void transpose_4(const Transpose& piece);
}  // namespace avx512_vnni

namespace avx2 {
void split_row(const SplitRow& row);
void copy_rows(const RowCopy& piece);
void transpose_1(const Transpose& piece);
void transpose_4(const Transpose& piece);
}  // namespace avx2

/// The definition, one element after the other.
namespace reference {
void copy(const CopyArgs& args, Part part);
void split_row(const SplitRow& row);
}  // namespace reference

}  // namespace intact::kernels
