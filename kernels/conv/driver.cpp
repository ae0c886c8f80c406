// Runs a convolution through tiles: divides the work over threads, finds the row of input that each
// output pixel and tap multiplies, and hands runs of pixels to the tiles, panel by panel. No
// im2col: a tap is a pointer to its input pixel, or to a pixel of padding; shapes that fold their
// width point into lines copied with their padding.
#include <algorithm>

#include "kernels/conv/lines.hpp"
#include "kernels/conv/rests.hpp"
#include "kernels/conv/share.hpp"

namespace intact::kernels {
namespace {

/// Pixels whose pointers are kept at a time: enough to reuse a panel of weights, few enough to stay
/// in the first-level cache with the pixels.
constexpr std::int64_t pointers_at_a_time = 1024, least_pixels = 48, most_pixels = 384;
constexpr std::int64_t pointer_slack = 4;  // tiles read whole quads

constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// How pixels are cut into chunks, and what a thread's scratch memory holds: row pointers
/// [tap][row], row sums [row], for folded shapes the padded lines of a chunk, then what a grid
/// known at run time replaces: a pixel of padding, the biases and the multipliers; last the tile
/// that a TileStage takes.
struct Chunking {
  Chunking(const ConvShape& shape, const ConvBlocking& blocking) {
    const std::int64_t wanted =
        std::clamp(pointers_at_a_time / blocking.taps, least_pixels, most_pixels);
    pixels = std::min(wanted, round_up(shape.out_pixels(), 4));
    if (blocking.folds_width) {
      lines = std::clamp<std::int64_t>(wanted / std::max<std::int64_t>(shape.out[2], 1), 1,
                                       std::max<std::int64_t>(shape.out[1], 1));
      pixels = lines * shape.out[2];
      padded_lines = (lines - 1) * shape.stride[1] + (shape.kernel[1] - 1) * shape.dilation[1] + 1;
    }
    row_stride = pixels + pointer_slack;
    sums_at = round_up(blocking.taps * row_stride * static_cast<std::int64_t>(sizeof(void*)), 64);
    lines_at = sums_at + round_up(row_stride * 4, 64);
    padding_at = lines_at + shape.kernel[0] * padded_lines * blocking.line_bytes;
    bias_at = padding_at + round_up(shape.in_channels + 64, 64);
    multiplier_at = bias_at + round_up(blocking.total_columns() * 4, 64);
    tile_at = multiplier_at + round_up(blocking.total_columns() * 4, 64);
    bytes = tile_at + TileStage::most_elements * static_cast<std::int64_t>(sizeof(float));
  }

  std::int64_t pixels, row_stride;
  std::int64_t lines = 0, padded_lines = 0;  ///< folded shapes only
  std::int64_t sums_at, lines_at, padding_at, bias_at, multiplier_at, tile_at, bytes;
};

/// Fetching ahead: the weights of later steps lie behind those of this one. A line for so many
/// products is what memory delivers meanwhile, and a window of so many bytes stays in the
/// second-level cache until it is read.
constexpr std::int64_t products_per_line = 1536, ahead_window = 1280 * 1024;

/// One thread's run of one convolution.
class Run {
 public:
  Run(const ConvTiles& tiles, const ConvShape& shape, const ConvArgs& args)
      : tiles_(tiles),
        shape_(shape),
        args_(args),
        blocking_(tiles, shape),
        chunking_(shape, blocking_),
        packed_(tiles, blocking_, shape, const_cast<void*>(args.weights)),
        grid_(grid_of(args.scratch)),
        padding_(packed_.padding) {
    auto* scratch = static_cast<std::byte*>(args.scratch);
    rows_ = reinterpret_cast<const std::uint8_t**>(scratch);
    sums_ = reinterpret_cast<std::int32_t*>(scratch + chunking_.sums_at);
    lines_ = reinterpret_cast<std::uint8_t*>(scratch + chunking_.lines_at);
    tile_ = reinterpret_cast<float*>(scratch + chunking_.tile_at);
    if (args.src_zero_point == nullptr) return;
    auto* const padding = reinterpret_cast<std::uint8_t*>(scratch + chunking_.padding_at);
    std::fill_n(padding, shape_.in_channels + 64, static_cast<std::uint8_t>(grid_.src_zero_point));
    padding_ = padding;
  }

