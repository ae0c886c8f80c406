// Times linear resizing of feature maps by two, bytes to bytes. The counter `bytes_per_second`
// counts what is read and written.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/resize/resize.hpp"

namespace intact::kernels {
namespace {

struct Size {
  std::int64_t extent, channels;
};
constexpr Size sizes[] = {{14, 256}, {52, 128}, {128, 21}};

/// Half-pixel positions of twice the extent.
struct Doubling {
  std::vector<std::int32_t> index;
  std::vector<float> weight;
  ResizeTaps taps;

  explicit Doubling(std::int64_t extent) {
    for (std::int64_t i = 0; i < 2 * extent; ++i) {
      const std::int64_t first = i == 0 ? 0 : (i - 1) / 2;
      index.push_back(static_cast<std::int32_t>(first));
      index.push_back(static_cast<std::int32_t>(first + 1 < extent ? first + 1 : first));
      weight.push_back(i % 2 == 1 ? 0.75f : 0.25f);
      weight.push_back(i % 2 == 1 ? 0.25f : 0.75f);
    }
    taps = {extent, 2 * extent, 2, index.data(), weight.data(), nullptr};
  }
};

void time(benchmark::State& state, const ResizeKernel& kernel, Size size) {
  const auto elements = static_cast<std::size_t>(size.extent * size.extent * size.channels);
  std::vector<std::uint8_t> src(elements + 64), dst(4 * elements);
  for (std::size_t i = 0; i < elements; ++i) src[i] = static_cast<std::uint8_t>(i * 37 % 251);
  const Doubling doubling(size.extent);
  const std::int32_t only = 0;
  std::vector<float> scratch(static_cast<std::size_t>(resize_scratch(size.extent, size.channels)));
  ResizeArgs args;
  args.channels = args.src_pitch = args.dst_pitch = size.channels;
  args.axis[0] = {1, 1, 1, &only, nullptr, nullptr};
  args.axis[1] = args.axis[2] = doubling.taps;
  args.src = src.data();
  args.dst = dst.data();
  args.src_scale = 0.04f;
  args.dst_scale = 0.05f;
  args.scratch = scratch.data();
  for (auto _ : state) {
    kernel.run(args, {});
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(5 * elements));
}

bool register_all() {
  for (const ResizeKernel& kernel : resize_kernels())
    for (const Size size : sizes) {
      if (!cpu_supports(kernel.isa)) continue;
      const std::string name = kernel.name + std::string("/linear/") + std::to_string(size.extent) +
                               "x" + std::to_string(size.channels);
      benchmark::RegisterBenchmark(name.c_str(), [&kernel, size](benchmark::State& state) {
        time(state, kernel, size);
      })->Unit(benchmark::kMicrosecond);
    }
  return true;
}
const bool registered = register_all();

}  // namespace
}  // namespace intact::kernels
