// Blocks of a convolution on the tile registers of AMX. A tile register holds up to 16 rows x 64
// bytes of activations, 64 bytes of K x 16 columns of weights, or the sums of 16 x 16 outputs. Four
// hold the sums of a block: 1, 2 or 4 tiles of rows times 4, 2 or 1 tiles of columns.
//
// The sums go through the first-level cache into the epilogue of AVX-512, from one of two buffers:
// while the tile registers multiply a block into one, the epilogue of the block before takes the
// other, a quad at a time between products.
//
// Written once over `Tiles`, the tile registers: those of the CPU (amx.cpp), or their emulation in
// the tests, which need no CPU that has them.
#pragma once

#include "kernels/conv/blocks.hpp"
#include "kernels/epilogue_avx512.hpp"

namespace intact::kernels {
namespace {

constexpr int tile_rows = 16, tile_bytes = 64;
constexpr int products_per_step = 4;

/// The 64-byte operand of LDTILECFG.
struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};

template <int width>
constexpr int column_tiles = width / 16;
template <int width>
constexpr int row_tiles = 4 / column_tiles<width>;

/// How the rows of a block are divided among its tiles of rows.
template <int width>
struct RowTiles {
  int rows[row_tiles<width>];
  int first[row_tiles<width>];

  /// As evenly as possible. Rows of few blocks come twice: a tile has at least one row, and the
  /// last two of four tiles are as high as each other, because they share a register.
  explicit RowTiles(int height) {
    constexpr int tiles = row_tiles<width>;
    const int each = height / tiles, larger = tiles == 4 && height % 4 == 3 ? 4 : height % tiles;
    for (int i = 0, at = 0; i < tiles; at += rows[i++]) {
      rows[i] = each + (i < larger ? 1 : 0);
      if (rows[i] == 0) rows[i] = 1;
      first[i] = at < height - rows[i] ? at : height - rows[i];
    }
  }
};

/// Which registers hold what; 0 to 3 are the sums, row tile by row tile.
template <int width>
constexpr int activation_register(int row_tile) {
  return row_tile < 3 ? 4 + row_tile : 6;
}
template <int width>
constexpr int weight_register(int column_tile) {
  if (width == 64) return column_tile < 3 ? 5 + column_tile : 5;
  return width == 32 ? 6 + column_tile : 7;
}

template <int width>
TileConfiguration tile_configuration(int height, int step_groups) {
  TileConfiguration configuration;
  const RowTiles<width> tiles(height);
  const auto set = [&](int tile, int rows, int row_bytes) {
    configuration.rows[tile] = static_cast<std::uint8_t>(rows);
    configuration.row_bytes[tile] = static_cast<std::uint16_t>(row_bytes);
  };
  for (int i = 0; i < row_tiles<width>; ++i) {
    set(activation_register<width>(i), tiles.rows[i], 4 * step_groups);
    for (int j = 0; j < column_tiles<width>; ++j)
      set(i * column_tiles<width> + j, tiles.rows[i], tile_bytes);
  }
  for (int j = 0; j < column_tiles<width>; ++j)
    set(weight_register<width>(j), step_groups, tile_bytes);
  return configuration;
}

/// One step of K for a block: loads and four products, `between` after each of them.
template <class Tiles, int width, class Between>
[[gnu::always_inline]] inline void multiply_step(
    const std::uint8_t* const (&rows)[row_tiles<width>], std::ptrdiff_t at, std::ptrdiff_t step,
    const std::int8_t* weights, const Between& between) {
  const auto load_rows = [&]<int i>() __attribute__((always_inline)) {
    Tiles::template load<activation_register<width>(i)>(rows[i] + at, step);
  };
  const auto load_columns = [&]<int j>() __attribute__((always_inline)) {
    Tiles::template load<weight_register<width>(j)>(weights + j * tile_bytes, width * 4);
  };
  const auto multiply = [&]<int i, int j>() __attribute__((always_inline)) {
    Tiles::template multiply<i * column_tiles<width> + j, activation_register<width>(i),
                             weight_register<width>(j)>();
  };
  if constexpr (width == 64) {
    load_rows.template operator()<0>();
    load_columns.template operator()<0>();
    load_columns.template operator()<1>();
    multiply.template operator()<0, 0>();
    between.template operator()<0>();
    load_columns.template operator()<2>();
    multiply.template operator()<0, 1>();
    between.template operator()<1>();
    load_columns.template operator()<3>();
    multiply.template operator()<0, 2>();
    between.template operator()<2>();
    multiply.template operator()<0, 3>();
  } else if constexpr (width == 32) {
    load_rows.template operator()<0>();
    load_columns.template operator()<0>();
    load_columns.template operator()<1>();
    load_rows.template operator()<1>();
    multiply.template operator()<0, 0>();
    between.template operator()<0>();
    multiply.template operator()<0, 1>();
    between.template operator()<1>();
    multiply.template operator()<1, 1>();
    between.template operator()<2>();
    multiply.template operator()<1, 0>();
  } else {
    load_columns.template operator()<0>();
    unroll<0, 3>([&]<int i>() __attribute__((always_inline)) {
      load_rows.template operator()<i>();
      multiply.template operator()<i, 0>();
      between.template operator()<i>();
    });
    load_rows.template operator()<3>();
    multiply.template operator()<3, 0>();
  }
  between.template operator()<products_per_step - 1>();
}

/// The epilogue of a block whose sums are in memory, quad by quad.
template <EpilogueForm form, int width>
class Finisher {
 public:
  Finisher(const BlockRows& rows, const Epilogue& epilogue)
      : rows_(rows), epilogue_(epilogue), constants_(load_epilogue(epilogue)) {}

