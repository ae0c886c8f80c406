// Packs a matrix of activations in the place of weights, each time the product runs: fast where
// neighbouring bytes of either axis are neighbours in memory. Gives what pack_conv gives for the
// same numbers, but for the rests of 16 bits: all products are widened where they would be needed.
#include <algorithm>
#include <cstring>

#include "kernels/conv/matrix_panel.hpp"
#include "kernels/conv/packed.hpp"
#include "kernels/conv/rests.hpp"
#include "kernels/epilogue_reference.hpp"

namespace intact::kernels {
namespace {

constexpr int widest_panel = 64;
constexpr std::uint8_t flip = 0x80;
constexpr std::uint32_t flip_4 = 0x80808080u;

/// Where four neighbouring channels go, in units of four columns.
int quad_in_packed_order(int quad, int width, int lanes) {
  const int per_row = width / (4 * lanes);
  return quad % per_row * lanes + quad / per_row;
}

/// Neighbouring columns are neighbours in memory: four rows at a time, interleaved byte by byte.
template <int lanes>
void pack_rows(const MatrixPanel& panel, std::int32_t* sums) {
  const int columns = panel.columns;
  alignas(64) std::uint8_t natural[widest_panel * 4] = {};
  for (std::int64_t k = 0; k < panel.depth; k += 4) {
    const auto rows = static_cast<int>(std::min<std::int64_t>(panel.depth - k, 4));
    const std::uint8_t* row[4];
    for (int i = 0; i < 4; ++i) row[i] = panel.data + (k + std::min(i, rows - 1)) * panel.k_stride;
    for (int c = 0; c < columns; ++c)
      for (int i = 0; i < 4; ++i) natural[4 * c + i] = row[i][c] ^ flip;
    if (rows < 4)
      for (int c = 0; c < columns; ++c)
        for (int i = rows; i < 4; ++i) natural[4 * c + i] = 0;
    for (int c = 0; c < columns; ++c)
      for (int i = 0; i < 4; ++i) sums[c] += static_cast<std::int8_t>(natural[4 * c + i]);
    std::int8_t* const to = panel.to + k * panel.width;
    for (int quad = 0; quad < panel.width / 4; ++quad)
      std::memcpy(to + quad_in_packed_order(quad, panel.width, lanes) * 16, natural + quad * 16,
                  16);
  }
}

/// The bytes of a column are neighbours in memory.
template <int lanes>
void pack_columns(const MatrixPanel& panel, std::int32_t* sums) {
  const std::ptrdiff_t stride = std::ptrdiff_t{panel.width} * 4;
  for (int c = 0; c < panel.columns; ++c) {
    const std::uint8_t* const from = panel.data + c * panel.column_stride;
    std::int8_t* to = panel.to + quad_in_packed_order(c / 4, panel.width, lanes) * 16 + c % 4 * 4;
    std::int32_t sum = 0;
    for (std::int64_t k = 0; k < panel.depth; ++k) sum += static_cast<std::int8_t>(from[k] ^ flip);
    std::int64_t k = 0;
    for (; k + 4 <= panel.depth; k += 4, to += stride) {
      std::uint32_t bytes;
      std::memcpy(&bytes, from + k, 4);
      bytes ^= flip_4;
      std::memcpy(to, &bytes, 4);
    }
    for (; k < panel.depth; ++k) to[k % 4] = static_cast<std::int8_t>(from[k] ^ flip);
    sums[c] = sum;
  }
}

template <int lanes>
void pack_panel(const MatrixPanel& panel, std::int32_t* sums) {
  if (panel.columns < panel.width || panel.depth < 4 * panel.k_groups)
    std::fill_n(panel.to, panel.k_groups * panel.width * 4, std::int8_t{0});
  std::int32_t natural[widest_panel] = {};
  (panel.column_stride == 1 ? pack_rows<lanes> : pack_columns<lanes>)(panel, natural);
  for (int quad = 0; quad < panel.width / 4; ++quad)
    std::copy_n(natural + 4 * quad, 4, sums + 4 * quad_in_packed_order(quad, panel.width, lanes));
}

/// Everything per column, as pack_conv has it. `sums` are in packed order.
void pack_channels(const ConvPanel& place, int lanes, const MatrixPanel& panel,
                   const ConvWeights& weights, const std::int32_t* sums, PackedConv& packed) {
  const auto depth = static_cast<std::int32_t>(panel.depth);
  for (int c = 0; c < panel.columns; ++c) {
    const std::int64_t channel = place.begin + c;
    const int column = quad_in_packed_order(c / 4, place.width, lanes) * 4 + c % 4;
    const std::int64_t slot = place.begin + column;
    const std::int32_t zero_point = weights.zero_point != nullptr ? weights.zero_point[channel] : 0;
    const std::int32_t sum = sums[column] - zero_point * depth;
    packed.sum[slot] = sum;
    packed.bias[slot] =
        (weights.bias != nullptr ? weights.bias[channel] : 0) - weights.src_zero_point * sum;
    packed.zero_point[slot] = zero_point;
    packed.multiplier[slot] = weights.multiplier[channel];
    packed.float_bias[slot] =
        weights.float_bias != nullptr ? weights.float_bias[channel] : no_float_bias;
    if (zero_point != 0) packed.header->has_zero_points = true;
  }
}

/// Leaves words for a tile that reads chains or words.
void widen_matrix_panel(const ConvBlocking& blocking, std::int64_t slot, PackedConv& packed) {
  const std::int64_t groups = blocking.k_groups,
                     entry = slot / 16 * groups * word_group_bytes / rest_bytes;
  packed.k_offsets[slot / 16 * groups] = no_chains;
  packed.rests[slot / 8] = packed.rests[slot / 8 + 1] = {0, entry, 0};
  widen_panel(packed.weights + slot * blocking.column_bytes(), groups,
              packed.rest_weights + entry * rest_bytes);
}

}  // namespace

void pack_matrix(const ConvPacking& packing, const ConvShape& shape, const ConvWeights& weights,
                 void* packed_data) {
  const ConvBlocking blocking(packing, shape);
  PackedConv packed(packing, blocking, shape, packed_data);
  // Columns that are no channel: their products are not stored, but must not read garbage floats.
  std::fill_n(static_cast<std::byte*>(packed_data),
              reinterpret_cast<std::byte*>(packed.weights) - static_cast<std::byte*>(packed_data),
              std::byte{0});
  packed.header->src_zero_point = weights.src_zero_point;
  std::fill_n(packed.padding, shape.in_channels + 64,
              static_cast<std::uint8_t>(weights.src_zero_point));
  const PackMatrixPanel pack = packing.pack_matrix_panel != nullptr ? packing.pack_matrix_panel
                               : packing.lanes == 4                 ? pack_panel<4>
                                                                    : pack_panel<2>;
  ConvPanel place = panel_at(blocking, packing, 0);
  for (; place.width > 0; place = panel_at(blocking, packing, place.begin + place.width)) {
    const ConvMatrix& matrix = *weights.matrix;
    MatrixPanel panel;
    panel.data = matrix.data + place.begin * matrix.column_stride;
    panel.k_stride = matrix.k_stride;
    panel.column_stride = matrix.column_stride;
    panel.depth = shape.in_channels;
    panel.k_groups = blocking.k_groups;
    panel.columns =
        static_cast<int>(std::min<std::int64_t>(place.width, shape.out_channels - place.begin));
    panel.width = place.width;
    panel.to = packed.weights + place.begin * blocking.column_bytes();
    alignas(64) std::int32_t sums[widest_panel];
    pack(panel, sums);
    if (packing.keeps_rests) widen_matrix_panel(blocking, place.begin, packed);
    pack_channels(place, packing.lanes, panel, weights, sums, packed);
  }
}

}  // namespace intact::kernels