  void operator()(Part part) {
    if (shape_.out_pixels() == 0 || shape_.out_channels == 0) return;
    const std::int64_t panels = panels_per_group(blocking_, tiles_) * blocking_.groups;
    const std::int64_t grain = blocking_.folds_width ? shape_.out[2] : 4;
    const ConvShare share = divide(shape_, blocking_, panels, grain, part);
    if (share.panels.begin == share.panels.end) return;
    look_ahead(share, panels, part);
    for (std::int64_t pixel = share.pixels.begin; pixel < share.pixels.end;) {
      const std::int64_t count = find_rows(pixel, share.pixels.end);
      run_panels(pixel, count, share.panels);
      pixel += count;
    }
  }

 private:
  ConvGrid grid_of(void* memory) const {
    auto* const scratch = static_cast<std::byte*>(memory);
    return grid_at_run_time(packed_, blocking_, args_,
                            reinterpret_cast<std::int32_t*>(scratch + chunking_.bias_at),
                            reinterpret_cast<float*>(scratch + chunking_.multiplier_at));
  }

  /// What this thread fetches: as much as its products hide, its share of what follows the weights
  /// of this convolution, or of those beyond the window if they are large themselves.
  void look_ahead(const ConvShare& share, std::int64_t panels, Part part) {
    if (!packed_.header->is_constant) return;
    const std::int64_t pixels = share.pixels.end - share.pixels.begin;
    const std::int64_t columns =
        blocking_.total_columns() * (share.panels.end - share.panels.begin) / panels;
    const std::int64_t lines = std::min(
        pixels * columns * blocking_.column_bytes() / products_per_line, ahead_window / 64);
    const std::int64_t own = round_up(static_cast<std::int64_t>(packed_.bytes), 64);
    const Range range = split(lines * part.count, part);
    const auto* const from =
        static_cast<const std::byte*>(args_.weights) + std::min(own, ahead_window);
    ahead_ = {from + range.begin * 64, from + range.end * 64};
  }

  /// Fills the row pointers of a chunk that starts at `pixel`; returns its length. Chunks of a
  /// matrix product share the pointers of the first one, at an offset.
  std::int64_t find_rows(std::int64_t pixel, std::int64_t end) {
    std::int64_t count = std::min(chunking_.pixels, end - pixel);
    if (blocking_.folds_width) {
      count = find_folded_rows(pixel, end);
    } else if (shape_.is_matrix_product()) {
      if (pointers_ == 0) {
        first_pixel_ = pixel;
        const std::uint8_t* from = args_.src + pixel * args_.src_pitch;
        for (std::int64_t r = 0; r < count; ++r) rows_[r] = from + r * args_.src_pitch;
      }
      row_offset_ = (pixel - first_pixel_) * args_.src_pitch;
      if (pointers_ == count) return count;
      pointers_ = count;  // never more than before: only the last chunk is shorter
    } else {
      for (std::int64_t done = 0; done < count;)
        done += find_line(pixel + done, count - done, done);
    }
    for (std::int64_t tap = 0; tap < blocking_.taps; ++tap) {
      const std::uint8_t** rows = rows_ + tap * chunking_.row_stride + count;
      std::fill_n(rows, pointer_slack, rows[-1]);
    }
    return count;
  }

  /// Row pointers of the pixels of one output line, from `pixel` on; at most `limit`.
  std::int64_t find_line(std::int64_t pixel, std::int64_t limit, std::int64_t row) {
    const ConvShape& s = shape_;
    const std::int64_t x = pixel % s.out[2], line = pixel / s.out[2];
    const std::int64_t y = line % s.out[1], plane = line / s.out[1];
    const std::int64_t z = plane % s.out[0], image = plane / s.out[0];
    const std::int64_t count = std::min(limit, s.out[2] - x);
    const std::uint8_t** rows = rows_ + row;
    for (std::int64_t kz = 0; kz < s.kernel[0]; ++kz) {
      const std::int64_t in_z = z * s.stride[0] - s.pad_begin[0] + kz * s.dilation[0];
      for (std::int64_t ky = 0; ky < s.kernel[1]; ++ky) {
        const std::int64_t in_y = y * s.stride[1] - s.pad_begin[1] + ky * s.dilation[1];
        const bool inside = in_z >= 0 && in_z < s.in[0] && in_y >= 0 && in_y < s.in[1];
        const std::uint8_t* in_line =
            inside ? args_.src +
                         ((image * s.in[0] + in_z) * s.in[1] + in_y) * s.in[2] * args_.src_pitch
                   : nullptr;
        for (std::int64_t kx = 0; kx < s.kernel[2]; ++kx, rows += chunking_.row_stride)
          find_tap(in_line, x * s.stride[2] - s.pad_begin[2] + kx * s.dilation[2], count, rows);
      }
    }
    return count;
  }