  bool done() const { return at_ == end_; }
  std::int64_t left() const { return end_ - at_; }

  void start(const std::int32_t* sums, const RowBlock& block, const BlockPanel& panel,
             const BlockStage& stage) {
    constexpr std::ptrdiff_t element = output_bytes(form);
    sums_ = sums;
    at_ = block.quads;
    end_ = block.quads + block.quad_count;
    first_row_ = block.first_row;
    target_ = panel.target;
    target_.dst =
        static_cast<std::uint8_t*>(target_.dst) + block.first_pixel * target_.dst_pitch * element;
    if (form == EpilogueForm::residual)
      target_.residual += block.first_pixel * target_.residual_pitch;
    zero_point_ = panel.zero_point;
    channels_ = load_channels<width>(panel.multiplier, panel.float_bias);
    unroll<0, width / 16>([&]<int v>() __attribute__((always_inline)) {
      bias_[v] = _mm512_load_si512(panel.bias + 16 * v);
    });
    if constexpr (form == EpilogueForm::floats) {
      if (epilogue_.tiles == nullptr) return;
      channel_ = panel.channel;
      stage_pixel_ = stage.first_pixel + block.first_pixel;
      stage_pixels_ = end_[-1].pixel + end_[-1].rows;
      target_.dst = stage.floats;
      target_.dst_pitch = target_.columns;
    }
  }

  /// The next quad, of which there is one.
  [[gnu::always_inline]] void finish_quad_once() {
    constexpr int per_row = width / 16;
    constexpr std::ptrdiff_t element = output_bytes(form);
    const BlockQuad quad = *at_++;
    const std::int32_t* const from = sums_ + quad.row * width;
    __m512i sums[4];
    unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
      sums[j] = _mm512_add_epi32(_mm512_load_si512(from + 16 * j), bias_[j % per_row]);
    });
    if (zero_point_ != nullptr) [[unlikely]]
      subtract_row_sums(sums, first_row_ + quad.row);
    EpilogueTarget target = target_;
    target.dst = static_cast<std::uint8_t*>(target.dst) + quad.pixel * target.dst_pitch * element;
    if (form == EpilogueForm::residual) target.residual += quad.pixel * target.residual_pitch;
    target.rows = quad.rows;
    finish_quad<form, width>(sums, channels_, constants_, target);
  }

  /// After the last quad, when the tile registers hold nothing.
  void hand_over() {
    if constexpr (form == EpilogueForm::floats) {
      if (stage_pixels_ == 0) return;
      const std::int64_t columns = target_.columns;
      epilogue_.tiles->run(*epilogue_.tiles, {static_cast<float*>(target_.dst), columns,
                                              stage_pixel_, stage_pixels_, channel_, columns});
      stage_pixels_ = 0;
    }
  }

  void join_range() const { constants_.range.join_into(epilogue_.range); }

 private:
  [[gnu::always_inline]] void subtract_row_sums(__m512i (&sums)[4], std::int64_t row) const {
    constexpr int per_row = width / 16;
    unroll<0, 4>([&]<int j>() __attribute__((always_inline)) {
      const __m512i each = _mm512_set1_epi32(rows_.row_sums[row + j / per_row]);
      const __m512i zero_point = _mm512_load_si512(zero_point_ + 16 * (j % per_row));
      sums[j] = _mm512_sub_epi32(sums[j], _mm512_mullo_epi32(zero_point, each));
    });
  }

  const BlockRows& rows_;
  const Epilogue& epilogue_;
  const EpilogueVectors constants_;
  ChannelVectors<width> channels_;
  __m512i bias_[width / 16];
  const std::int32_t* zero_point_ = nullptr;
  const std::int32_t* sums_ = nullptr;
  const BlockQuad *at_ = nullptr, *end_ = nullptr;
  std::int64_t first_row_ = 0;
  EpilogueTarget target_;
  std::int64_t channel_ = 0, stage_pixel_ = 0, stage_pixels_ = 0;
};

