// The one list of convolution kernels, fastest first.
#include "kernels/conv/conv.hpp"

#include "kernels/conv/block_kernel.hpp"

namespace intact::kernels {
namespace {

constexpr ConvTiles avx512_vnni_tiles = {
    {.width_count = 3, .widths = {64, 32, 16}, .pack_matrix_panel = pack_matrix_panel_avx512_vnni},
    {conv_tile_avx512_vnni_64, conv_tile_avx512_vnni_32, conv_tile_avx512_vnni_16},
    sum_bytes_avx512_vnni};
constexpr ConvTiles avxvnni_tiles = {
    {.lanes = 2, .width_count = 1, .widths = {16}}, {conv_tile_avxvnni_16}, sum_bytes_avx2};
constexpr ConvTiles avx2_tiles = {
    {.lanes = 2, .width_count = 1, .widths = {16}, .keeps_rests = true},
    {conv_tile_avx2_16},
    sum_bytes_avx2};
constexpr BlockShapes amx_blocks =
    block_shapes({conv_blocks_amx_64, conv_blocks_amx_32, conv_blocks_amx_16},
                 sum_bytes_avx512_vnni, conv_blocks_amx_end);

const char* never_refuses(const ConvShape&, const ConvWeights&) {
  return nullptr;
}

template <const ConvTiles& tiles>
ConvKernel tiled_kernel(const char* name, Isa isa) {
  return {name,
          isa,
          never_refuses,
          [](const ConvShape& shape) { return packed_conv_bytes(tiles, shape); },
          [](const ConvShape& shape, const ConvWeights& weights, void* packed) {
            (weights.matrix ? pack_matrix : pack_conv)(tiles, shape, weights, packed);
          },
          [](const ConvShape& shape) { return conv_scratch_bytes(tiles, shape); },
          [](const ConvShape& shape, const ConvArgs& args, Part part) {
            run_conv(tiles, shape, args, part);
          },
          tiles.keeps_rests};
}

constexpr std::array amx_names = {"conv_amx_16x64", "conv_amx_32x32", "conv_amx_64x16"};

template <std::size_t index>
ConvKernel amx_kernel() {
  return block_kernel<amx_blocks, index>(amx_names[index], Isa::amx,
                                         refuses_blocks<amx_blocks, index>);
}

}  // namespace

std::span<const ConvKernel> conv_block_kernels() {
  static const auto list = every_block_kernel<amx_blocks>(amx_names, Isa::amx);
  return list;
}

std::span<const ConvKernel> conv_kernels() {
  static const std::array list = {
      amx_kernel<0>(),
      amx_kernel<1>(),
      amx_kernel<2>(),
      tiled_kernel<avx512_vnni_tiles>("conv_avx512vnni_6x64", Isa::avx512vnni),
      tiled_kernel<avxvnni_tiles>("conv_avxvnni_6x16", Isa::avxvnni),
      tiled_kernel<avx2_tiles>("conv_avx2_6x16", Isa::avx2),
      conv_reference(),
  };
  return list;
}

}  // namespace intact::kernels
