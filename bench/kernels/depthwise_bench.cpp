// Depthwise convolutions of published networks, one thread, every kernel that accepts the shape.
// Counter outputs_64: 64-byte output vectors per second; clocks per vector are the clock rate over
// it.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/depthwise/depthwise.hpp"

namespace {

using namespace intact;
using namespace intact::kernels;

struct Layer {
  std::int64_t size, channels, stride, kernel;
};

// MobileNetV2 and V3, EfficientNet-B0, ConvNeXt (7x7).
constexpr Layer kLayers[] = {
    {112, 16, 1, 3}, {112, 32, 1, 3}, {112, 96, 2, 3}, {56, 144, 1, 3}, {56, 144, 2, 3},
    {28, 192, 1, 3}, {28, 192, 2, 3}, {14, 384, 1, 3}, {14, 576, 1, 3}, {14, 576, 2, 3},
    {7, 960, 1, 3},  {56, 72, 2, 5},  {28, 240, 1, 5}, {14, 672, 1, 5}, {14, 672, 2, 5},
    {7, 1152, 1, 5}, {14, 384, 1, 7}, {56, 96, 1, 7},
};

struct FreeDeleter {
  void operator()(void* p) const { std::free(p); }
};
using Block = std::unique_ptr<void, FreeDeleter>;
Block allocate(std::size_t bytes) {
  return Block(std::aligned_alloc(64, (bytes + 127) / 64 * 64));
}

ConvShape shape_of(const Layer& layer) {
  ConvShape shape;
  const auto out = (layer.size + layer.stride - 1) / layer.stride;
  shape.in = {1, layer.size, layer.size};
  shape.out = {1, out, out};
  shape.kernel = {1, layer.kernel, layer.kernel};
  shape.stride = {1, layer.stride, layer.stride};
  shape.pad_begin = {0, layer.kernel / 2, layer.kernel / 2};
  shape.in_channels = shape.out_channels = shape.groups = layer.channels;
  return shape;
}

void run_layer(benchmark::State& state, const ConvKernel& kernel, const Layer& layer) {
  const ConvShape shape = shape_of(layer);
  std::mt19937 random(1);
  std::vector<std::uint8_t> src(shape.in_pixels() * shape.in_channels + 64);
  for (auto& v : src) v = random();
  std::vector<std::int8_t> weights(shape.taps() * shape.in_channels);
  for (auto& v : weights) v = random();
  const std::vector<std::int32_t> bias(shape.in_channels, 1000);
  const std::vector<float> multiplier(shape.in_channels, 1.0f / 700);
  ConvWeights w;
  w.data = weights.data();
  w.bias = bias.data();
  w.multiplier = multiplier.data();
  w.src_zero_point = 11;
  const Block packed = allocate(kernel.packed_bytes(shape));
  kernel.pack(shape, w, packed.get());
  const Block scratch = allocate(kernel.scratch_bytes(shape));
  std::vector<std::uint8_t> dst(shape.out_pixels() * shape.out_channels);
  ConvArgs args;
  args.src = src.data();
  args.src_pitch = shape.in_channels;
  args.weights = packed.get();
  args.dst = dst.data();
  args.dst_pitch = shape.out_channels;
  args.scratch = scratch.get();
  args.epilogue.zero_point = 5;
  for (auto _ : state) {
    kernel.run(shape, args, {});
    benchmark::ClobberMemory();
  }
  const double vectors = static_cast<double>(dst.size()) / 64;
  state.counters["outputs_64"] =
      benchmark::Counter(vectors, benchmark::Counter::kIsIterationInvariantRate);
}

/// The reference measures nothing of interest.
const bool registered = [] {
  for (const ConvKernel& kernel : depthwise_kernels())
    for (const Layer& layer : kLayers) {
      if (!cpu_supports(kernel.isa) || kernel.isa == Isa::scalar) continue;
      if (kernel.refuses(shape_of(layer), {}) != nullptr) continue;
      const std::string name = std::string(kernel.name) + "/" + std::to_string(layer.kernel) + "x" +
                               std::to_string(layer.kernel) + "s" + std::to_string(layer.stride) +
                               "/" + std::to_string(layer.size) + "x" +
                               std::to_string(layer.channels);
      benchmark::RegisterBenchmark(name.c_str(), [&kernel, &layer](benchmark::State& state) {
        run_layer(state, kernel, layer);
      })->Unit(benchmark::kMicrosecond);
    }
  return true;
}();

}  // namespace
