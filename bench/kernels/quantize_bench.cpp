// Times quantize, range and dequantize between float tensors of either layout and channels-last
// bytes and words.

#include <benchmark/benchmark.h>

#include <string>
#include <type_traits>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/quantize/quantize.hpp"

namespace intact::kernels {
namespace {

struct Size {
  std::int64_t channels, pixels;
  bool channels_first;

  std::int64_t elements() const { return channels * pixels; }
  std::string name() const {
    return std::string(channels_first ? "/channels_first/" : "/channels_last/") +
           std::to_string(channels) + "x" + std::to_string(pixels);
  }
  void set_strides(std::ptrdiff_t (&strides)[3]) const {
    strides[0] = elements();
    strides[1] = channels_first ? pixels : 1;
    strides[2] = channels_first ? 1 : channels;
  }
};

template <class Kernel, class Args>
void add(const Kernel& kernel, Size size, Args args) {
  args.channels = size.channels;
  args.pixels = size.pixels;
  args.scale = 0.02f;
  args.zero_point = 114;
  benchmark::RegisterBenchmark(
      (kernel.name + size.name()).c_str(), [=](benchmark::State& state) mutable {
        const std::size_t elements = static_cast<std::size_t>(size.elements());
        std::vector<float> floats(elements);
        for (std::size_t i = 0; i < elements; ++i) floats[i] = static_cast<float>(i % 400) * 0.01f;
        using Integer = std::conditional_t < requires {
          args.src_strides;
        }
        , std::remove_pointer_t<decltype(args.dst)>,
            std::remove_const_t < std::remove_pointer_t < decltype(args.src) >>>
            ;
        std::vector<Integer> integers(elements);
        if constexpr (requires { args.src_strides; }) {
          size.set_strides(args.src_strides);
          args.dst_pitch = size.channels;
          args.src = floats.data();
          args.dst = integers.data();
        } else {
          size.set_strides(args.dst_strides);
          args.src_pitch = size.channels;
          args.src = integers.data();
          args.dst = floats.data();
        }
        for (auto _ : state) {
          kernel.run(args, {});
          benchmark::ClobberMemory();
        }
        state.SetBytesProcessed(state.iterations() *
                                static_cast<std::int64_t>(4 + sizeof(Integer)) * size.elements());
      });
}

void add_range(const RangeKernel& kernel, Size size) {
  benchmark::RegisterBenchmark((kernel.name + size.name()).c_str(), [=](benchmark::State& state) {
    const std::vector<float> src(static_cast<std::size_t>(size.elements()), 0.5f);
    for (auto _ : state) benchmark::DoNotOptimize(kernel.run({src.data(), size.elements()}, {}));
    state.SetBytesProcessed(state.iterations() * 4 * size.elements());
  });
}

const bool registered = [] {
  const Size sizes[] = {{3, 224 * 224, true},
                        {3, 224 * 224, false},
                        {1280, 49, true},
                        {64, 56 * 56, true},
                        {64, 56 * 56, false}};
  for (const Size& size : sizes) {
    for (const QuantizeKernel& kernel : quantize_kernels()) {
      if (cpu_supports(kernel.isa)) add(kernel, size, QuantizeArgs{});
    }
    for (const QuantizeWordsKernel& kernel : quantize_words_kernels()) {
      if (cpu_supports(kernel.isa)) add(kernel, size, QuantizeWordsArgs{});
    }
    for (const RangeKernel& kernel : range_kernels()) {
      if (cpu_supports(kernel.isa)) add_range(kernel, size);
    }
    for (const DequantizeKernel& kernel : dequantize_kernels()) {
      if (cpu_supports(kernel.isa)) add(kernel, size, DequantizeArgs{});
    }
    for (const DequantizeWordsKernel& kernel : dequantize_words_kernels()) {
      if (cpu_supports(kernel.isa)) add(kernel, size, DequantizeWordsArgs{});
    }
  }
  return true;
}();

}  // namespace
}  // namespace intact::kernels

BENCHMARK_MAIN();