  /// One tap along a line: input columns in_x, in_x + stride, ...
  void find_tap(const std::uint8_t* in_line, std::int64_t in_x, std::int64_t count,
                const std::uint8_t** rows) {
    const std::int64_t stride = shape_.stride[2], width = in_line != nullptr ? shape_.in[2] : 0;
    const std::int64_t before =
        std::clamp<std::int64_t>(in_x < 0 ? (-in_x + stride - 1) / stride : 0, 0, count);
    const std::int64_t after = std::clamp<std::int64_t>(
        width > in_x ? (width - in_x + stride - 1) / stride : 0, before, count);
    std::fill_n(rows, before, padding_);
    const std::ptrdiff_t step = stride * args_.src_pitch;
    for (std::int64_t r = before; r < after; ++r)
      rows[r] = in_line + in_x * args_.src_pitch + r * step;
    std::fill_n(rows + after, count - after, padding_);
  }

  /// Folded shapes: copies the lines that whole output lines from `pixel` on read, and points
  /// there. A chunk stays within one plane.
  std::int64_t find_folded_rows(std::int64_t pixel, std::int64_t end) {
    const ConvShape& s = shape_;
    const std::int64_t line = pixel / s.out[2], y = line % s.out[1], plane = line / s.out[1];
    const std::int64_t z = plane % s.out[0], image = plane / s.out[0];
    const std::int64_t lines = std::min({chunking_.lines, s.out[1] - y, (end - pixel) / s.out[2]});
    const std::int64_t used = (lines - 1) * s.stride[1] + (s.kernel[1] - 1) * s.dilation[1] + 1;
    const LineCopy copy{args_.src,
                        args_.src_pitch,
                        0,
                        s.in_channels,
                        (s.out[2] - 1) * s.stride[2] + s.kernel[2],
                        -s.pad_begin[2],
                        1,
                        static_cast<std::uint8_t>(grid_.src_zero_point)};
    for (std::int64_t kz = 0; kz < s.kernel[0]; ++kz) {
      const std::int64_t in_z = z * s.stride[0] - s.pad_begin[0] + kz * s.dilation[0];
      std::uint8_t* copies = lines_ + kz * chunking_.padded_lines * blocking_.line_bytes;
      for (std::int64_t i = 0; i < used; ++i)
        copy_line(s, copy, image, in_z, y * s.stride[1] - s.pad_begin[1] + i,
                  copies + i * blocking_.line_bytes);
      for (std::int64_t ky = 0; ky < s.kernel[1] && pointers_ != lines; ++ky) {
        const std::uint8_t** rows = rows_ + (kz * s.kernel[1] + ky) * chunking_.row_stride;
        for (std::int64_t i = 0; i < lines; ++i) {
          const std::uint8_t* from =
              copies + (i * s.stride[1] + ky * s.dilation[1]) * blocking_.line_bytes;
          for (std::int64_t x = 0; x < s.out[2]; ++x)
            *rows++ = from + x * s.stride[2] * s.in_channels;
        }
      }
    }
    pointers_ = lines;  // that many lines of any chunk lie in the same place
    return lines * s.out[2];
  }

  /// Weights with zero points need the sum of what each row multiplies, over the real channels.
  void sum_rows(std::int64_t count, std::int64_t group) {
    for (std::int64_t r = 0; r < count; ++r) {
      std::int32_t sum = 0;
      for (std::int64_t tap = 0; tap < blocking_.taps; ++tap) {
        const std::uint8_t* a =
            rows_[tap * chunking_.row_stride + r] + row_offset_ + group * blocking_.group_in;
        sum += tiles_.sum_bytes(a, blocking_.tap_bytes);
      }
      sums_[r] = sum;
    }
    std::fill_n(sums_ + count, pointer_slack, 0);
  }

