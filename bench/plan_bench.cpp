// Time of planning: a new sequence length of a BERT-like encoder (the aim: below 1 ms per layer),
// and loading with the first plan. Counters are per encoder layer.
#include <benchmark/benchmark.h>

#include "bench/encoder_model.hpp"
#include "intact/session.hpp"

namespace intact::bench {
namespace {

constexpr int layers = 4;

std::vector<std::byte> encoder(bool int8) {
  return serialize_onnx(EncoderModel({.layers = layers, .int8 = int8}).build());
}

void per_layer(benchmark::State& state) {
  state.counters["per_layer"] = benchmark::Counter(
      layers, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void new_length(benchmark::State& state, bool int8) {
  const auto model = encoder(int8);
  const Session session = Session::parse(model, {.threads = 1});
  std::int64_t length = 16;
  const auto plan = [&] { session.plan(std::vector<Shape>{{1, ++length, 768}}); };
  plan();  // packs the weights
  for (auto _ : state) plan();
  per_layer(state);
}

void load(benchmark::State& state, bool int8) {
  const auto model = encoder(int8);
  for (auto _ : state) {
    const Session session = Session::parse(model, {.threads = 1});
    session.plan(std::vector<Shape>{{1, 128, 768}});
  }
  per_layer(state);
}

BENCHMARK_CAPTURE(new_length, int8, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(new_length, float, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(load, int8, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(load, float, false)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace intact::bench
