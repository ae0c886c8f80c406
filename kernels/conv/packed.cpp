// Packs convolution weights for the tile kernels; see packed.hpp for the format.
#include "kernels/conv/packed.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/conv/rests.hpp"
#include "kernels/epilogue_reference.hpp"

namespace intact::kernels {
namespace {

constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// The largest number of groups that together have at most 16 output channels.
std::int64_t joined_groups(const ConvShape& shape) {
  const std::int64_t out = shape.out_channels / shape.groups;
  std::int64_t joined = 1;
  for (std::int64_t n = 2; n * out <= 16; ++n)
    if (shape.groups % n == 0) joined = n;
  return joined;
}

/// Packed order (epilogue_avx512.hpp): the channel, within its panel, of a column.
int channel_of_column(int column, int width, int lanes) {
  const int elements = 4 * lanes, per_row = width / elements;
  const int vector = column / elements, lane = column % elements / 4;
  return 4 * (per_row * lane + vector) + column % 4;
}

/// Where the weights of one output channel lie among the bytes of a tap, as the blocking sees them:
/// joined groups, folded width. Bytes that belong to other groups count as zero.
struct ColumnSource {
  ColumnSource(const ConvShape& shape, const ConvBlocking& blocking, const ConvWeights& weights,
               std::int64_t channel, std::int64_t channel_in_joined)
      : inputs(blocking.folds_width ? blocking.tap_bytes : shape.group_in_channels()),
        first_byte(channel_in_joined / (shape.out_channels / shape.groups) * inputs),
        data(weights.data + channel * blocking.taps * inputs),
        zero_point(weights.zero_point != nullptr ? weights.zero_point[channel] : 0) {}
  std::int64_t inputs;      ///< bytes of a tap that are this channel's
  std::int64_t first_byte;  ///< of them within the tap
  const std::int8_t* data;  ///< [taps][inputs]
  std::int32_t zero_point;
};

/// Writes the bytes of one tap, 4 at a time, and returns their sum. `to` is the first group of 4 of
/// the column, `stride` leads to the next one.
std::int64_t pack_tap(const ConvBlocking& blocking, const ColumnSource& source, std::int64_t tap,
                      std::int8_t* to, std::int64_t stride) {
  const std::int8_t* from = source.data + tap * source.inputs;
  std::int64_t sum = source.zero_point * (blocking.tap_bytes - source.inputs);
  for (std::int64_t k = 0; k < source.inputs; ++k) sum += from[k];
  for (std::int64_t k = 0; k < blocking.tap_bytes; k += 4, to += stride) {
    const std::int64_t at = k - source.first_byte;
    if (at >= 0 && at + 4 <= source.inputs) {
      std::memcpy(to, from + at, 4);
    } else {
      for (std::int64_t i = 0; i < 4 && k + i < blocking.tap_bytes; ++i) {
        const bool own = at + i >= 0 && at + i < source.inputs;
        to[i] = own ? from[at + i] : static_cast<std::int8_t>(source.zero_point);
      }
    }
  }
  return sum;
}

/// One column of a panel: weights and everything per channel.
void pack_column(const ConvShape& shape, const ConvBlocking& blocking, const ConvWeights& weights,
                 std::int64_t group, const ConvPanel& panel, int column,
                 std::int64_t channel_in_group, PackedConv& packed) {
  const std::int64_t slot = group * blocking.padded_out + panel.begin + column;
  const std::int64_t channel = group * blocking.group_out + channel_in_group;
  const ColumnSource source(shape, blocking, weights, channel, channel_in_group);
  std::int8_t* to = packed.weights +
                    (group * blocking.padded_out + panel.begin) * blocking.column_bytes() +
                    column * 4;
  const std::int64_t stride = std::int64_t{panel.width} * 4;
  std::int64_t sum = 0;
  for (std::int64_t tap = 0; tap < blocking.taps; ++tap, to += blocking.k_groups * stride)
    sum += pack_tap(blocking, source, tap, to, stride);
  const std::int64_t zero_point = source.zero_point, src = weights.src_zero_point;
  const std::int64_t bias = weights.bias != nullptr ? weights.bias[channel] : 0;
  sum -= zero_point * blocking.taps * blocking.tap_bytes;
  packed.sum[slot] = static_cast<std::int32_t>(sum);
  packed.bias[slot] = static_cast<std::int32_t>(bias - src * sum);
  packed.zero_point[slot] = static_cast<std::int32_t>(zero_point);
  packed.multiplier[slot] = weights.multiplier[channel];
  packed.float_bias[slot] =
      weights.float_bias != nullptr ? weights.float_bias[channel] : no_float_bias;
  if (zero_point != 0) packed.header->has_zero_points = true;
}

}  // namespace

ConvBlocking::ConvBlocking(const ConvShape& shape) {
  const std::int64_t joined = joined_groups(shape);
  groups = shape.groups / joined;
  group_in = shape.in_channels / groups;
  group_out = shape.out_channels / groups;
  folds_width =
      shape.groups == 1 && shape.kernel[2] > 1 && shape.dilation[2] == 1 && shape.in_channels <= 16;
  taps = folds_width ? shape.kernel[0] * shape.kernel[1] : shape.taps();
  tap_bytes = folds_width ? shape.kernel[2] * shape.in_channels : group_in;
  k_groups = (tap_bytes + 3) / 4;
  padded_out = round_up(group_out, 16);
}

ConvPanel panel_at(const ConvBlocking& blocking, const ConvTiles& tiles, std::int64_t begin) {
  for (int tile = 0; tile < tiles.width_count; ++tile)
    if (tiles.widths[tile] <= blocking.padded_out - begin) return {begin, tiles.widths[tile], tile};
  return {begin, 0, 0};  // begin == padded_out
}

PackedConv::PackedConv(const ConvTiles& tiles, const ConvBlocking& blocking, const ConvShape& shape,
                       void* packed) {
  auto* const base = static_cast<std::byte*>(packed);
  const auto columns = static_cast<std::size_t>(blocking.total_columns());
  std::size_t at = 0;
  const auto place = [&](auto*& member, std::size_t count) {
    member = reinterpret_cast<std::remove_reference_t<decltype(member)>>(base + at);
    at += static_cast<std::size_t>(round_up(static_cast<std::int64_t>(count * sizeof *member), 64));
  };
  place(header, 1);
  place(multiplier, columns);
  place(float_bias, columns);
  place(bias, columns);
  place(zero_point, columns);
  place(sum, columns);
  place(padding, static_cast<std::size_t>(shape.in_channels) + 64);
  place(weights, columns * static_cast<std::size_t>(blocking.column_bytes()));
  const std::size_t vectors = tiles.keeps_rests ? columns / 8 : 0;
  const std::size_t entries = vectors * static_cast<std::size_t>(most_rests(blocking));
  place(rests, vectors);
  place(rest_runs, entries);
  place(rest_offsets, entries);
  place(rest_weights, entries * rest_bytes);
  bytes = at;
}

std::size_t packed_conv_bytes(const ConvTiles& tiles, const ConvShape& shape) {
  return PackedConv(tiles, ConvBlocking(shape), shape, nullptr).bytes;
}

void pack_conv(const ConvTiles& tiles, const ConvShape& shape, const ConvWeights& weights,
               void* packed_data) {
  const ConvBlocking blocking(shape);
  PackedConv packed(tiles, blocking, shape, packed_data);
  // The lists of rests stay as they are: most of their room is never touched.
  std::fill_n(static_cast<std::byte*>(packed_data),
              reinterpret_cast<std::byte*>(packed.rests) - static_cast<std::byte*>(packed_data),
              std::byte{0});
  packed.header->src_zero_point = weights.src_zero_point;
  std::fill_n(packed.padding, shape.in_channels + 64,
              static_cast<std::uint8_t>(weights.src_zero_point));
  for (std::int64_t group = 0; group < blocking.groups; ++group) {
    ConvPanel panel = panel_at(blocking, tiles, 0);
    for (; panel.width > 0; panel = panel_at(blocking, tiles, panel.begin + panel.width)) {
      for (int column = 0; column < panel.width; ++column) {
        const std::int64_t channel =
            panel.begin + channel_of_column(column, panel.width, tiles.lanes);
        if (channel < blocking.group_out)
          pack_column(shape, blocking, weights, group, panel, column, channel, packed);
      }
    }
  }
  if (tiles.keeps_rests) pack_rests(blocking, packed);
}

}  // namespace intact::kernels
