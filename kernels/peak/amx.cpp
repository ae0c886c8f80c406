// tdpbusd on four independent tiles of sums, 16 x 16 x 64 products each.
#include "kernels/conv/amx_blocks.hpp"
#include "kernels/peak/peak.hpp"

namespace intact::kernels {

double multiply_amx(long repeats) {
  const TileConfiguration configuration = tile_configuration<64>(tile_rows, tile_rows);
  asm volatile("ldtilecfg\t%[configuration]" : : [configuration] "m"(configuration));
  for (long i = 0; i < repeats; ++i)
    asm volatile(
        "tdpbusd\t%%tmm5, %%tmm4, %%tmm0\n\t"
        "tdpbusd\t%%tmm5, %%tmm4, %%tmm1\n\t"
        "tdpbusd\t%%tmm5, %%tmm4, %%tmm2\n\t"
        "tdpbusd\t%%tmm5, %%tmm4, %%tmm3"
        :
        :
        : "memory");
  asm volatile("tilerelease" : : : "memory");
  return static_cast<double>(repeats) * 4 * 16 * 16 * 64;
}

}  // namespace intact::kernels
