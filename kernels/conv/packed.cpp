// Packs convolution weights for the tile kernels; see packed.hpp for the format.
#include "kernels/conv/packed.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/conv/rests.hpp"
#include "kernels/epilogue_reference.hpp"

namespace intact::kernels {
namespace {

constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

constexpr std::int64_t steps_up(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step;
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

/// Where a byte of K comes from: a pixel of the window, and a channel of the joined groups.
struct KPlace {
  std::int32_t pixel = -1;  ///< none: the byte only fills up
  std::int32_t channel = 0;
};

/// The places of all bytes of K, [tap][byte]; empty where they are those of the weights in memory.
std::vector<KPlace> k_places(const ConvShape& shape, const ConvBlocking& blocking) {
  const bool joined = shape.groups != blocking.groups;
  if (!blocking.folds_width || (!joined && blocking.folded_lines == 1)) return {};
  const std::int64_t lines = blocking.folded_lines, channels = blocking.group_in;
  const std::int64_t across = lines > 1 ? shape.stride[2] : shape.kernel[2];
  const std::int64_t line_groups = (shape.kernel[1] + lines - 1) / lines;
  const auto size = static_cast<std::size_t>(blocking.taps * blocking.tap_bytes);
  std::vector<KPlace> places;
  places.reserve(size);
  for (std::int64_t tap = 0; tap < blocking.taps; ++tap)
    for (std::int64_t k = 0; k < blocking.tap_bytes; ++k) {
      const std::int64_t unit = k / (lines * across * channels), in_unit = k / channels;
      const std::int64_t x = unit * across + in_unit % across;
      const std::int64_t y = tap % line_groups * lines + in_unit / across % lines;
      const bool inside = x < shape.kernel[2] && y < shape.kernel[1];
      const std::int64_t pixel = (tap / line_groups * shape.kernel[1] + y) * shape.kernel[2] + x;
      places.push_back({inside ? static_cast<std::int32_t>(pixel) : -1,
                        static_cast<std::int32_t>(k % channels)});
    }
  return places;
}

/// The weights of one output channel as the blocking sees them. Bytes that are not its own count as
/// zero.
struct ColumnSource {
  ColumnSource(const ConvShape& shape, const ConvBlocking& blocking, const ConvWeights& weights,
               const std::vector<KPlace>& k_places, std::int64_t channel,
               std::int64_t channel_in_joined)
      : inputs(shape.group_in_channels()),
        first(channel_in_joined / (shape.out_channels / shape.groups) * inputs),
        tap_inputs(blocking.folds_width ? blocking.tap_bytes : inputs),
        data(weights.data + channel * shape.taps() * inputs),
        zero_point(weights.zero_point != nullptr ? weights.zero_point[channel] : 0),
        places(k_places) {}
  /// Byte k of a tap where places are given.
  std::int8_t placed(std::int64_t at) const {
    const KPlace& place = places[static_cast<std::size_t>(at)];
    const std::int64_t own = place.channel - first;
    const bool found = place.pixel >= 0 && own >= 0 && own < inputs;
    return found ? data[place.pixel * inputs + own] : static_cast<std::int8_t>(zero_point);
  }
  std::int64_t inputs;      ///< channels of a pixel that are this channel's
  std::int64_t first;       ///< of them among those of the joined groups
  std::int64_t tap_inputs;  ///< without places: bytes of a tap that are this channel's
  const std::int8_t* data;  ///< [pixel of the window][inputs]
  std::int32_t zero_point;
  const std::vector<KPlace>& places;
};

/// Writes the bytes of one tap, 4 at a time, and returns their sum. `to` is the first group of 4 of
/// the column, `stride` leads to the next one.
std::int64_t pack_placed_tap(const ConvBlocking& blocking, const ColumnSource& source,
                             std::int64_t tap, std::int8_t* to, std::int64_t stride) {
  std::int64_t sum = 0;
  for (std::int64_t k = 0; k < blocking.tap_bytes; ++k) {
    const std::int8_t weight = source.placed(tap * blocking.tap_bytes + k);
    to[k / 4 * stride + k % 4] = weight;
    sum += weight;
  }
  return sum;
}

std::int64_t pack_tap(const ConvBlocking& blocking, const ColumnSource& source, std::int64_t tap,
                      std::int8_t* to, std::int64_t stride) {
  if (!source.places.empty()) return pack_placed_tap(blocking, source, tap, to, stride);
  const std::int8_t* from = source.data + tap * source.tap_inputs;
  std::int64_t sum = source.zero_point * (blocking.tap_bytes - source.tap_inputs);
  for (std::int64_t k = 0; k < source.tap_inputs; ++k) sum += from[k];
  for (std::int64_t k = 0; k < blocking.tap_bytes; k += 4, to += stride) {
    const std::int64_t at = k - source.first;
    if (at >= 0 && at + 4 <= source.tap_inputs) {
      std::memcpy(to, from + at, 4);
    } else {
      for (std::int64_t i = 0; i < 4 && k + i < blocking.tap_bytes; ++i) {
        const bool own = at + i >= 0 && at + i < source.tap_inputs;
        to[i] = own ? from[at + i] : static_cast<std::int8_t>(source.zero_point);
      }
    }
  }
  return sum;
}

/// One column of a panel: weights and everything per channel.
void pack_column(const ConvShape& shape, const ConvBlocking& blocking, const ConvWeights& weights,
                 const std::vector<KPlace>& places, std::int64_t group, const ConvPanel& panel,
                 int column, std::int64_t channel_in_group, PackedConv& packed) {
  const std::int64_t slot = group * blocking.padded_out + panel.begin + column;
  const std::int64_t channel = group * blocking.group_out + channel_in_group;
  const ColumnSource source(shape, blocking, weights, places, channel, channel_in_group);
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

ConvBlocking::ConvBlocking(const ConvPacking& packing, const ConvShape& shape) {
  const std::int64_t joined = joined_groups(shape);
  groups = shape.groups / joined;
  group_in = shape.in_channels / groups;
  group_out = shape.out_channels / groups;
  const bool copied = packing.copies_lines || (shape.groups == 1 && shape.in_channels <= 16);
  folds_width = copied && shape.kernel[2] > 1 && shape.dilation[2] == 1;
  if (packing.copies_lines && shape.stride[2] > shape.kernel[2]) folds_width = false;
  if (folds_width) {
    constexpr std::int64_t slack = 64;
    const std::int64_t pixels = (shape.out[2] - 1) * shape.stride[2] + shape.kernel[2];
    line_bytes = round_up(pixels * shape.in_channels + slack, 64);
    tap_step = shape.kernel[0] == 1 ? shape.dilation[1] * line_bytes : 0;
  }
  taps = folds_width ? shape.kernel[0] * shape.kernel[1] : shape.taps();
  tap_bytes = folds_width ? shape.kernel[2] * group_in : group_in;
  const auto steps_of = [&](std::int64_t bytes) {
    return (bytes + packing.step_bytes - 1) / packing.step_bytes;
  };
  if (packing.copies_lines && folds_width && shape.dilation[1] == 1 && shape.stride[1] > 1 &&
      shape.stride[1] <= shape.kernel[1]) {
    const std::int64_t lines = shape.stride[1], units = steps_up(shape.kernel[2], shape.stride[2]);
    const std::int64_t all_taps = shape.kernel[0] * steps_up(shape.kernel[1], lines);
    const std::int64_t all_bytes = units * shape.stride[2] * lines * group_in;
    if (all_taps * steps_of(all_bytes) < taps * steps_of(tap_bytes)) {
      folded_lines = lines;
      taps = all_taps;
      tap_bytes = all_bytes;
    }
  }
  steps = steps_of(tap_bytes);
  step_groups = steps > 0 ? steps_up(tap_bytes, steps * 4) : 0;
  k_groups = steps * step_groups;
  padded_out = round_up(group_out, 16);
}

ConvPanel panel_at(const ConvBlocking& blocking, const ConvPacking& packing, std::int64_t begin) {
  for (int tile = 0; tile < packing.width_count; ++tile)
    if (packing.widths[tile] <= blocking.padded_out - begin)
      return {begin, packing.widths[tile], tile};
  return {begin, 0, 0};  // begin == padded_out
}

PackedConv::PackedConv(const ConvPacking& packing, const ConvBlocking& blocking,
                       const ConvShape& shape, void* packed) {
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
  const std::size_t vectors = packing.keeps_rests ? columns / 8 : 0;
  const std::size_t entries = vectors * most_rests(blocking);
  place(k_offsets, columns / 16 * (packing.keeps_rests ? column_groups(blocking) : 0));
  place(rests, vectors);
  place(rest_runs, entries);
  place(rest_offsets, entries);
  place(rest_weights, entries * rest_bytes);
  bytes = at;
}

ConvGrid grid_at_run_time(const PackedConv& packed, const ConvBlocking& blocking,
                          const ConvArgs& args, std::int32_t* bias, float* multiplier) {
  ConvGrid grid{packed.header->src_zero_point, packed.bias, packed.multiplier};
  const std::int64_t columns = blocking.total_columns();
  if (args.src_zero_point != nullptr) {
    const std::int32_t raised = *args.src_zero_point - grid.src_zero_point;
    for (std::int64_t slot = 0; slot < columns; ++slot)
      bias[slot] = packed.bias[slot] - raised * packed.sum[slot];
    grid.src_zero_point = *args.src_zero_point;
    grid.bias = bias;
  }
  if (args.src_scale != nullptr) {
    for (std::int64_t slot = 0; slot < columns; ++slot)
      multiplier[slot] = packed.multiplier[slot] * *args.src_scale;
    grid.multiplier = multiplier;
  }
  return grid;
}

std::size_t packed_conv_bytes(const ConvPacking& packing, const ConvShape& shape) {
  return PackedConv(packing, ConvBlocking(packing, shape), shape, nullptr).bytes;
}

void pack_conv(const ConvPacking& packing, const ConvShape& shape, const ConvWeights& weights,
               void* packed_data) {
  const ConvBlocking blocking(packing, shape);
  PackedConv packed(packing, blocking, shape, packed_data);
  // The lists of rests stay as they are: most of their room is never touched.
  std::fill_n(static_cast<std::byte*>(packed_data),
              reinterpret_cast<std::byte*>(packed.k_offsets) - static_cast<std::byte*>(packed_data),
              std::byte{0});
  packed.header->src_zero_point = weights.src_zero_point;
  packed.header->is_constant = true;
  std::fill_n(packed.padding, shape.in_channels + 64,
              static_cast<std::uint8_t>(weights.src_zero_point));
  const std::vector<KPlace> places = k_places(shape, blocking);
  for (std::int64_t group = 0; group < blocking.groups; ++group) {
    ConvPanel panel = panel_at(blocking, packing, 0);
    for (; panel.width > 0; panel = panel_at(blocking, packing, panel.begin + panel.width)) {
      for (int column = 0; column < panel.width; ++column) {
        const std::int64_t channel =
            panel.begin + channel_of_column(column, panel.width, packing.lanes);
        if (channel < blocking.group_out)
          pack_column(shape, blocking, weights, places, group, panel, column, channel, packed);
      }
    }
  }
  if (packing.keeps_rests) pack_rests(blocking, packed);
}

}  // namespace intact::kernels
