// Row copies and transposes, written once over the lane types of whichever lanes_*.hpp was included
// before this file. A transpose loads 16 bytes from each of several rows into one register, such
// that after a transpose within lanes each register is a piece of a destination row.
#pragma once

#include "kernels/layout/implementations.hpp"

namespace intact::kernels {
namespace {

[[gnu::always_inline]] inline int smaller(std::int64_t count, int limit) {
  return count < limit ? static_cast<int>(count) : limit;
}

// --- rows

/// `Piece` is an integer or vector type; two of them, which may overlap, cover `bytes` bytes.
template <class Piece>
[[gnu::always_inline]] inline void copy_ends(std::uint8_t* dst, const std::uint8_t* src,
                                             std::int64_t bytes, Piece flip) {
  Piece first, last;
  __builtin_memcpy(&first, src, sizeof(Piece));
  __builtin_memcpy(&last, src + bytes - sizeof(Piece), sizeof(Piece));
  first ^= flip;
  last ^= flip;
  __builtin_memcpy(dst, &first, sizeof(Piece));
  __builtin_memcpy(dst + bytes - sizeof(Piece), &last, sizeof(Piece));
}

/// Fewer than 64 bytes.
[[gnu::always_inline]] inline void copy_short(std::uint8_t* dst, const std::uint8_t* src,
                                              std::int64_t bytes, std::uint8_t flip) {
  if (bytes >= 32) return copy_ends(dst, src, bytes, _mm256_set1_epi8(static_cast<char>(flip)));
  if (bytes >= 16) return copy_ends(dst, src, bytes, _mm_set1_epi8(static_cast<char>(flip)));
  if (bytes >= 8) return copy_ends<std::uint64_t>(dst, src, bytes, flip * 0x0101010101010101u);
  if (bytes >= 4) return copy_ends<std::uint32_t>(dst, src, bytes, flip * 0x01010101u);
  for (std::int64_t i = 0; i < bytes; ++i) dst[i] = src[i] ^ flip;
}

/// At least 64 bytes. The last vector may overlap the one before it.
[[gnu::always_inline]] inline void copy_long(std::uint8_t* dst, const std::uint8_t* src,
                                             std::int64_t bytes, Bytes flip) {
  Bytes x;
  for (std::int64_t i = 0; i + Bytes::size <= bytes; i += Bytes::size) {
    load(x, src + i);
    store(dst + i, x ^ flip);
  }
  load(x, src + bytes - Bytes::size);
  store(dst + bytes - Bytes::size, x ^ flip);
}

/// Rows of a length known here: elements with strides.
template <class Element>
[[gnu::always_inline]] inline void copy_elements(const RowCopy& piece, Element flip) {
  for (std::int64_t row = 0; row < piece.rows; ++row) {
    Element x;
    __builtin_memcpy(&x, piece.src + row * piece.src_pitch, sizeof(Element));
    x ^= flip;
    __builtin_memcpy(piece.dst + row * piece.dst_pitch, &x, sizeof(Element));
  }
}

void copy_rows_all(const RowCopy& piece) {
  switch (piece.bytes) {
    case 1:
      return copy_elements<std::uint8_t>(piece, piece.flip);
    case 2:
      return copy_elements<std::uint16_t>(piece, piece.flip * 0x0101u);
    case 4:
      return copy_elements<std::uint32_t>(piece, piece.flip * 0x01010101u);
    case 8:
      return copy_elements<std::uint64_t>(piece, piece.flip * 0x0101010101010101u);
    default:
      break;
  }
  // The C library's copy is the best for what exceeds the caches.
  constexpr std::int64_t huge = 1 << 15;
  Bytes flip;
  broadcast(flip, piece.flip);
  for (std::int64_t row = 0; row < piece.rows; ++row) {
    const std::uint8_t* src = piece.src + row * piece.src_pitch;
    std::uint8_t* dst = piece.dst + row * piece.dst_pitch;
    if (piece.bytes < 64) {
      copy_short(dst, src, piece.bytes, piece.flip);
    } else if (piece.bytes >= huge && piece.flip == 0) {
      __builtin_memcpy(dst, src, static_cast<std::size_t>(piece.bytes));
    } else {
      copy_long(dst, src, piece.bytes, flip);
    }
  }
}

// --- transposes

/// Within each lane, byte i of w[k] changes places with byte k of w[i]. Four times the same
/// interleaving, each of which moves one bit of the row's number into that of the column.
[[gnu::always_inline]] inline void transpose(Ints (&w)[16]) {
  for (int round = 0; round < 4; ++round) {
    Ints next[16];
    for (int i = 0; i < 8; ++i) {
      next[2 * i] = interleave_low(w[i], w[i + 8]);
      next[2 * i + 1] = interleave_high(w[i], w[i + 8]);
    }
    for (int i = 0; i < 16; ++i) w[i] = next[i];
  }
}

/// A tile of `side * lane_count` rows and `side` columns, or fewer: side 16 of 1 byte, or 4 of 4.
template <int side, bool full>
[[gnu::always_inline]] inline void transpose_tile(const Transpose& piece, std::int64_t row,
                                                  std::int64_t column, int rows, int columns,
                                                  Bytes flip) {
  constexpr int element_bytes = 16 / side;
  const std::uint8_t* src = piece.src + row * piece.src_pitch + column * element_bytes;
  std::uint8_t* dst = piece.dst + column * piece.dst_pitch + row * element_bytes;
  Ints w[side];
  for (int k = 0; k < side; ++k) {
    const std::uint8_t* from = src + k * piece.src_pitch;
    const std::ptrdiff_t stride = side * piece.src_pitch;
    w[k] = full ? load_lanes(from, stride)
                : load_lanes_first(from, stride, columns * element_bytes,
                                   (rows - k + side - 1) / side);
  }
  transpose(w);
  for (int k = 0; k < side; ++k) {
    if (!full && k >= columns) break;
    const Bytes x = Bytes{w[k].value} ^ flip;
    if constexpr (full) {
      store(dst + k * piece.dst_pitch, x);
    } else {
      store_first(dst + k * piece.dst_pitch, x, rows * element_bytes);
    }
  }
}

template <int side>
void transpose_tiles(const Transpose& piece) {
  constexpr int tile_rows = side * lane_count;
  Bytes flip;
  broadcast(flip, piece.flip);
  for (std::int64_t row = 0; row < piece.rows; row += tile_rows) {
    const int rows = smaller(piece.rows - row, tile_rows);
    for (std::int64_t column = 0; column < piece.columns; column += side) {
      const int columns = smaller(piece.columns - column, side);
      if (rows == tile_rows && columns == side) {
        transpose_tile<side, true>(piece, row, column, rows, columns, flip);
      } else {
        transpose_tile<side, false>(piece, row, column, rows, columns, flip);
      }
    }
  }
}

void transpose_1_all(const Transpose& piece) {
  transpose_tiles<16>(piece);
}
void transpose_4_all(const Transpose& piece) {
  transpose_tiles<4>(piece);
}

}  // namespace
}  // namespace intact::kernels
