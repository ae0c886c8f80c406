// Cuts a convolution into blocks of output lines and hands their floats over in tiles.
#include "kernels/conv/by_lines.hpp"

#include <algorithm>

namespace intact::kernels {
namespace {

/// Floats of one block: enough lines that kernels which reuse input lines do, few enough to stay in
/// the second-level cache.
constexpr std::int64_t block_floats = 32 * 1024;

std::size_t aligned(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/// Lines of a block. A window over depth reads planes, which only a block of whole planes has.
std::int64_t lines_of(const ConvShape& shape) {
  if (shape.kernel[0] > 1) return shape.out[1];
  const std::int64_t line = std::max<std::int64_t>(shape.out[2] * shape.out_channels, 1);
  return std::clamp<std::int64_t>(block_floats / line, 1, std::max<std::int64_t>(shape.out[1], 1));
}

/// Restricts an axis to the outputs [begin, begin + count) and to the inputs that they meet, of
/// which there is at least one. Returns the first of these inputs.
std::int64_t restrict_axis(ConvShape& shape, int axis, std::int64_t begin, std::int64_t count) {
  const std::int64_t stride = shape.stride[axis], dilation = shape.dilation[axis];
  const std::int64_t reach = (shape.kernel[axis] - 1) * dilation;
  const std::int64_t from = begin * stride - shape.pad_begin[axis];
  const std::int64_t to = from + (count - 1) * stride + reach + 1;
  shape.out[axis] = count;
  const std::int64_t first = std::clamp<std::int64_t>(from, 0, shape.in[axis] - 1);
  const std::int64_t last = std::clamp<std::int64_t>(to, first + 1, shape.in[axis]);
  const bool all_padding = to <= 0 || from >= shape.in[axis];
  shape.in[axis] = last - first;
  // Windows that meet padding only are moved in front of the input, wherever they were.
  shape.pad_begin[axis] = all_padding ? (count - 1) * stride + reach + 1 : first - from;
  return first;
}

/// The block of a plane's lines from `y` on: its shape, and the input pixel that it starts at.
ConvShape block_at(const ConvShape& whole, std::int64_t image, std::int64_t z, std::int64_t y,
                   std::int64_t lines, std::int64_t& pixel) {
  ConvShape block = whole;
  block.batch = 1;
  const std::int64_t first_plane = restrict_axis(block, 0, z, 1);
  pixel = (image * whole.in[0] + first_plane) * whole.in[1] * whole.in[2];
  if (whole.kernel[0] == 1) pixel += restrict_axis(block, 1, y, lines) * whole.in[2];
  return block;
}

void hand_over(const TileStage& stage, float* block, std::int64_t pixel, std::int64_t pixels,
               std::int64_t channels) {
  const std::int64_t columns = std::min(channels, TileStage::most_elements);
  const std::int64_t rows = TileStage::most_elements / columns;
  for (std::int64_t row = 0; row < pixels; row += rows)
    for (std::int64_t channel = 0; channel < channels; channel += columns)
      stage.run(stage,
                {block + row * channels + channel, channels, pixel + row,
                 std::min(rows, pixels - row), channel, std::min(columns, channels - channel)});
}

}  // namespace

std::size_t by_lines_bytes(const ConvKernel& kernel, const ConvShape& shape) {
  return aligned(kernel.scratch_bytes(shape)) +
         static_cast<std::size_t>(lines_of(shape) * shape.out[2] * shape.out_channels) *
             sizeof(float);
}

void run_by_lines(const ConvKernel& kernel, const ConvShape& shape, const ConvArgs& args,
                  Part part) {
  auto* const block = reinterpret_cast<float*>(static_cast<std::byte*>(args.scratch) +
                                               aligned(kernel.scratch_bytes(shape)));
  const std::int64_t most = lines_of(shape);
  const Range share = split(shape.batch * shape.out[0] * shape.out[1], part,
                            shape.kernel[0] > 1 ? static_cast<long>(shape.out[1]) : 1);
  for (std::int64_t line = share.begin; line < share.end;) {
    const std::int64_t y = line % shape.out[1], plane = line / shape.out[1];
    const std::int64_t lines = std::min({most, shape.out[1] - y, share.end - line});
    std::int64_t first = 0;
    const ConvShape part_shape =
        block_at(shape, plane / shape.out[0], plane % shape.out[0], y, lines, first);
    ConvArgs to_block = args;
    to_block.src = args.src + first * args.src_pitch;
    to_block.dst = block;
    to_block.dst_pitch = shape.out_channels;
    to_block.epilogue.tiles = nullptr;
    kernel.run(part_shape, to_block, Part{});
    hand_over(*args.epilogue.tiles, block, line * shape.out[2], lines * shape.out[2],
              shape.out_channels);
    line += lines;
  }
}

}  // namespace intact::kernels
