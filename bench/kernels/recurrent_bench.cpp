// Times LSTM, GRU and RNN on one sequence: voice activity (one step) and a text line (80 steps).
// The counter `macs` counts multiply-adds.
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
struct Named {
  const char* name;
  Cell cell;
};
constexpr Named cells[] = {{"lstm", Cell::lstm},
                           {"gru", Cell::gru},
                           {"gru_reset_behind", Cell::gru_reset_behind},
                           {"rnn", Cell::rnn}};

void time(benchmark::State& state, const RecurrentKernel& kernel, Cell cell, Size size) {
  const std::vector<float> weights(
      static_cast<std::size_t>(recurrent_weights(cell, size.input, size.hidden)), 0.01f);
  const std::vector<float> bias(
      static_cast<std::size_t>(gate_count(cell) * unit_pitch(size.hidden)), 0.1f);
  const std::vector<float> x(static_cast<std::size_t>(size.steps * size.input), 0.5f);
  std::vector<float> y(static_cast<std::size_t>(size.steps * size.hidden));
  std::vector<float> scratch(static_cast<std::size_t>(recurrent_scratch(cell, size.hidden)));
  FloatSequence sequence;
  sequence.steps = size.steps;
  sequence.x = x.data();
  sequence.x_pitch = size.input;
  sequence.weights = weights.data();
  sequence.bias = bias.data();
  sequence.state_bias = bias.data();
  sequence.y = y.data();
  sequence.y_pitch = size.hidden;
  const RecurrentArgs args{size.input, size.hidden, 1, &sequence, scratch.data(), cell};
  for (auto _ : state) {
    kernel.run(args, {});
    benchmark::ClobberMemory();
  }
  state.counters["macs"] = benchmark::Counter(
      static_cast<double>(size.steps * gate_count(cell) * size.hidden * (size.input + size.hidden)),
      benchmark::Counter::kIsIterationInvariantRate);
}

bool register_all() {
  for (const RecurrentKernel& kernel : recurrent_kernels()) {
    if (!cpu_supports(kernel.isa)) continue;
    for (const auto& [cell_name, cell] : cells)
      for (const Size size : sizes) {
        const std::string name = std::string(kernel.name) + "/" + cell_name + "/" +
                                 std::to_string(size.steps) + "x" + std::to_string(size.input) +
                                 "x" + std::to_string(size.hidden);
        benchmark::RegisterBenchmark(
            name.c_str(), [=](benchmark::State& state) { time(state, kernel, cell, size); });
      }
  }
  return true;
}
const bool registered = register_all();

}  // namespace
}  // namespace intact::kernels
