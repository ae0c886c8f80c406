// The one list of convolution kernels, fastest first.
#include "kernels/conv/conv.hpp"

#include "kernels/conv/packed.hpp"

namespace intact::kernels {
namespace {

constexpr ConvTiles amx_tiles = {4,
                                 3,
                                 {64, 32, 16},
                                 {conv_tile_amx_64, conv_tile_amx_32, conv_tile_amx_16},
                                 sum_bytes_avx512_vnni,
                                 false,
                                 conv_tiles_begin_amx,
                                 conv_tiles_end_amx};
constexpr ConvTiles avx512_vnni_tiles = {
    4,
    3,
    {64, 32, 16},
    {conv_tile_avx512_vnni_64, conv_tile_avx512_vnni_32, conv_tile_avx512_vnni_16},
    sum_bytes_avx512_vnni};
constexpr ConvTiles avxvnni_tiles = {2, 1, {16}, {conv_tile_avxvnni_16}, sum_bytes_avx2};
constexpr ConvTiles avx2_tiles = {2, 1, {16}, {conv_tile_avx2_16}, sum_bytes_avx2, true};

const char* never_refuses(const ConvShape&, const ConvWeights&) {
  return nullptr;
}
/// A tile multiplies 16 rows in the time of one; up to here vectors are faster.
const char* refuses_few_pixels(const ConvShape& shape, const ConvWeights&) {
  return shape.out_pixels() <= 4 ? "4 pixels or fewer" : nullptr;
}

template <const ConvTiles& tiles>
ConvKernel tiled_kernel(const char* name, Isa isa,
                        const char* (*refuses)(const ConvShape&,
                                               const ConvWeights&) = never_refuses) {
  return {name,
          isa,
          refuses,
          [](const ConvShape& shape) { return packed_conv_bytes(tiles, shape); },
          [](const ConvShape& shape, const ConvWeights& weights, void* packed) {
            (weights.matrix ? pack_matrix : pack_conv)(tiles, shape, weights, packed);
          },
          conv_scratch_bytes,
          [](const ConvShape& shape, const ConvArgs& args, Part part) {
            run_conv(tiles, shape, args, part);
          }};
}

}  // namespace

std::span<const ConvKernel> conv_kernels() {
  static const std::array list = {
      tiled_kernel<amx_tiles>("conv_amx_16x64", Isa::amx, refuses_few_pixels),
      tiled_kernel<avx512_vnni_tiles>("conv_avx512vnni_6x64", Isa::avx512vnni),
      tiled_kernel<avxvnni_tiles>("conv_avxvnni_6x16", Isa::avxvnni),
      tiled_kernel<avx2_tiles>("conv_avx2_6x16", Isa::avx2),
      conv_reference(),
  };
  return list;
}

}  // namespace intact::kernels
