// Pooling layers of published networks, one thread, every kernel. Counter bytes_per_second: source
// bytes, to be compared with the memory rate.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/pool/pool.hpp"

namespace {

using namespace intact;
using namespace intact::kernels;

struct Layer {
  std::int64_t size, channels, stride, window, pad;
};

// First layer of ResNet-50, inception block, SPPF of YOLO, VGG.
constexpr Layer kMaxLayers[] = {
    {112, 64, 2, 3, 1}, {28, 256, 1, 3, 1}, {20, 256, 1, 5, 2}, {112, 64, 2, 2, 0}};
// Global averages of MobileNetV2 and ResNet-50 and of squeeze-and-excitation; DenseNet transition.
constexpr Layer kAverageLayers[] = {
    {7, 1280, 1, 7, 0}, {7, 2048, 1, 7, 0}, {56, 72, 1, 56, 0}, {28, 256, 2, 2, 0}};

ConvShape shape_of(const Layer& layer) {
  ConvShape shape;
  const auto out = (layer.size + 2 * layer.pad - layer.window) / layer.stride + 1;
  shape.in = {1, layer.size, layer.size};
  shape.out = {1, out, out};
  shape.kernel = {1, layer.window, layer.window};
  shape.stride = {1, layer.stride, layer.stride};
  shape.pad_begin = {0, layer.pad, layer.pad};
  shape.in_channels = shape.out_channels = layer.channels;
  return shape;
}

void run_layer(benchmark::State& state, const PoolKernel& kernel, const Layer& layer) {
  const ConvShape shape = shape_of(layer);
  const std::size_t bytes = shape.in_pixels() * shape.in_channels;
  const std::vector<std::uint8_t> src(bytes + 64, 7);
  std::vector<std::uint8_t> dst(shape.out_pixels() * shape.out_channels);
  PoolArgs args;
  args.src = src.data();
  args.src_pitch = args.dst_pitch = layer.channels;
  args.dst = dst.data();
  args.pad_end = {0, layer.pad, layer.pad};
  for (auto _ : state) {
    kernel.run(shape, args, {});
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
}

template <std::size_t count>
bool register_layers(std::span<const PoolKernel> kernels, const Layer (&layers)[count]) {
  for (const PoolKernel& kernel : kernels)
    for (const Layer& layer : layers) {
      if (!cpu_supports(kernel.isa) || kernel.isa == Isa::scalar) continue;
      const std::string window = std::to_string(layer.window);
      const std::string name = std::string(kernel.name) + "/" + window + "x" + window + "s" +
                               std::to_string(layer.stride) + "/" + std::to_string(layer.size) +
                               "x" + std::to_string(layer.channels);
      benchmark::RegisterBenchmark(name.c_str(), [&kernel, &layer](benchmark::State& state) {
        run_layer(state, kernel, layer);
      })->Unit(benchmark::kMicrosecond);
    }
  return true;
}

const bool registered = register_layers(max_pool_kernels(), kMaxLayers) &&
                        register_layers(average_pool_kernels(), kAverageLayers);

}  // namespace
