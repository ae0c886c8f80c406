// Times gathers (an embedding, channels, rows of an image) and positions of extremes (classes of
// pixels, of one row). The counter `bytes` counts what is written, or read for extremes.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/indexing/indexing.hpp"

namespace intact::kernels {
namespace {

struct Gathering {
  const char* name;
  std::int64_t outer, extent, count, inner;
};
constexpr Gathering gatherings[] = {{"embedding", 1, 3000, 128, 768},
                                    {"channels", 3136, 64, 64, 1},
                                    {"image_rows", 1, 56, 84, 3584}};

struct Extreme {
  const char* name;
  std::int64_t outer, extent, inner;
};
constexpr Extreme extremes[] = {
    {"classes_of_pixels", 16384, 21, 1}, {"classes_first", 1, 21, 16384}, {"one_row", 1, 32000, 1}};

void count_bytes(benchmark::State& state, std::int64_t bytes) {
  state.counters["bytes"] =
      benchmark::Counter(static_cast<double>(bytes), benchmark::Counter::kIsIterationInvariantRate);
}

void time(benchmark::State& state, const GatherKernel& kernel, const Gathering& g) {
  const std::vector<std::uint8_t> src(static_cast<std::size_t>(g.outer * g.extent * g.inner), 1);
  std::vector<std::uint8_t> dst(static_cast<std::size_t>(g.outer * g.count * g.inner));
  std::vector<std::int64_t> index(static_cast<std::size_t>(g.count));
  for (std::size_t i = 0; i < index.size(); ++i)
    index[i] = static_cast<std::int64_t>(i * 37) % g.extent;
  const GatherArgs args{g.outer, g.extent, g.count, g.inner, index.data(), src.data(), dst.data()};
  for (auto _ : state) {
    kernel.run(args, {});
    benchmark::ClobberMemory();
  }
  count_bytes(state, std::ssize(dst));
}

void time(benchmark::State& state, const ArgExtremeKernel& kernel, const Extreme& e) {
  std::vector<std::uint8_t> src(static_cast<std::size_t>(e.outer * e.extent * e.inner));
  for (std::size_t i = 0; i < src.size(); ++i) src[i] = static_cast<std::uint8_t>(i * 97 >> 3);
  std::vector<std::int64_t> dst(static_cast<std::size_t>(e.outer * e.inner));
  const ArgExtremeArgs args{false,    false,   Output::u8, e.outer,
                            e.extent, e.inner, src.data(), dst.data()};
  for (auto _ : state) {
    kernel.run(args, {});
    benchmark::ClobberMemory();
  }
  count_bytes(state, std::ssize(src));
}

template <class Kernels, class Case>
void add(const Kernels& kernels, const Case& one) {
  for (const auto& kernel : kernels)
    if (cpu_supports(kernel.isa))
      benchmark::RegisterBenchmark((std::string(kernel.name) + "/" + one.name).c_str(),
                                   [=](benchmark::State& state) { time(state, kernel, one); });
}

bool register_all() {
  for (const Gathering& g : gatherings) add(gather_kernels(), g);
  for (const Extreme& e : extremes) add(arg_extreme_kernels(), e);
  return true;
}
const bool registered = register_all();

}  // namespace
}  // namespace intact::kernels
