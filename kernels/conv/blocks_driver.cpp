// Runs a convolution through blocks: divides the work over threads, puts the rows of a chunk of
// pixels at equal distances, cuts them into blocks and hands panels of weights to the instruction
// set.
#include <algorithm>
#include <cstring>

#include "kernels/conv/blocks.hpp"
#include "kernels/conv/lines.hpp"
#include "kernels/conv/row_layout.hpp"
#include "kernels/conv/share.hpp"

namespace intact::kernels {
namespace {

constexpr int panels_at_a_time = 16;
constexpr std::int64_t stage_floats = 1024;
/// Blocks of a short piece read beyond its rows.
constexpr std::int64_t row_slack = 64, byte_slack = 128;

/// What a thread's scratch memory holds.
struct Places {
  Places(const ConvBlocking& blocking, const RowLayout& layout) {
    const std::int64_t rows = layout.row_capacity;
    const auto place = [&](std::int64_t& at, std::int64_t size) {
      at = bytes;
      bytes += (size + 63) / 64 * 64;
    };
    place(copies,
          layout.in_place ? 0 : layout.copy_capacity + row_slack * layout.step + byte_slack);
    place(line, blocking.folded_lines > 1 ? layout.units * layout.unit_bytes + byte_slack : 0);
    place(k_offsets, blocking.taps * blocking.steps * 8);
    place(blocks,
          (rows / 16 + RowLayout::most_pieces) * static_cast<std::int64_t>(sizeof(RowBlock)));
    place(quads, rows * static_cast<std::int64_t>(sizeof(BlockQuad)));
    place(row_sums, (rows + row_slack) * 4);
    place(bias, blocking.total_columns() * 4);
    place(multiplier, blocking.total_columns() * 4);
    place(stage, stage_floats * 4);
  }
  std::int64_t copies, line, k_offsets, blocks, quads, row_sums, bias, multiplier, stage;
  std::int64_t bytes = 0;
};

/// A run of output pixels of one plane, and where its rows begin.
struct Piece {
  std::int64_t pixel, rows;
  const std::uint8_t* first;
};

/// One thread's run of one convolution.
class BlockRun {
 public:
  BlockRun(const ConvBlocks& blocks, const ConvShape& shape, const ConvArgs& args)
      : blocks_(blocks),
        shape_(shape),
        args_(args),
        blocking_(blocks, shape),
        layout_(shape, blocking_),
        places_(blocking_, layout_),
        packed_(blocks, blocking_, shape, const_cast<void*>(args.weights)),
        grid_(grid_at_run_time(packed_, blocking_, args, at<std::int32_t>(places_.bias),
                               at<float>(places_.multiplier))) {}

  void operator()(Part part) {
    if (shape_.out_pixels() == 0 || shape_.out_channels == 0) return;
    const std::int64_t panels = panels_per_group(blocking_, blocks_) * blocking_.groups;
    const std::int64_t grain = layout_.in_place ? 16 : shape_.out[2];
    const ConvShare share = divide(shape_, blocking_, panels, grain, part);
    if (share.panels.begin == share.panels.end || share.pixels.begin == share.pixels.end) return;
    find_k_offsets();
    for (std::int64_t pixel = share.pixels.begin; pixel < share.pixels.end;) {
      const bool first = pixel == share.pixels.begin;
      const std::int64_t next = find_pieces(pixel, share.pixels.end);
      run_panels(pixel, share.panels, {first, next == share.pixels.end});
      pixel = next;
    }
    blocks_.end();
  }

 private:
  template <class T>
  T* at(std::int64_t place) const {
    return reinterpret_cast<T*>(static_cast<std::byte*>(args_.scratch) + place);
  }
  /// Whether a chunk is the first or last one of the share: decides which weights come next.
  struct Position {
    bool first, last;
  };

