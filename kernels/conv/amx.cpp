// Convolution tiles on AMX int8.
#include "kernels/conv/amx_tile.hpp"

namespace intact::kernels {
namespace {

/// The tile registers of the CPU. The instructions name their registers as constants.
struct CpuTiles {
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

void conv_tiles_begin_amx(std::int64_t k_groups) {
  const TileConfiguration configuration = tile_configuration(k_groups);
  asm volatile("ldtilecfg\t%[configuration]" : : [configuration] "m"(configuration));
}
void conv_tiles_end_amx() {
  asm volatile("tilerelease" : : : "memory");
}
void conv_tile_amx_64(const ConvTile& tile) {
  run_amx_tile<CpuTiles, 64>(tile);
}
void conv_tile_amx_32(const ConvTile& tile) {
  run_amx_tile<CpuTiles, 32>(tile);
}
void conv_tile_amx_16(const ConvTile& tile) {
  run_amx_tile<CpuTiles, 16>(tile);
}

}  // namespace intact::kernels
