// Times the LSTM kernels on one sequence: voice activity (one step) and a text line (80 steps). The
// counter `macs` counts multiply-adds.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/recurrent/recurrent.hpp"

namespace intact::kernels {
namespace {

struct Size {
  std::int64_t steps, input, hidden;
};
constexpr Size sizes[] = {{1, 128, 128}, {80, 256, 256}};

void time(benchmark::State& state, const LstmKernel& kernel, Size size) {
  const std::vector<float> weights(static_cast<std::size_t>(lstm_weights(size.input, size.hidden)),
                                   0.01f);
  const std::vector<float> bias(static_cast<std::size_t>(4 * lstm_pitch(size.hidden)), 0.1f);
  const std::vector<float> x(static_cast<std::size_t>(size.steps * size.input), 0.5f);
  std::vector<float> y(static_cast<std::size_t>(size.steps * size.hidden));
  std::vector<float> scratch(static_cast<std::size_t>(lstm_scratch(size.hidden)));
  FloatLstmSequence sequence;
  sequence.steps = size.steps;
  sequence.x = x.data();
  sequence.x_pitch = size.input;
  sequence.weights = weights.data();
  sequence.bias = bias.data();
  sequence.y = y.data();
  sequence.y_pitch = size.hidden;
  const LstmArgs args{size.input, size.hidden, 1, &sequence, scratch.data()};
  for (auto _ : state) {
    kernel.run(args, {});
    benchmark::ClobberMemory();
  }
  state.counters["macs"] = benchmark::Counter(
      static_cast<double>(size.steps * 4 * size.hidden * (size.input + size.hidden)),
      benchmark::Counter::kIsIterationInvariantRate);
}

bool register_all() {
  for (const LstmKernel& kernel : lstm_kernels()) {
    if (!cpu_supports(kernel.isa)) continue;
    for (const Size size : sizes) {
      const std::string name = std::string(kernel.name) + "/" + std::to_string(size.steps) + "x" +
                               std::to_string(size.input) + "x" + std::to_string(size.hidden);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [=](benchmark::State& state) { time(state, kernel, size); });
    }
  }
  return true;
}
const bool registered = register_all();

}  // namespace
}  // namespace intact::kernels