  void find_k_offsets() {
    auto* offset = at<std::int64_t>(places_.k_offsets);
    for (std::int64_t tap = 0; tap < blocking_.taps; ++tap)
      for (std::int64_t step = 0; step < blocking_.steps; ++step)
        *offset++ = layout_.tap_offset(shape_, blocking_, tap) + step * blocking_.step_groups * 4;
  }

  /// The pieces of the chunk that starts at `pixel`; returns where it ends.
  std::int64_t find_pieces(std::int64_t pixel, std::int64_t end) {
    piece_count_ = 0;
    if (layout_.in_place) {
      const std::int64_t count = std::min(layout_.rows, end - pixel);
      pieces_[piece_count_++] = {pixel, count, args_.src + pixel * args_.src_pitch};
      return pixel + count;
    }
    const std::int64_t width = shape_.out[2];
    while (pixel < end && piece_count_ < layout_.pieces) {
      const std::int64_t y = pixel / width % shape_.out[1];
      const std::int64_t lines =
          std::min({layout_.lines, shape_.out[1] - y, (end - pixel) / width});
      const std::uint8_t* const copy =
          at<std::uint8_t>(places_.copies) + piece_count_ * layout_.piece_bytes;
      pieces_[piece_count_++] = {pixel, (lines - 1) * layout_.pitch + width, copy};
      pixel += lines * width;
    }
    return pixel;
  }

  /// Copies the channels of a group for all pieces.
  void copy_lines(std::int64_t group) {
    const ConvShape& s = shape_;
    LineCopy copy{args_.src,
                  args_.src_pitch,
                  group * blocking_.group_in,
                  blocking_.group_in,
                  layout_.line_pixels,
                  -s.pad_begin[2],
                  layout_.line_step,
                  static_cast<std::uint8_t>(grid_.src_zero_point)};
    for (std::int64_t i = 0; i < piece_count_; ++i) {
      const Piece& piece = pieces_[i];
      const std::int64_t line = piece.pixel / s.out[2], plane = line / s.out[1];
      const Origin origin{plane / s.out[0], plane % s.out[0] * s.stride[0] - s.pad_begin[0],
                          line % s.out[1] * s.stride[1] - s.pad_begin[1]};
      const std::int64_t lines = (piece.rows - s.out[2]) / layout_.pitch + 1;
      std::uint8_t* const to = at<std::uint8_t>(places_.copies) + i * layout_.piece_bytes;
      for (std::int64_t kz = 0; kz < s.kernel[0]; ++kz)
        if (layout_.per_tap)
          copy_taps(copy, origin, kz, lines, to + kz * layout_.depth_bytes);
        else
          copy_window(copy, origin, kz, lines, to + kz * layout_.depth_bytes);
    }
  }

  /// Where the window of a piece's first output begins, less what kz adds.
  struct Origin {
    std::int64_t image, z, y;
  };

  void copy_window(const LineCopy& copy, const Origin& origin, std::int64_t kz, std::int64_t lines,
                   std::uint8_t* to) {
    const std::int64_t z = origin.z + kz * shape_.dilation[0];
    const std::int64_t count = (lines - 1) * shape_.stride[1] + shape_.kernel[1];
    for (std::int64_t l = 0; l < count; ++l)
      copy_one(copy, origin.image, z, origin.y + l, to + layout_.line_offset(shape_, blocking_, l));
  }

  void copy_taps(LineCopy copy, const Origin& origin, std::int64_t kz, std::int64_t lines,
                 std::uint8_t* to) {
    const ConvShape& s = shape_;
    const std::int64_t across = blocking_.folds_width ? 1 : s.kernel[2], first = copy.first;
    for (std::int64_t tap = 0; tap < across * s.kernel[1]; ++tap, to += layout_.plane_bytes) {
      copy.first = first + tap % across * s.dilation[2];
      for (std::int64_t l = 0; l < lines; ++l)
        copy_line(s, copy, origin.image, origin.z + kz * s.dilation[0],
                  origin.y + l * s.stride[1] + tap / across * s.dilation[1],
                  to + l * layout_.line_bytes);
    }
  }

