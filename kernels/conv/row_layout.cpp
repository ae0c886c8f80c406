// Geometry of copied lines; see row_layout.hpp.
#include "kernels/conv/row_layout.hpp"

#include <algorithm>

namespace intact::kernels {
namespace {

/// Rows of a chunk in bytes: they stay in the second-level cache while all panels pass.
constexpr std::int64_t chunk_bytes = 448 * 1024;
/// Rows whose quads are listed at a time.
constexpr std::int64_t most_rows = 4096;

constexpr std::int64_t steps_up(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step;
}

/// The largest even share of `total` that is not greater than `most`.
std::int64_t even_share(std::int64_t total, std::int64_t most) {
  most = std::max<std::int64_t>(most, 1);
  return std::max<std::int64_t>(steps_up(total, steps_up(total, most)), 1);
}

}  // namespace

RowLayout::RowLayout(const ConvShape& shape, const ConvBlocking& blocking) {
  const std::int64_t channels = std::max<std::int64_t>(blocking.group_in, 1);
  const std::int64_t outputs = std::max<std::int64_t>(shape.out[2], 1);
  in_place = shape.is_matrix_product();
  per_tap = !in_place &&
            ((shape.kernel[2] > 1 && !blocking.folds_width) ||
             (shape.kernel[1] > 1 && shape.dilation[1] > 1) || shape.stride[1] > shape.kernel[1]);
  pieces = 1;
  if (in_place) {
    constexpr std::int64_t grain = 64;  // blocks of any height end with the piece
    const std::int64_t most = std::clamp(chunk_bytes / channels / grain * grain, grain, most_rows);
    const std::int64_t total = std::max<std::int64_t>(shape.out_pixels(), 1);
    lines = rows = std::min(steps_up(even_share(total, most), grain) * grain, total);
    pitch = rows;
    step = line_pixels = line_step = unit_bytes = units = 0;
    line_bytes = plane_bytes = depth_bytes = piece_bytes = copy_capacity = 0;
    row_capacity = std::min(most, total);
    return;
  }
  const bool window = blocking.folds_width;
  const std::int64_t across = window ? shape.stride[2] : 1;
  line_step = window ? 1 : shape.stride[2];
  line_pixels = window ? (outputs - 1) * across + shape.kernel[2] : outputs;
  pitch = steps_up(line_pixels, across);
  unit_bytes = across * channels;
  units = pitch;
  step = unit_bytes * blocking.folded_lines;
  line_bytes = pitch * step;
  // Copies of `count` output lines: planes of count + below lines.
  const std::int64_t below = per_tap ? 0 : (shape.kernel[1] - 1) / shape.stride[1];
  const std::int64_t planes = per_tap                     ? blocking.taps / shape.kernel[0]
                              : blocking.folded_lines > 1 ? 1
                                                          : shape.stride[1];
  const auto bytes_of = [&](std::int64_t count) {
    return shape.kernel[0] * planes * (count + below) * line_bytes;
  };
  const std::int64_t height = std::max<std::int64_t>(shape.out[1], 1);
  const std::int64_t line_total = shape.kernel[0] * planes * line_bytes;
  lines = even_share(height, std::min(chunk_bytes / std::max<std::int64_t>(line_total, 1) - below,
                                      most_rows / pitch));
  rows = (lines - 1) * pitch + outputs;
  plane_bytes = (lines + below) * line_bytes;
  depth_bytes = planes * plane_bytes;
  piece_bytes = steps_up(bytes_of(lines), 64) * 64;
  const std::int64_t all_pieces = std::max<std::int64_t>(shape.batch * shape.out[0], 1);
  if (lines == height)
    pieces = std::clamp<std::int64_t>(
        std::min(chunk_bytes / std::max<std::int64_t>(piece_bytes, 1), most_rows / rows), 1,
        std::min(all_pieces, most_pieces));
  const std::int64_t alignment = 64 * most_pieces;
  copy_capacity =
      std::min(all_pieces * bytes_of(height), std::max(chunk_bytes, bytes_of(1))) + alignment;
  row_capacity = std::min(all_pieces * height * pitch, std::max(most_rows, pitch));
}

std::ptrdiff_t RowLayout::line_offset(const ConvShape& shape, const ConvBlocking& blocking,
                                      std::int64_t line) const {
  const std::int64_t inner = line % shape.stride[1];
  return line / shape.stride[1] * line_bytes +
         inner * (blocking.folded_lines > 1 ? unit_bytes : plane_bytes);
}

std::ptrdiff_t RowLayout::tap_offset(const ConvShape& shape, const ConvBlocking& blocking,
                                     std::int64_t tap) const {
  if (in_place) return 0;
  if (per_tap) return tap * plane_bytes;
  const std::int64_t down = steps_up(shape.kernel[1], blocking.folded_lines);
  return tap / down * depth_bytes +
         line_offset(shape, blocking, tap % down * blocking.folded_lines);
}

}  // namespace intact::kernels
