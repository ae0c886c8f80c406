// The tile registers of AMX in plain code, as the architecture defines them, under the convolution
// tiles of kernels/conv/amx_tile.hpp. Compiled for AVX-512, so only plain headers.
#include "tests/kernels/emulated_amx.hpp"

#include "kernels/conv/amx_tile.hpp"

namespace intact::kernels {
namespace {

thread_local TileConfiguration configuration;
thread_local std::uint8_t registers[8][tile_rows][tile_bytes];

/// Bytes beyond the configured rows and columns are zero.
struct EmulatedTiles {
  template <int tile>
  static void zero() {
    __builtin_memset(registers[tile], 0, sizeof registers[tile]);
  }
  template <int tile>
  static void load(const void* from, std::ptrdiff_t stride) {
    zero<tile>();
    for (int row = 0; row < configuration.rows[tile]; ++row)
      __builtin_memcpy(registers[tile][row], static_cast<const char*>(from) + row * stride,
                       configuration.row_bytes[tile]);
  }
  template <int tile>
  static void store(void* to, std::ptrdiff_t stride) {
    for (int row = 0; row < configuration.rows[tile]; ++row)
      __builtin_memcpy(static_cast<char*>(to) + row * stride, registers[tile][row],
                       configuration.row_bytes[tile]);
  }
  template <int sums, int a, int b>
  static void multiply() {
    for (int row = 0; row < configuration.rows[sums]; ++row)
      for (int k = 0; k < configuration.row_bytes[a] / 4; ++k)
        for (int column = 0; column < configuration.row_bytes[sums] / 4; ++column) {
          std::int32_t sum;
          std::uint8_t* const at = registers[sums][row] + 4 * column;
          __builtin_memcpy(&sum, at, 4);
          for (int i = 0; i < 4; ++i)
            sum += registers[a][row][4 * k + i] *
                   static_cast<std::int8_t>(registers[b][k][4 * column + i]);
          __builtin_memcpy(at, &sum, 4);
        }
  }
};

void begin(std::int64_t k_groups) {
  configuration = tile_configuration(k_groups);
}
/// Tiles that are used without a configuration of their own hold nothing.
void end() {
  configuration = TileConfiguration{};
}

}  // namespace

const ConvTiles& emulated_amx_tiles() {
  static constexpr ConvTiles tiles = {
      4,
      3,
      {64, 32, 16},
      {run_amx_tile<EmulatedTiles, 64>, run_amx_tile<EmulatedTiles, 32>,
       run_amx_tile<EmulatedTiles, 16>},
      sum_bytes_avx512_vnni,
      false,
      begin,
      end};
  return tiles;
}

}  // namespace intact::kernels