  void copy_one(const LineCopy& copy, std::int64_t image, std::int64_t z, std::int64_t y,
                std::uint8_t* to) {
    if (blocking_.folded_lines == 1) return copy_line(shape_, copy, image, z, y, to);
    auto* const line = at<std::uint8_t>(places_.line);
    copy_line(shape_, copy, image, z, y, line);
    const std::int64_t bytes = layout_.unit_bytes;
    for (std::int64_t unit = 0; unit < layout_.units; ++unit)
      copy_unit(line + unit * bytes, bytes, to + unit * layout_.step);
  }

  /// A few bytes, without a call for the sizes of images.
  static void copy_unit(const std::uint8_t* from, std::int64_t bytes, std::uint8_t* to) {
    if (bytes == 6) {
      std::memcpy(to, from, 4);
      std::memcpy(to + 4, from + 4, 2);
    } else {
      std::memcpy(to, from, static_cast<std::size_t>(bytes));
    }
  }

  void sum_rows() {
    auto* sum = at<std::int32_t>(places_.row_sums);
    for (std::int64_t i = 0; i < piece_count_; ++i)
      for (std::int64_t r = 0; r < pieces_[i].rows; ++r) {
        const std::uint8_t* const row = pieces_[i].first + r * row_step();
        std::int32_t total = 0;
        for (std::int64_t tap = 0; tap < blocking_.taps; ++tap)
          total += blocks_.sum_bytes(row + layout_.tap_offset(shape_, blocking_, tap) + in_group_,
                                     blocking_.tap_bytes);
        *sum++ = total;
      }
    std::fill_n(sum, row_slack, 0);
  }

  std::ptrdiff_t row_step() const { return layout_.in_place ? args_.src_pitch : layout_.step; }

  /// Cuts the rows of all pieces into blocks for panels of `width` channels.
  BlockRows cut(int width) const {
    std::int64_t most = 0;
    for (std::int64_t i = 0; i < piece_count_; ++i) most = std::max(most, pieces_[i].rows);
    const std::int64_t cuts = (most + block_rows(width) - 1) / block_rows(width);
    BlockRows rows;
    rows.height = (most + cuts - 1) / cuts;
    rows.step = row_step();
    rows.k_offsets = at<std::int64_t>(places_.k_offsets);
    rows.k_steps = blocking_.taps * blocking_.steps;
    rows.step_groups = static_cast<int>(blocking_.step_groups);
    if (packed_.header->has_zero_points) rows.row_sums = at<std::int32_t>(places_.row_sums);
    auto* const blocks = at<RowBlock>(places_.blocks);
    auto* quads = at<BlockQuad>(places_.quads);
    rows.blocks = blocks;
    std::int64_t before = 0;
    for (std::int64_t i = 0; i < piece_count_; before += pieces_[i++].rows) {
      const Piece& piece = pieces_[i];
      for (std::int64_t row = 0; row < piece.rows; row += rows.height) {
        // The last block overlaps the one before; of a short piece, it ends beyond.
        const std::int64_t last = piece.rows - rows.height;
        const std::int64_t begin = std::max<std::int64_t>(std::min(row, last), 0);
        RowBlock& block = blocks[rows.block_count];
        block.rows = piece.first + begin * rows.step + in_group_;
        block.first_row = static_cast<std::int32_t>(before + begin);
        list_quads(piece, row, std::min(row + rows.height, piece.rows), begin, 64 / width, quads,
                   block);
        quads += block.quad_count;
        if (block.quad_count > 0) ++rows.block_count;
      }
    }
    return rows;
  }

