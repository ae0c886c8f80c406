// Kernels on emulated tile registers.
#include "tests/kernels/emulated_amx.hpp"
#include "tests/kernels/emulated_amx_tiles.hpp"

namespace intact::kernels {

const BlockShapes emulated_amx_blocks =
    block_shapes({run_emulated_amx_64, run_emulated_amx_32, run_emulated_amx_16},
                 sum_bytes_avx512_vnni, end_emulated_amx);

namespace {

template <std::size_t index>
ConvKernel unrefusing(const char* name) {
  ConvKernel kernel = block_kernel<emulated_amx_blocks, index>(name, Isa::avx512vnni);
  kernel.refuses = [](const ConvShape& shape, const ConvWeights&) -> const char* {
    return shape.in_channels == 0 ? "no input channels" : nullptr;
  };
  return kernel;
}

}  // namespace

std::span<const ConvKernel> emulated_amx_kernels() {
  static const std::array kernels = {unrefusing<0>("conv_amx_16x64_emulated"),
                                     unrefusing<1>("conv_amx_32x32_emulated"),
                                     unrefusing<2>("conv_amx_64x16_emulated")};
  return kernels;
}

}  // namespace intact::kernels
