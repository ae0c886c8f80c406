// A cost model of blocks on tile registers, from the measured cost of single instructions on
// Sapphire Rapids (docs/performance.md).
#include "kernels/conv/block_cost.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/conv/row_layout.hpp"

namespace intact::kernels {
namespace {

/// A product of `rows` rows: 16 clocks for 16 of them, and never below 9.5.
double product_clocks(double rows) {
  return std::max(9.5, 4 + 0.75 * rows);
}
/// Loading a tile from the first-level cache, its rows on cache lines of their own or across two.
constexpr double aligned_load = 8, split_load = 21;
/// Of two things that go on at the same time, the part of the shorter one that still shows.
constexpr double unhidden_load = 0.33, unhidden_epilogue = 0.4;
/// Tiles of one step that come from the second-level cache cost the square of their number.
constexpr double second_level = 1.6;
/// Storing the sums of a whole block, and its epilogue with nothing else to do: narrow panels store
/// a quad in pieces.
constexpr double store_block = 64;
double finish_clocks(int width) {
  return width == 64 ? 210 : width == 32 ? 226 : 300;
}
/// What the first-level cache keeps of chunks of rows, and of a panel and a block of rows together:
/// all up to the first figure, nothing from the second on.
constexpr double first_level_rows = 24 * 1024;
constexpr double first_level_block = 32 * 1024, beyond_first_level = 56 * 1024;

/// The rows of a convolution: how many at a time, how often, and how they are read.
struct Rows {
  double count, times;
  double load;          ///< clocks per tile
  double second_level;  ///< the part of tiles that comes from there
  double bytes;         ///< of a row, with what the window needs of other lines
};

Rows rows_of(const ConvShape& shape, const ConvBlocking& blocking, const RowLayout& layout) {
  Rows rows;
  const auto pixels = static_cast<double>(shape.out_pixels());
  const double line_pixels = static_cast<double>(std::max<std::int64_t>(shape.out[2], 1));
  rows.count = static_cast<double>(layout.rows);
  rows.times = layout.in_place ? pixels / rows.count
                               : pixels / line_pixels / static_cast<double>(layout.lines);
  const auto k = static_cast<double>(blocking.taps * blocking.tap_bytes);
  const double fresh = layout.in_place || layout.per_tap
                           ? k
                           : static_cast<double>(layout.step) *
                                 static_cast<double>(shape.stride[1] / blocking.folded_lines);
  const std::int64_t step = layout.in_place ? shape.in_channels : layout.step;
  rows.load = step % 64 == 0 && blocking.step_groups == 16 ? aligned_load : split_load;
  rows.second_level = rows.count * fresh <= first_level_rows ? 0 : std::min(1.0, fresh / k);
  rows.bytes = layout.in_place ? fresh : std::min(k, fresh * static_cast<double>(shape.kernel[1]));
  return rows;
}

/// One panel of `width` channels over all rows.
double panel_clocks(int width, const Rows& rows, const ConvBlocking& blocking) {
  const double most = block_rows(width), column_tiles = width / 16, row_tiles = 4 / column_tiles;
  const double blocks = std::ceil(rows.count / most), height = rows.count / blocks;
  const double tile_rows = std::max(1.0, height / row_tiles);
  const double products = 4 * product_clocks(tile_rows);
  const double loads = row_tiles * rows.load * std::max(0.5, tile_rows / 16) +
                       column_tiles * aligned_load * static_cast<double>(blocking.step_groups) / 16;
  const double bytes = width * static_cast<double>(blocking.column_bytes()) + height * rows.bytes;
  const double panel_far =
      std::clamp((bytes - first_level_block) / (beyond_first_level - first_level_block), 0.0, 1.0);
  const double far = row_tiles * rows.second_level + column_tiles * panel_far;
  const double step = std::max(products, loads) + unhidden_load * std::min(products, loads) +
                      second_level * far * far;
  const double all_steps = step * static_cast<double>(blocking.taps * blocking.steps);
  const double finish = finish_clocks(width) * height / most;
  return rows.times * blocks *
         (std::max(all_steps, finish) + unhidden_epilogue * std::min(all_steps, finish) +
          store_block * height / most);
}

}  // namespace

double block_clocks(const ConvBlocks& blocks, const ConvShape& shape) {
  const ConvBlocking blocking(blocks, shape);
  const RowLayout layout(shape, blocking);
  const Rows rows = rows_of(shape, blocking, layout);
  double clocks = 0;
  ConvPanel panel = panel_at(blocking, blocks, 0);
  for (; panel.width > 0; panel = panel_at(blocking, blocks, panel.begin + panel.width))
    clocks += panel_clocks(panel.width, rows, blocking);
  return clocks * static_cast<double>(blocking.groups);
}

}  // namespace intact::kernels