  /// The outputs among rows [row, end) of a piece, for a block that starts at row `begin`.
  void list_quads(const Piece& piece, std::int64_t row, std::int64_t end, std::int64_t begin,
                  std::int64_t most, BlockQuad* to, RowBlock& block) const {
    const std::int64_t width = layout_.in_place ? piece.rows : shape_.out[2];
    std::int64_t y = row / layout_.pitch, x = row % layout_.pitch, pixel = 0;
    if (x >= width) {
      row += layout_.pitch - x;
      x = 0;
      ++y;
    }
    block.quads = to;
    block.quad_count = 0;
    block.first_pixel = piece.pixel - pieces_[0].pixel + y * width + x;
    while (row < end) {
      const std::int64_t rows = std::min({most, end - row, width - x});
      to[block.quad_count++] = {static_cast<std::uint8_t>(row - begin),
                                static_cast<std::uint8_t>(rows), static_cast<std::uint8_t>(pixel)};
      pixel += rows;
      row += rows;
      x += rows;
      if (x < width) continue;
      row += layout_.pitch - x;
      x = 0;
    }
  }

  void run_panels(std::int64_t pixel, Range panels, Position position) {
    std::int64_t prepared = -1;
    int width = 0, tile = 0, count = 0;
    BlockRows rows;
    BlockPanel batch[panels_at_a_time];
    const BlockStage stage{at<float>(places_.stage), pixel};
    const auto flush = [&] {
      if (count > 0)
        blocks_.run[static_cast<std::size_t>(tile)](rows, batch, count, args_.epilogue, stage);
      count = 0;
    };
    for (PanelWalk walk(blocking_, blocks_, panels); !walk.done(); walk.advance()) {
      const ConvPanel& panel = walk.panel();
      const bool new_group = walk.group() != prepared;
      if (new_group || panel.width != width || count == panels_at_a_time) flush();
      if (new_group) prepare(walk.group());
      if (new_group || panel.width != width) rows = cut(panel.width);
      prepared = walk.group();
      width = panel.width;
      tile = panel.tile;
      batch[count++] = bind(pixel, prepared, panel, position);
    }
    flush();
  }

  void prepare(std::int64_t group) {
    in_group_ = layout_.in_place ? group * blocking_.group_in : 0;
    if (!layout_.in_place) copy_lines(group);
    if (packed_.header->has_zero_points) sum_rows();
  }

  BlockPanel bind(std::int64_t pixel, std::int64_t group, const ConvPanel& panel,
                  Position position) const {
    const std::int64_t slot = group * blocking_.padded_out + panel.begin;
    const std::int64_t channel = group * blocking_.group_out + panel.begin;
    BlockPanel bound;
    bound.weights = packed_.weights + slot * blocking_.column_bytes();
    bound.multiplier = grid_.multiplier + slot;
    bound.float_bias = packed_.float_bias + slot;
    bound.bias = grid_.bias + slot;
    if (packed_.header->has_zero_points) bound.zero_point = packed_.zero_point + slot;
    bound.target = panel_target(args_, blocking_, panel, pixel, channel);
    bound.channel = channel;
    // Behind the last panel lie the weights of the next convolution.
    const bool last = slot + panel.width == blocking_.total_columns();
    if (last ? position.last : position.first) {
      bound.next_bytes = panel.width * blocking_.column_bytes();
      bound.next_weights = bound.weights + bound.next_bytes;
    }
    return bound;
  }

  const ConvBlocks& blocks_;
  const ConvShape& shape_;
  const ConvArgs& args_;
  const ConvBlocking blocking_;
  const RowLayout layout_;
  const Places places_;
  const PackedConv packed_;
  const ConvGrid grid_;
  std::array<Piece, RowLayout::most_pieces> pieces_;
  std::int64_t piece_count_ = 0;
  std::ptrdiff_t in_group_ = 0;  ///< in place: from a pixel to the channels of the group
};

}  // namespace

std::size_t conv_blocks_scratch_bytes(const ConvBlocks& blocks, const ConvShape& shape) {
  const ConvBlocking blocking(blocks, shape);
  return static_cast<std::size_t>(Places(blocking, RowLayout(shape, blocking)).bytes);
}

void run_conv_blocks(const ConvBlocks& blocks, const ConvShape& shape, const ConvArgs& args,
                     Part part) {
  BlockRun(blocks, shape, args)(part);
}

}  // namespace intact::kernels
