// Cuts convolutions into blocks of output lines and hands their floats over in tiles.
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

/// Where planes of output are cut: into lines, or the only line into columns. A window over depth
/// reads planes, which only a block of whole planes has.
struct Cut {
  explicit Cut(std::span<const LineProduct> products) {
    const ConvShape& out = *products[0].shape;
    const auto any = [&](auto holds) {
      return std::any_of(products.begin(), products.end(),
                         [&](const LineProduct& product) { return holds(*product.shape); });
    };
    const bool planes = any([](const ConvShape& shape) { return shape.kernel[0] > 1; });
    const bool lines =
        out.out[1] > 1 || any([](const ConvShape& shape) { return shape.in[1] > 1; });
    axis = planes ? 0 : lines ? 1 : 2;
    if (axis != 0) per_plane = out.out[axis];
    pixels = out.out[0] == 0 ? 0 : out.out[1] * out.out[2] / std::max<std::int64_t>(per_plane, 1);
    if (axis != 0)
      most = std::clamp<std::int64_t>(
          block_floats / std::max<std::int64_t>(pixels * out.out_channels, 1), 1,
          std::max<std::int64_t>(per_plane, 1));
  }

  int axis = 0;                ///< 0: planes are not cut
  std::int64_t per_plane = 1;  ///< lines or columns
  std::int64_t pixels = 0;     ///< of one of them
  std::int64_t most = 1;       ///< of a block
};

std::size_t kernel_bytes(std::span<const LineProduct> products) {
  std::size_t bytes = 0;
  for (const LineProduct& product : products)
    bytes = std::max(bytes, aligned(product.kernel->scratch_bytes(*product.shape)));
  return bytes;
}

/// Floats of a block.
std::int64_t block_size(const Cut& cut, const ConvShape& shape) {
  return (cut.most * cut.pixels * shape.out_channels + 15) / 16 * 16;
}

/// Lines or columns [begin, begin + count) of all planes counted together, within one plane.
struct Block {
  std::int64_t begin, count;
};

/// One product of a block, written to `to`.
void run_block(const LineProduct& product, const Cut& cut, const Block& block, void* scratch,
               float* to) {
  const ConvShape& whole = *product.shape;
  const std::int64_t plane = block.begin / cut.per_plane;
  ConvShape shape = whole;
  shape.batch = 1;
  std::int64_t pixel = plane / whole.out[0] * whole.in[0];
  pixel = (pixel + restrict_axis(shape, 0, plane % whole.out[0], 1)) * whole.in[1] * whole.in[2];
  if (cut.axis != 0)
    pixel += restrict_axis(shape, cut.axis, block.begin % cut.per_plane, block.count) *
             (cut.axis == 1 ? whole.in[2] : 1);
  ConvArgs args = *product.args;
  args.src += pixel * args.src_pitch;
  args.dst = to;
  args.dst_pitch = whole.out_channels;
  args.scratch = scratch;
  args.epilogue.tiles = nullptr;
  product.kernel->run(shape, args, Part{});
}

void hand_over(const TileStage& stage, float* block, float* other, std::int64_t pixel,
               std::int64_t pixels, std::int64_t channels) {
  const std::int64_t columns = std::min(channels, TileStage::most_elements);
  const std::int64_t rows = TileStage::most_elements / columns;
  for (std::int64_t row = 0; row < pixels; row += rows)
    for (std::int64_t channel = 0; channel < channels; channel += columns) {
      const std::int64_t at = row * channels + channel;
      Tile tile{block + at,  channels,
                pixel + row, std::min(rows, pixels - row),
                channel,     std::min(columns, channels - channel)};
      if (other != nullptr) tile.other = other + at;
      stage.run(stage, tile);
    }
}

}  // namespace

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

std::size_t by_lines_bytes(std::span<const LineProduct> products) {
  return kernel_bytes(products) +
         products.size() * sizeof(float) *
             static_cast<std::size_t>(block_size(Cut(products), *products[0].shape));
}

void run_by_lines(std::span<const LineProduct> products, Part part) {
  const ConvShape& out = *products[0].shape;
  const ConvArgs& args = *products[0].args;
  const Cut cut(products);
  auto* const blocks =
      reinterpret_cast<float*>(static_cast<std::byte*>(args.scratch) + kernel_bytes(products));
  float* const second = products.size() > 1 ? blocks + block_size(cut, out) : nullptr;
  const Range share = split(out.batch * out.out[0] * cut.per_plane, part);
  for (std::int64_t at = share.begin; at < share.end;) {
    const std::int64_t left = cut.per_plane - at % cut.per_plane;
    const Block block{at, std::min({cut.most, left, share.end - at})};
    for (std::size_t i = 0; i < products.size(); ++i)
      run_block(products[i], cut, block, args.scratch, i == 0 ? blocks : second);
    hand_over(*args.epilogue.tiles, blocks, second, at * cut.pixels, block.count * cut.pixels,
              out.out_channels);
    at += block.count;
  }
}

}  // namespace intact::kernels
