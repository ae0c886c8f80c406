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

/// A tile of `side * lane_count` rows and `side` columns: side 16 of 1 byte, or 4 of 4. There are
/// fewer columns where `columns` says so; `whole_loads` tells that reading as if there were not is
/// safe, and that all rows are there.
template <int side, bool whole_loads>
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
    w[k] = whole_loads ? load_lanes(from, stride)
                       : load_lanes_first(from, stride, columns * element_bytes,
                                          (rows - k + side - 1) / side);
  }
  transpose(w);
  for (int k = 0; k < side; ++k) {
    if (k == columns) break;
    const Bytes x = Bytes{w[k].value} ^ flip;
    if constexpr (whole_loads) {
      store(dst + k * piece.dst_pitch, x);
    } else {
      store_first(dst + k * piece.dst_pitch, x, rows * element_bytes);
    }
  }
}

template <int side>
void transpose_tiles(const Transpose& piece) {
  constexpr int tile_rows = side * lane_count;
  constexpr int element_bytes = 16 / side;
  Bytes flip;
  broadcast(flip, piece.flip);
  // Reading 16 bytes where a row has fewer is safe before the end of the last row.
  const std::ptrdiff_t end = (piece.rows - 1) * piece.src_pitch + piece.columns * element_bytes;
  for (std::int64_t row = 0; row < piece.rows; row += tile_rows) {
    const int rows = smaller(piece.rows - row, tile_rows);
    for (std::int64_t column = 0; column < piece.columns; column += side) {
      const int columns = smaller(piece.columns - column, side);
      const std::ptrdiff_t reached =
          (row + tile_rows - 1) * piece.src_pitch + column * element_bytes + 16;
      if (rows == tile_rows && (columns == side || (piece.src_pitch > 0 && reached <= end))) {
        transpose_tile<side, true>(piece, row, column, rows, columns, flip);
      } else {
        transpose_tile<side, false>(piece, row, column, rows, columns, flip);
      }
    }
  }
}

// --- transposes with 2 to 4 rows or columns that lie without gaps: images and channel shuffles

/// The part of `piece` from column `first` on.
[[gnu::always_inline]] inline Transpose columns_from(const Transpose& piece, std::int64_t first,
                                                     int element_bytes) {
  Transpose rest = piece;
  rest.src += first * element_bytes;
  rest.dst += first * piece.dst_pitch;
  rest.columns -= first;
  return rest;
}
/// The part of `piece` from row `first` on.
[[gnu::always_inline]] inline Transpose rows_from(const Transpose& piece, std::int64_t first,
                                                  int element_bytes) {
  Transpose rest = piece;
  rest.src += first * piece.src_pitch;
  rest.dst += first * element_bytes;
  rest.rows -= first;
  return rest;
}

/// Two rows of bytes: interleaves them. At least 16 columns; the last 16 may overlap those before.
void interleave_two(const Transpose& piece) {
  const __m128i flip = _mm_set1_epi8(static_cast<char>(piece.flip));
  for (std::int64_t next = 0; next < piece.columns; next += 16) {
    const std::int64_t column = next + 16 <= piece.columns ? next : piece.columns - 16;
    const auto* src = reinterpret_cast<const __m128i*>(piece.src + column);
    const auto* below = reinterpret_cast<const __m128i*>(piece.src + piece.src_pitch + column);
    auto* dst = reinterpret_cast<__m128i*>(piece.dst + 2 * column);
    const __m128i a = _mm_xor_si128(_mm_loadu_si128(src), flip);
    const __m128i b = _mm_xor_si128(_mm_loadu_si128(below), flip);
    _mm_storeu_si128(dst, _mm_unpacklo_epi8(a, b));
    _mm_storeu_si128(dst + 1, _mm_unpackhi_epi8(a, b));
  }
}

