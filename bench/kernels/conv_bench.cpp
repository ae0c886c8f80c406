// Every convolution kernel on the layers of MobileNetV2 and ResNet, one thread. Reports GMAC/s and
// the share of what the instruction set can multiply from registers.
//   conv_bench --benchmark_filter=avx512vnni.*mobilenet
// On a CPU with tile registers also every shape of blocks, to compare the cost model with the
// clock:
//   conv_bench --benchmark_filter=blocks/
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/conv/block_kernel.hpp"
#include "kernels/conv/conv.hpp"
#include "kernels/peak/peak.hpp"

namespace intact::kernels {
namespace {

struct Layer {
  const char* net;
  std::int64_t size, in, out, kernel, stride;  ///< size: of the square input
  bool residual = false;
  std::int64_t groups = 1;
};

constexpr Layer layers[] = {
    {"mobilenet", 224, 3, 32, 3, 2},
    {"mobilenet", 112, 32, 16, 1, 1},
    {"mobilenet", 112, 16, 96, 1, 1},
    {"mobilenet", 56, 96, 24, 1, 1},
    {"mobilenet", 56, 24, 144, 1, 1},
    {"mobilenet", 56, 144, 24, 1, 1, true},
    {"mobilenet", 28, 144, 32, 1, 1},
    {"mobilenet", 28, 32, 192, 1, 1},
    {"mobilenet", 28, 192, 32, 1, 1, true},
    {"mobilenet", 14, 192, 64, 1, 1},
    {"mobilenet", 14, 64, 384, 1, 1},
    {"mobilenet", 14, 384, 64, 1, 1, true},
    {"mobilenet", 14, 384, 96, 1, 1},
    {"mobilenet", 14, 96, 576, 1, 1},
    {"mobilenet", 14, 576, 96, 1, 1, true},
    {"mobilenet", 7, 576, 160, 1, 1},
    {"mobilenet", 7, 160, 960, 1, 1},
    {"mobilenet", 7, 960, 160, 1, 1, true},
    {"mobilenet", 7, 960, 320, 1, 1},
    {"mobilenet", 7, 320, 1280, 1, 1},
    {"mobilenet", 1, 1280, 1000, 1, 1},
    {"resnet", 224, 3, 64, 7, 2},
    {"resnet", 56, 64, 64, 1, 1},
    {"resnet", 56, 64, 256, 1, 1, true},
    {"resnet", 56, 256, 64, 1, 1},
    {"resnet", 28, 512, 128, 1, 1},
    {"resnet", 14, 1024, 256, 1, 1},
    {"resnet", 7, 2048, 512, 1, 1},
    {"resnet", 56, 256, 512, 1, 2},
    {"resnet", 56, 64, 64, 3, 1},
    {"resnet", 28, 128, 128, 3, 1},
    {"resnet", 14, 256, 256, 3, 1},
    {"resnet", 7, 512, 512, 3, 1},
    {"resnet", 56, 128, 128, 3, 2},
    {"resnet20", 32, 3, 16, 3, 1},
    {"resnet20", 32, 16, 16, 3, 1, true},
    {"resnet20", 16, 32, 32, 3, 1, true},
    {"resnet20", 8, 64, 64, 3, 1, true},
    {"resnext", 56, 128, 128, 3, 1, false, 32},
    {"resnext", 14, 512, 512, 3, 1, false, 32},
};

ConvShape shape_of(const Layer& layer) {
  ConvShape shape;
  shape.in = {1, layer.size, layer.size};
  shape.kernel = {1, layer.kernel, layer.kernel};
  shape.stride = {1, layer.stride, layer.stride};
  const std::int64_t pad = layer.kernel / 2;
  shape.pad_begin = {0, pad, pad};
  const std::int64_t out = (layer.size + 2 * pad - layer.kernel) / layer.stride + 1;
  shape.out = {1, out, out};
  shape.in_channels = layer.in;
  shape.out_channels = layer.out;
  shape.groups = layer.groups;
  return shape;
}

struct Aligned {
  void operator()(std::byte* data) const { ::operator delete (data, std::align_val_t{64}); }
};
std::unique_ptr<std::byte, Aligned> aligned_bytes(std::size_t size) {
  return std::unique_ptr<std::byte, Aligned>(
      static_cast<std::byte*>(::operator new (size + 64, std::align_val_t{64})));
}

double peak(Isa isa) {
  static std::map<Isa, double> known;
  if (!known.contains(isa)) known[isa] = kernels::peak_macs(isa);
  return known[isa];
}

/// The shortest call in wall time, from windows of several calls. Not the mean, which other
/// processes lengthen, and not the thread's CPU time: virtual machines under-count it at times, and
/// a minimum would pick just those windows and report more than the processor can do.
template <class Call>
double fastest(benchmark::State& state, const Call& call) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [&](int calls) {
    const auto start = Clock::now();
    for (int i = 0; i < calls; ++i) call();
    return std::chrono::duration<double>(Clock::now() - start).count() / calls;
  };
  double best = seconds(1);
  for (int i = 0; i < 10; ++i) best = std::min(best, seconds(1));
  const int calls = std::max(1, static_cast<int>(20e-6 / best));
  for (auto _ : state) {
    const double window = seconds(calls);
    state.SetIterationTime(window * calls);
    best = std::min(best, window);
  }
  return best;
}

void run(benchmark::State& state, const ConvKernel& kernel, const Layer& layer) {
  const ConvShape shape = shape_of(layer);
  std::mt19937 random(1);
  std::vector<std::int8_t> w(
      static_cast<std::size_t>(shape.out_channels * shape.taps() * shape.group_in_channels()));
  for (std::int8_t& value : w) value = static_cast<std::int8_t>(random());
  const std::vector<float> multiplier(static_cast<std::size_t>(shape.out_channels), 1e-3F);
  ConvWeights weights;
  weights.data = w.data();
  weights.multiplier = multiplier.data();
  weights.src_zero_point = 3;
  const auto packed = aligned_bytes(kernel.packed_bytes(shape));
  kernel.pack(shape, weights, packed.get());
  const auto scratch = aligned_bytes(kernel.scratch_bytes(shape));
  const auto source_bytes = static_cast<std::size_t>(shape.in_pixels() * shape.in_channels) + 64;
  const auto outputs = static_cast<std::size_t>(shape.out_pixels() * shape.out_channels);
  const auto src = aligned_bytes(source_bytes), dst = aligned_bytes(outputs);
  const auto other = aligned_bytes(outputs);
  for (std::size_t i = 0; i < source_bytes; ++i) src.get()[i] = static_cast<std::byte>(random());
  for (std::size_t i = 0; i < outputs; ++i) other.get()[i] = static_cast<std::byte>(random());

  Residual residual{reinterpret_cast<const std::uint8_t*>(other.get()),
                    shape.out_channels,
                    100,
                    0.7F,
                    120,
                    0.9F,
                    110,
                    0,
                    255};
  ConvArgs args;
  args.src = reinterpret_cast<const std::uint8_t*>(src.get());
  args.src_pitch = shape.in_channels;
  args.weights = packed.get();
  args.dst = dst.get();
  args.dst_pitch = shape.out_channels;
  args.scratch = scratch.get();
  if (layer.residual) args.epilogue.residual = &residual;
  const double seconds = fastest(state, [&] { kernel.run(shape, args, {}); });
  const double macs =
      static_cast<double>(outputs) * static_cast<double>(shape.taps() * shape.group_in_channels());
  state.counters["best_us"] = seconds * 1e6;
  state.counters["GMAC/s"] = macs / seconds * 1e-9;
  state.counters["peak"] = macs / seconds / peak(kernel.isa);
}

template <class Run>
void add(const std::string& prefix, const ConvKernel& kernel, const Layer& layer, const Run& run) {
  const std::string name =
      fmt::format("{}{}/{}/{}x{}s{}g{}/{}x{}/{}to{}{}", prefix, kernel.name, layer.net,
                  layer.kernel, layer.kernel, layer.stride, layer.groups, layer.size, layer.size,
                  layer.in, layer.out, layer.residual ? "+residual" : "");
  benchmark::RegisterBenchmark(name.c_str(), run)->UseManualTime()->Unit(benchmark::kMicrosecond);
}

void register_list() {
  for (const ConvKernel& kernel : conv_kernels()) {
    if (!cpu_supports(kernel.isa)) continue;
    for (const Layer& layer : layers)
      if (kernel.refuses(shape_of(layer), {}) == nullptr)
        add("", kernel, layer,
            [&kernel, &layer](benchmark::State& state) { run(state, kernel, layer); });
  }
}

/// Every shape of blocks on every layer, with the clocks that the cost model expects.
void register_blocks() {
  static constexpr BlockShapes shapes = block_shapes({}, nullptr, nullptr);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const ConvKernel& kernel = conv_block_kernels()[i];
    if (!cpu_supports(kernel.isa)) continue;
    for (const Layer& layer : layers)
      add("blocks/", kernel, layer, [&kernel, &layer, i](benchmark::State& state) {
        run(state, kernel, layer);
        state.counters["model_clocks"] = block_clocks(shapes[i], shape_of(layer));
      });
  }
}

}  // namespace
}  // namespace intact::kernels

int main(int argc, char** argv) {
  intact::kernels::register_list();
  intact::kernels::register_blocks();
  benchmark::Initialize(&argc, argv);
  for (const intact::Isa isa : {intact::Isa::avx2, intact::Isa::avx512vnni, intact::Isa::amx})
    fmt::print(stderr, "peak of {}: {:.1f} GMAC/s\n", intact::isa_name(isa),
               intact::kernels::peak_macs(isa) * 1e-9);
  benchmark::RunSpecifiedBenchmarks();
}
