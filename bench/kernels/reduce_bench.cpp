// Times reductions of floats: rows, and channels of images. The counter `elements` counts those
// read.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/reduce/reduce.hpp"

namespace intact::kernels {
namespace {

struct Size {
  const char* name;
  std::int64_t batch, window, channels;
};
constexpr Size sizes[] = {{"rows_of_768", 128, 768, 1}, {"image_of_256_channels", 1, 196, 256}};

void time(benchmark::State& state, const ReduceKernel& kernel, Reduction function, Size size) {
  const std::vector<float> src(static_cast<std::size_t>(size.batch * size.window * size.channels),
                               0.5f);
  std::vector<float> dst(static_cast<std::size_t>(size.batch * size.channels));
  const ReduceArgs args{function, size.batch, size.window, size.channels, src.data(), dst.data()};
  for (auto _ : state) {
    kernel.run(args, {});
    benchmark::ClobberMemory();
  }
  state.counters["elements"] = benchmark::Counter(static_cast<double>(src.size()),
                                                  benchmark::Counter::kIsIterationInvariantRate);
}

bool register_all() {
  for (const ReduceKernel& kernel : reduce_kernels()) {
    if (!cpu_supports(kernel.isa)) continue;
    for (const Size size : sizes)
      for (const auto& [function, name] :
           {std::pair{Reduction::mean, "mean"}, std::pair{Reduction::greatest, "greatest"},
            std::pair{Reduction::norm, "norm"}, std::pair{Reduction::log_sum_exp, "log_sum_exp"}})
        benchmark::RegisterBenchmark(
            (std::string(kernel.name) + "/" + name + "/" + size.name).c_str(),
            [=](benchmark::State& state) { time(state, kernel, function, size); });
  }
  return true;
}
const bool registered = register_all();

}  // namespace
}  // namespace intact::kernels
