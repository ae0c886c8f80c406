// Times strided copies: transposes between channels-first and channels-last, Concat slots, channel
// shuffles and plain copies; and splitting words.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/layout/layout.hpp"

namespace intact::kernels {
namespace {

struct Case {
  const char* name;
  int element_bytes;
  int rank;
  std::array<std::int64_t, 8> extents;
  std::array<std::ptrdiff_t, 8> src_strides, dst_strides;
};

constexpr std::int64_t image = 224 * 224;
constexpr Case cases[] = {
    {"f32_3x224x224_to_last", 4, 2, {3, image}, {image, 1}, {1, 3}},
    {"f32_3x224x224_to_first", 4, 2, {image, 3}, {3, 1}, {1, image}},
    {"u8_3x224x224_to_last", 1, 2, {3, image}, {image, 1}, {1, 3}},
    {"u8_3x224x224_to_first", 1, 2, {image, 3}, {3, 1}, {1, image}},
    {"f32_1280x49_to_last", 4, 2, {1280, 49}, {49, 1}, {1, 1280}},
    {"f32_49x1280_to_first", 4, 2, {49, 1280}, {1280, 1}, {1, 49}},
    {"u8_1280x49_to_last", 1, 2, {1280, 49}, {49, 1}, {1, 1280}},
    {"u8_49x1280_to_first", 1, 2, {49, 1280}, {1280, 1}, {1, 49}},
    {"u8_64x3136_to_last", 1, 2, {64, 3136}, {3136, 1}, {1, 64}},
    {"u8_shuffle_784x2x58", 1, 3, {784, 2, 58}, {116, 58, 1}, {116, 1, 2}},
    {"u8_slot_784x58", 1, 2, {784, 58}, {58, 1}, {116, 1}},
    {"u8_slot_196x256", 1, 2, {196, 256}, {256, 1}, {512, 1}},
    {"f32_heads_128x12x64", 4, 3, {128, 12, 64}, {768, 64, 1}, {64, 8192, 1}},
    {"u8_copy_200704", 1, 1, {200704}, {1}, {1}},
};

const bool registered = [] {
  for (const Case& c : cases) {
    for (const CopyKernel& kernel : copy_kernels()) {
      if (!cpu_supports(kernel.isa)) continue;
      benchmark::RegisterBenchmark(
          (std::string(kernel.name) + "/" + c.name).c_str(), [=](benchmark::State& state) {
            std::size_t bytes = static_cast<std::size_t>(c.element_bytes);
            for (int k = 0; k < c.rank; ++k) bytes *= static_cast<std::size_t>(c.extents[k]);
            std::vector<std::uint8_t> src(2 * bytes), dst(2 * bytes);
            const CopyArgs args = {c.rank,          c.extents, c.src_strides, c.dst_strides,
                                   c.element_bytes, 0,         src.data(),    dst.data()};
            for (auto _ : state) {
              kernel.run(args, {});
              benchmark::ClobberMemory();
            }
            state.SetBytesProcessed(state.iterations() * 2 * static_cast<std::int64_t>(bytes));
          });
    }
  }
  for (const SplitKernel& kernel : split_kernels()) {
    if (!cpu_supports(kernel.isa)) continue;
    benchmark::RegisterBenchmark(
        (std::string(kernel.name) + "/200704").c_str(), [=](benchmark::State& state) {
          constexpr std::int64_t count = 200704;
          const std::vector<std::uint16_t> src(count, 0x1234);
          std::vector<std::uint8_t> high(count), low(count);
          for (auto _ : state) {
            kernel.run({1, count, src.data(), count, high.data(), low.data(), count}, {});
            benchmark::ClobberMemory();
          }
          state.SetBytesProcessed(state.iterations() * 4 * count);
        });
  }
  return true;
}();

}  // namespace
}  // namespace intact::kernels

BENCHMARK_MAIN();