/// Three rows of bytes; returns how many columns are done.
std::int64_t interleave_three(const Transpose& piece) {
  Ints flip;
  broadcast(flip, piece.flip * 0x010101);
  std::int64_t column = 0;
  for (; column + Floats::size <= piece.columns; column += Floats::size) {
    const std::uint8_t* src = piece.src + column;
    const Ints pixels = widen(src) | shift_left<8>(widen(src + piece.src_pitch)) |
                        shift_left<16>(widen(src + 2 * piece.src_pitch));
    store_triples(piece.dst + 3 * column, pixels ^ flip);
  }
  return column;
}

/// Three columns of bytes; returns how many rows are done.
std::int64_t separate_three(const Transpose& piece) {
  Ints flip, low_byte;
  broadcast(flip, piece.flip * 0x010101);
  broadcast(low_byte, 255);
  std::int64_t row = 0;
  for (; row + Floats::size <= piece.rows; row += Floats::size) {
    const Ints pixels = load_triples(piece.src + 3 * row) ^ flip;
    const auto put = [&](int column, Ints q) __attribute__((always_inline)) {
      store_first(piece.dst + column * piece.dst_pitch + row, narrow(q & low_byte, 0),
                  Floats::size);
    };
    put(0, pixels);
    put(1, shift_right<8>(pixels));
    put(2, shift_right<16>(pixels));
  }
  return row;
}

/// Two to four rows of 4-byte elements; returns how many columns are done. Each column is stored as
/// 16 bytes, the excess of which the next column overwrites; so the last ones are left out.
std::int64_t interleave_words(const Transpose& piece) {
  constexpr int width = Floats::size;
  Ints flip;
  broadcast(flip, static_cast<std::int32_t>(piece.flip * 0x01010101u));
  std::int64_t column = 0;
  for (; column + width + 2 <= piece.columns; column += width) {
    Ints w[4];
    for (int k = 0; k < 4; ++k) {
      broadcast(w[k], 0);
      if (k >= piece.rows) continue;
      Bytes row;
      load(row, piece.src + k * piece.src_pitch + 4 * column);
      w[k] = Ints{row.value} ^ flip;
    }
    transpose(w);
    std::uint8_t* dst = piece.dst + column * piece.dst_pitch;
    store_lanes_ascending(dst, piece.dst_pitch, w);
  }
  return column;
}

void transpose_1_all(const Transpose& piece) {
  if (piece.rows == 2 && piece.dst_pitch == 2 && piece.columns >= 16) return interleave_two(piece);
  if (piece.rows == 3 && piece.dst_pitch == 3) {
    return transpose_tiles<16>(columns_from(piece, interleave_three(piece), 1));
  }
  if (piece.columns == 3 && piece.src_pitch == 3) {
    return transpose_tiles<16>(rows_from(piece, separate_three(piece), 1));
  }
  transpose_tiles<16>(piece);
}

void transpose_4_all(const Transpose& piece) {
  if (piece.rows >= 2 && piece.rows <= 4 && piece.dst_pitch == 4 * piece.rows) {
    return transpose_tiles<4>(columns_from(piece, interleave_words(piece), 4));
  }
  transpose_tiles<4>(piece);
}

void split_row_all(const SplitRow& row) {
  constexpr int width = Bytes::size;
  std::int64_t i = 0;
  for (; i + width <= row.count; i += width) {
    Bytes high, low;
    load_split(high, low, row.src + i);
    store(row.high + i, high);
    store(row.low + i, low);
  }
  for (; i < row.count; ++i) {
    row.high[i] = static_cast<std::uint8_t>(row.src[i] >> 8);
    row.low[i] = static_cast<std::uint8_t>(row.src[i] & 255);
  }
}

}  // namespace

void isa::split_row(const SplitRow& row) {
  split_row_all(row);
}
void isa::copy_rows(const RowCopy& piece) {
  copy_rows_all(piece);
}
void isa::transpose_1(const Transpose& piece) {
  transpose_1_all(piece);
}
void isa::transpose_4(const Transpose& piece) {
  transpose_4_all(piece);
}

}  // namespace intact::kernels
