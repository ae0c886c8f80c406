// Times the row kernels on rows of attention and classifiers: softmax and normalizations,
// bytes to bytes. The counter `bytes_per_second` counts what is read and written.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/rows/rows.hpp"

namespace intact::kernels {
namespace {

struct Size {
  std::int64_t rows, length;
};
constexpr Size sizes[] = {{1, 1000}, {12 * 197, 197}, {197, 768}};

void time(benchmark::State& state, const RowKernel& kernel, RowFunction function, Size size) {
  const auto elements = static_cast<std::size_t>(size.rows * size.length);
  std::vector<std::uint8_t> src(elements), dst(elements);
  for (std::size_t i = 0; i < elements; ++i) src[i] = static_cast<std::uint8_t>(i * 37 % 251);
  const std::vector<float> gamma(static_cast<std::size_t>(size.length), 1.25f);
  std::vector<float> scratch(static_cast<std::size_t>(row_scratch(size.length)));
  RowArgs args;
  args.function = function;
  args.rows = size.rows;
  args.length = args.src_pitch = args.dst_pitch = size.length;
  args.src = src.data();
  args.src_scale = 0.04f;
  args.src_zero_point = 128;
  args.dst = dst.data();
  args.dst_scale = 1.0f / 256;
  args.gamma = args.beta = gamma.data();
  args.epsilon = 1e-5f;
  args.scratch = scratch.data();
  for (auto _ : state) {
    kernel.run(args, {});
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * 2 * size.rows * size.length);
}

bool register_all() {
  for (const RowKernel& kernel : rows_kernels()) {
    if (!cpu_supports(kernel.isa)) continue;
    for (const Size size : sizes)
      for (const auto& [function, label] : {std::pair{RowFunction::softmax, "/softmax/"},
                                            std::pair{RowFunction::log_softmax, "/log_softmax/"},
                                            std::pair{RowFunction::layer_norm, "/layer_norm/"},
                                            std::pair{RowFunction::rms_norm, "/rms_norm/"}}) {
        const std::string name = kernel.name + std::string(label) + std::to_string(size.rows) +
                                 "x" + std::to_string(size.length);
        benchmark::RegisterBenchmark(name.c_str(),
                                     [kernel, function = function, size](benchmark::State& state) {
                                       time(state, kernel, function, size);
                                     });
      }
  }
  return true;
}
const bool registered = register_all();

}  // namespace
}  // namespace intact::kernels
