// Times comparisons, choices and conversions over tensors that fit into the second-level cache. The
// counter `elements` counts those written.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/logic/logic.hpp"

namespace intact::kernels {
namespace {

constexpr std::int64_t count = 1 << 16;
const std::vector<std::uint8_t> first(8 * count, 3), second(8 * count, 1);
std::vector<std::uint8_t> result(8 * count);

template <class Kernel, class Args>
void time(benchmark::State& state, const Kernel& kernel, const Args& args) {
  for (auto _ : state) {
    kernel.run(args, {});
    benchmark::ClobberMemory();
  }
  state.counters["elements"] =
      benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate);
}

template <class Kernels, class Args>
void add(const Kernels& kernels, const std::string& what, const Args& args) {
  for (const auto& kernel : kernels)
    if (cpu_supports(kernel.isa))
      benchmark::RegisterBenchmark((std::string(kernel.name) + "/" + what).c_str(),
                                   [=](benchmark::State& state) { time(state, kernel, args); });
}

bool register_all() {
  const AnyOperand a{first.data(), count, 1}, b{second.data(), count, 1}, one{second.data(), 0, 0};
  for (const auto& [type, name] :
       {std::pair{ElementKind::f32, "f32"}, std::pair{ElementKind::s32, "s32"},
        std::pair{ElementKind::u8, "u8"}})
    add(compare_kernels(), std::string("less_") + name,
        CompareArgs{Relation::less, type, 1, count, a, one, result.data(), count});
  for (const int width : {1, 4})
    add(select_kernels(), std::to_string(8 * width) + "bit",
        SelectArgs{width, 1, count, a, a, b, result.data(), count});
  add(cast_kernels(), "boolean_to_f32",
      CastArgs{ElementKind::boolean, ElementKind::f32, count, first.data(), result.data()});
  add(cast_kernels(), "s64_to_f32",
      CastArgs{ElementKind::s64, ElementKind::f32, count, first.data(), result.data()});
  return true;
}
const bool registered = register_all();

}  // namespace
}  // namespace intact::kernels
