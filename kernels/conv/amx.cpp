// Convolution blocks on AMX int8.
#include "kernels/conv/amx_blocks.hpp"

namespace intact::kernels {
namespace {

/// The tile registers of the CPU. The instructions name their registers as constants.
struct CpuTiles {
  static void configure(const TileConfiguration& configuration) {
    asm volatile("ldtilecfg\t%[configuration]" : : [configuration] "m"(configuration));
  }
  template <int tile>
  [[gnu::always_inline]] static void zero() {
    asm volatile("tilezero\t%%tmm%c[tile]" : : [tile] "i"(tile));
  }
  template <int tile>
  [[gnu::always_inline]] static void load(const void* from, std::ptrdiff_t stride) {
    asm volatile("tileloadd\t(%[from],%[stride],1), %%tmm%c[tile]"
                 :
                 : [from] "r"(from), [stride] "r"(stride), [tile] "i"(tile)
                 : "memory");
  }
  template <int tile>
  [[gnu::always_inline]] static void store(void* to, std::ptrdiff_t stride) {
    asm volatile("tilestored\t%%tmm%c[tile], (%[to],%[stride],1)"
                 :
                 : [to] "r"(to), [stride] "r"(stride), [tile] "i"(tile)
                 : "memory");
  }
  /// sums += unsigned bytes of a * signed bytes of b.
  template <int sums, int a, int b>
  [[gnu::always_inline]] static void multiply() {
    asm volatile("tdpbusd\t%%tmm%c[b], %%tmm%c[a], %%tmm%c[sums]"
                 :
                 : [sums] "i"(sums), [a] "i"(a), [b] "i"(b));
  }
};

}  // namespace

void conv_blocks_amx_64(const BlockRows& rows, const BlockPanel* panels, int count,
                        const Epilogue& epilogue, const BlockStage& stage) {
  run_blocks<CpuTiles, 64>(rows, panels, count, epilogue, stage);
}
void conv_blocks_amx_32(const BlockRows& rows, const BlockPanel* panels, int count,
                        const Epilogue& epilogue, const BlockStage& stage) {
  run_blocks<CpuTiles, 32>(rows, panels, count, epilogue, stage);
}
void conv_blocks_amx_16(const BlockRows& rows, const BlockPanel* panels, int count,
                        const Epilogue& epilogue, const BlockStage& stage) {
  run_blocks<CpuTiles, 16>(rows, panels, count, epilogue, stage);
}
void conv_blocks_amx_end() {
  asm volatile("tilerelease" : : : "memory");
}

}  // namespace intact::kernels
