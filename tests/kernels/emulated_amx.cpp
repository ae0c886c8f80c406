// The tile registers of AMX in plain code, as the architecture defines them, under the convolution
// blocks of kernels/conv/amx_blocks.hpp. Compiled for AVX-512, so only plain headers.
#include "kernels/conv/amx_blocks.hpp"
#include "tests/kernels/emulated_amx_tiles.hpp"

namespace intact::kernels {
namespace {

/// Tiles that are used without a configuration of their own hold nothing.
thread_local TileConfiguration configuration;
thread_local std::uint8_t registers[8][tile_rows][tile_bytes];
thread_local int faults = 0;

void check(bool allowed) {
  if (!allowed) ++faults;
}

/// Bytes beyond the configured rows and columns are zero.
struct EmulatedTiles {
  static void configure(const TileConfiguration& wanted) {
    for (int tile = 0; tile < 8; ++tile) {
      check(wanted.rows[tile] <= tile_rows && wanted.row_bytes[tile] <= tile_bytes);
      check((wanted.rows[tile] == 0) == (wanted.row_bytes[tile] == 0));
    }
    configuration = wanted;
    __builtin_memset(registers, 0, sizeof registers);
  }
  template <int tile>
  static void zero() {
    check(configuration.rows[tile] > 0);
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
    check(configuration.rows[tile] > 0);
    for (int row = 0; row < configuration.rows[tile]; ++row)
      __builtin_memcpy(static_cast<char*>(to) + row * stride, registers[tile][row],
                       configuration.row_bytes[tile]);
  }
  template <int sums, int a, int b>
  static void multiply() {
    check(configuration.rows[sums] > 0 && configuration.rows[sums] == configuration.rows[a]);
    check(configuration.row_bytes[sums] == configuration.row_bytes[b]);
    check(configuration.row_bytes[a] == 4 * configuration.rows[b]);
    for (int row = 0; row < configuration.rows[sums]; ++row) {
      __m512i sum = _mm512_loadu_si512(registers[sums][row]);
      for (int k = 0; k < configuration.row_bytes[a] / 4; ++k) {
        int four;
        __builtin_memcpy(&four, registers[a][row] + 4 * k, 4);
        sum =
            _mm512_dpbusd_epi32(sum, _mm512_set1_epi32(four), _mm512_loadu_si512(registers[b][k]));
      }
      _mm512_storeu_si512(registers[sums][row], sum);
    }
  }
};

}  // namespace

void run_emulated_amx_64(const BlockRows& rows, const BlockPanel* panels, int count,
                         const Epilogue& epilogue, const BlockStage& stage) {
  run_blocks<EmulatedTiles, 64>(rows, panels, count, epilogue, stage);
}
void run_emulated_amx_32(const BlockRows& rows, const BlockPanel* panels, int count,
                         const Epilogue& epilogue, const BlockStage& stage) {
  run_blocks<EmulatedTiles, 32>(rows, panels, count, epilogue, stage);
}
void run_emulated_amx_16(const BlockRows& rows, const BlockPanel* panels, int count,
                         const Epilogue& epilogue, const BlockStage& stage) {
  run_blocks<EmulatedTiles, 16>(rows, panels, count, epilogue, stage);
}
void end_emulated_amx() {
  configuration = TileConfiguration{};
}
int emulated_amx_faults() {
  return faults;
}

}  // namespace intact::kernels