/// Spreads the quads of one block over the products of the next: `each` after every product whose
/// bit is set in `after`.
struct Interleave {
  std::int64_t each;
  unsigned after;

  Interleave(std::int64_t quads, std::int64_t steps) {
    const std::int64_t products = steps * products_per_step;
    each = (quads + products - 1) / products;
    const std::int64_t per_quad = quads > 0 ? products / quads : 1;
    after = per_quad >= 4 ? 0b0001 : per_quad >= 2 ? 0b0101 : 0b1111;
  }
};

/// Brings the next weights into the second-level cache, as many lines per step as are needed to
/// come to the end in time.
class NextWeights {
 public:
  NextWeights(const BlockPanel& panel, std::int64_t steps)
      : at_(reinterpret_cast<const char*>(panel.next_weights)), end_(at_ + panel.next_bytes) {
    per_step_ = (panel.next_bytes + steps * tile_bytes - 1) / (steps * tile_bytes);
  }
  [[gnu::always_inline]] void prefetch() {
    for (std::int64_t i = per_step_; i > 0 && at_ < end_; --i, at_ += tile_bytes)
      _mm_prefetch(at_, _MM_HINT_T1);
  }

 private:
  const char *at_, *end_;
  std::int64_t per_step_;
};

template <class Tiles, int width, EpilogueForm form>
[[gnu::noinline]] void run_form(const BlockRows& rows, const BlockPanel* panels, int panel_count,
                                const Epilogue& epilogue, const BlockStage& stage) {
  constexpr int slack = 3 * width;  // the last quad may lie partly beyond the last row
  alignas(64) std::int32_t sums[2][1024 + slack];
  const RowTiles<width> tiles(static_cast<int>(rows.height));
  Finisher<form, width> before(rows, epilogue);
  const std::ptrdiff_t step_bytes = std::ptrdiff_t{rows.step_groups} * width * 4;
  const auto nothing = []<int>() {};
  int buffer = 0;
  for (int p = 0; p < panel_count; ++p) {
    const BlockPanel& panel = panels[p];
    NextWeights next(panel, rows.block_count * rows.k_steps);
    for (std::int64_t b = 0; b < rows.block_count; ++b) {
      const RowBlock& block = rows.blocks[b];
      unroll<0, 4>([&]<int i>() __attribute__((always_inline)) { Tiles::template zero<i>(); });
      const std::uint8_t* row[row_tiles<width>];
      unroll<0, row_tiles<width>>([&]<int i>() __attribute__((always_inline)) {
        row[i] = block.rows + tiles.first[i] * rows.step;
      });
      const std::int8_t* weights = panel.weights;
      const Interleave spread(before.left(), rows.k_steps);
      std::int64_t k = 0;
      for (; k < rows.k_steps && !before.done(); ++k, weights += step_bytes) {
        multiply_step<Tiles, width>(
            row, rows.k_offsets[k], rows.step,
            weights, [&]<int product>() __attribute__((always_inline)) {
              if ((spread.after >> product & 1) == 0) return;
              for (std::int64_t n = spread.each; n > 0 && !before.done(); --n)
                before.finish_quad_once();
            });
        next.prefetch();
      }
      for (; k < rows.k_steps; ++k, weights += step_bytes) {
        multiply_step<Tiles, width>(row, rows.k_offsets[k], rows.step, weights, nothing);
        next.prefetch();
      }
      while (!before.done()) before.finish_quad_once();
      unroll<0, 4>([&]<int i>() __attribute__((always_inline)) {
        constexpr int row_tile = i / column_tiles<width>, column = i % column_tiles<width>;
        Tiles::template store<i>(sums[buffer] + tiles.first[row_tile] * width + column * 16,
                                 width * 4);
      });
      before.hand_over();
      before.start(sums[buffer], block, panel, stage);
      buffer ^= 1;
    }
  }
  while (!before.done()) before.finish_quad_once();
  before.hand_over();
  before.join_range();
}

template <class Tiles, int width>
void run_blocks(const BlockRows& rows, const BlockPanel* panels, int panel_count,
                const Epilogue& epilogue, const BlockStage& stage) {
  using Run =
      void (*)(const BlockRows&, const BlockPanel*, int, const Epilogue&, const BlockStage&);
  static constexpr Run run[] = {run_form<Tiles, width, EpilogueForm::bytes>,
                                run_form<Tiles, width, EpilogueForm::table>,
                                run_form<Tiles, width, EpilogueForm::residual>,
                                run_form<Tiles, width, EpilogueForm::floats>,
                                run_form<Tiles, width, EpilogueForm::range>,
                                run_form<Tiles, width, EpilogueForm::quotient>};
  Tiles::configure(tile_configuration<width>(static_cast<int>(rows.height), rows.step_groups));
  run[static_cast<int>(form_of(epilogue))](rows, panels, panel_count, epilogue, stage);
}

}  // namespace
}  // namespace intact::kernels
