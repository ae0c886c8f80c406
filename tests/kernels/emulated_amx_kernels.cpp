// Kernels on emulated tile registers.
#include "tests/kernels/emulated_amx.hpp"
#include "tests/kernels/emulated_amx_tiles.hpp"

namespace intact::kernels {

const BlockShapes emulated_amx_blocks =
    block_shapes({run_emulated_amx_64, run_emulated_amx_32, run_emulated_amx_16},
                 sum_bytes_avx512_vnni, end_emulated_amx);

std::span<const ConvKernel> emulated_amx_kernels() {
  static const auto kernels = every_block_kernel<emulated_amx_blocks>(
      {"conv_amx_16x64_emulated", "conv_amx_32x32_emulated", "conv_amx_64x16_emulated"},
      Isa::avx512vnni);
  return kernels;
}

}  // namespace intact::kernels