  void run_panels(std::int64_t pixel, std::int64_t count, Range panels) {
    std::int64_t summed = -1;
    for (PanelWalk walk(blocking_, tiles_, panels); !walk.done(); walk.advance()) {
      if (packed_.header->has_zero_points && summed != walk.group()) {
        summed = walk.group();
        sum_rows(count, summed);
      }
      run_panel(pixel, count, walk.group(), walk.panel());
    }
  }

  void run_panel(std::int64_t pixel, std::int64_t count, std::int64_t group,
                 const ConvPanel& panel) {
    const std::int64_t slot = group * blocking_.padded_out + panel.begin;
    const std::int64_t channel = group * blocking_.group_out + panel.begin;
    ConvTile tile;
    tile.rows = rows_;
    tile.row_stride = chunking_.row_stride;
    tile.row_count = count;
    tile.taps = blocking_.taps;
    tile.k_groups = blocking_.k_groups;
    tile.src_offset = row_offset_ + (blocking_.folds_width ? 0 : group * blocking_.group_in);
    tile.weights = packed_.weights + slot * blocking_.column_bytes();
    tile.multiplier = grid_.multiplier + slot;
    tile.float_bias = packed_.float_bias + slot;
    tile.bias = grid_.bias + slot;
    if (packed_.header->has_zero_points) {
      tile.zero_point = packed_.zero_point + slot;
      tile.row_sums = sums_;
    }
    if (tiles_.keeps_rests) set_rests(tile, slot);
    tile.target = panel_target(args_, blocking_, panel, pixel, channel);
    tile.epilogue = &args_.epilogue;
    tile.ahead = &ahead_;
    if (args_.epilogue.tiles != nullptr)
      hand_over(tile, panel.tile, pixel, channel);
    else
      tiles_.run[panel.tile](tile);
  }

  /// Of the panel that starts at `slot`: what its tile multiplies besides the weights, or in their
  /// place.
  void set_rests(ConvTile& tile, std::int64_t slot) const {
    const std::int32_t* const k_offsets =
        packed_.k_offsets + slot / 16 * blocking_.taps * blocking_.k_groups;
    const std::array<ConvRests, 2> rests = {rests_at(packed_, slot), rests_at(packed_, slot + 8)};
    if (k_offsets[0] == no_chains) {
      tile.weights = rests[0].weights;
      return;
    }
    tile.k_offsets = k_offsets;
    tile.rests = rests;
    if (rests_cross_taps(blocking_)) tile.tap_step = blocking_.tap_step;
  }

  /// The panel in rectangles for the TileStage. Their heights suit all tiles' blocks of rows.
  void hand_over(ConvTile tile, int width, std::int64_t pixel, std::int64_t channel) {
    constexpr std::int64_t grain = 48;
    const std::int64_t columns = tile.target.columns, count = tile.row_count;
    const std::int64_t most = TileStage::most_elements / columns / grain * grain;
    const TileStage& stage = *args_.epilogue.tiles;
    tile.target.dst = tile_;
    tile.target.dst_pitch = columns;
    for (std::int64_t r = 0; r < count; r += most) {
      tile.row_count = std::min(most, count - r);
      tiles_.run[width](tile);
      stage.run(stage, {tile_, columns, pixel + r, tile.row_count, channel, columns});
      tile.rows += most;
      if (tile.row_sums != nullptr) tile.row_sums += most;
    }
  }

  const ConvTiles& tiles_;
  const ConvShape& shape_;
  const ConvArgs& args_;
  const ConvBlocking blocking_;
  const Chunking chunking_;
  const PackedConv packed_;
  const ConvGrid grid_;
  const std::uint8_t* padding_;
  const std::uint8_t** rows_;
  std::int32_t* sums_;
  std::uint8_t* lines_;
  float* tile_;
  std::int64_t pointers_ = 0;  ///< of how many pixels, or lines of folded shapes, rows_ holds
  std::int64_t first_pixel_ = 0;
  std::ptrdiff_t row_offset_ = 0;  ///< from the row pointers to the chunk at hand
  Ahead ahead_;
};

}  // namespace

std::size_t conv_scratch_bytes(const ConvTiles& tiles, const ConvShape& shape) {
  return static_cast<std::size_t>(Chunking(shape, ConvBlocking(tiles, shape)).bytes);
}

void run_conv(const ConvTiles& tiles, const ConvShape& shape, const ConvArgs& args, Part part) {
  Run(tiles, shape, args)(part);
}

}  // namespace intact::kernels
