// How the AVX-512 kernels cut channels into vectors. Plain header; internal linkage, because it is
// compiled into files with different instruction sets.
//
// A vector has four lanes of 16 bytes. A chunk of `width` channels (64, 32 or 16) fills it with
// 64 / width different output positions, so that channel counts such as 16, 96 or 144 lose nothing
// to half-empty vectors. Between interleaving and packing, accumulator j holds in lane l, element i
// the channel 16 * (l modulo width / 16) + 4 * j + i of the chunk: the order in which the byte
// interleaves leave and from which the saturating packs restore the natural one.
#pragma once

#include "kernels/depthwise/packed.hpp"
#include "kernels/depthwise/plane_windows.hpp"
#include "kernels/epilogue_reference.hpp"

namespace intact::kernels {
namespace {

struct Chunk {
  long channel = 0;  ///< the first
  int width = 64;
  int channels = 64;  ///< of `width`, those that exist
  int positions() const { return 64 / width; }
};

struct Chunks {
  long channels;
  /// A rest of 33..48 channels is a chunk of 32 and one of 16; any other is one chunk.
  bool two_tails() const { return channels % 64 > 32 && channels % 64 <= 48; }
  long count() const { return channels / 64 + (channels % 64 > 0) + two_tails(); }

  Chunk operator[](long index) const {
    Chunk chunk;
    chunk.channel = index * 64;
    if (index == channels / 64 + 1) {
      chunk.channel -= 32;
      chunk.width = 16;
    } else if (index == channels / 64) {
      const long rest = channels % 64;
      chunk.width = rest <= 16 ? 16 : rest <= 48 ? 32 : 64;
    }
    const long left = channels - chunk.channel;
    chunk.channels = left < chunk.width ? static_cast<int>(left) : chunk.width;
    return chunk;
  }
  /// The most output positions that a chunk takes at once.
  int positions() const { return (*this)[count() - 1].positions(); }

  /// A block of positions() output positions falls into items of equal cost: a chunk of channels at
  /// as many positions as fill a vector. Item `part` of chunk `chunk` starts at position
  /// part * (*this)[chunk].positions() of the block.
  struct Item {
    long chunk;
    int part;
  };
  long items() const {
    const long block = positions();
    long total = channels / 64 * block;
    for (long i = channels / 64; i < count(); ++i) total += block / (*this)[i].positions();
    return total;
  }
  Item item(long index) const {
    const int block = positions();
    const long full = channels / 64;
    if (index < full * block) return {index / block, static_cast<int>(index % block)};
    index -= full * block;
    const long in_first_tail = block / (*this)[full].positions();
    if (index < in_first_tail) return {full, static_cast<int>(index)};
    return {full + 1, static_cast<int>(index - in_first_tail)};
  }
};

/// Divides positions [0, count) times chunks; calls body(chunk index, chunk, first position). Work
/// comes in blocks of as many positions as the narrowest chunk takes at once; within a block, wider
/// chunks take several items, so that all items cost the same.
template <typename Body>
[[maybe_unused]] void for_items(const Chunks& chunks, long count, Part part, Body body) {
  const long block = chunks.positions(), items = chunks.items();
  const Range range = split((count + block - 1) / block * items, part);
  for (long i = range.begin; i < range.end; ++i) {
    const Chunks::Item item = chunks.item(i % items);
    const Chunk chunk = chunks[item.chunk];
    const long first = i / items * block + item.part * chunk.positions();
    if (first < count) body(item.chunk, chunk, first);
  }
}

/// The channel within its chunk of element `element` (64 to the vector quadruple: 16 * j + 4 * l +
/// i).
[[maybe_unused]] int chunk_channel(const Chunk& chunk, int element) {
  const int j = element / 16, lane = element / 4 % 4, i = element % 4;
  return 16 * (lane % (chunk.width / 16)) + 4 * j + i;
}

/// Per chunk and element: what follows the weights.
struct ChunkConstants {
  alignas(64) std::int32_t bias[64];
  alignas(64) std::int32_t sum[64];  ///< weight_sum
  alignas(64) float multiplier[64];
  alignas(64) float float_bias[64];
};

[[maybe_unused]] void pack_constants(const ConvShape& shape, const ConvWeights& weights,
                                     const Chunk& chunk, ChunkConstants* constants) {
  for (int element = 0; element < 64; ++element) {
    const int within = chunk_channel(chunk, element);
    const bool exists = within < chunk.channels;
    const long c = chunk.channel + within;
    constants->bias[element] = exists ? corrected_bias(weights, shape.taps(), c) : 0;
    constants->sum[element] = exists ? weight_sum(weights, shape.taps(), c) : 0;
    constants->multiplier[element] = exists ? weights.multiplier[c] : 0.0f;
    constants->float_bias[element] =
        exists && weights.float_bias ? weights.float_bias[c] : no_float_bias;
  }
}

}  // namespace
}  // namespace intact::kernels
