// Times products of float matrices as attention has them. The counter `items_per_second` counts
// multiply-adds.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/float_product/float_product.hpp"

namespace intact::kernels {
namespace {

struct Size {
  std::int64_t rows, depth, columns;
};
constexpr Size sizes[] = {
    {24, 32, 128}, {24, 128, 32}, {24, 64, 128}, {24, 128, 64}, {128, 64, 128}};

const bool registered = [] {
  for (const FloatProductKernel& kernel : float_product_kernels())
    for (const Size size : sizes) {
      if (!cpu_supports(kernel.isa)) continue;
      const std::string name = kernel.name + std::string("/") + std::to_string(size.rows) + "x" +
                               std::to_string(size.depth) + "x" + std::to_string(size.columns);
      benchmark::RegisterBenchmark(name.c_str(), [kernel, size](benchmark::State& state) {
        const std::vector<float> a(static_cast<std::size_t>(size.rows * size.depth), 0.5f);
        const std::vector<float> b(
            static_cast<std::size_t>(product_columns(size.columns) * size.depth), 0.25f);
        std::vector<float> dst(static_cast<std::size_t>(size.rows * size.columns));
        for (auto _ : state) {
          kernel.run({size.rows, size.columns, size.depth, a.data(), size.depth, 1, b.data(),
                      dst.data(), size.columns});
          benchmark::ClobberMemory();
        }
        state.SetItemsProcessed(state.iterations() * size.rows * size.depth * size.columns);
      });
    }
  return true;
}();

}  // namespace
}  // namespace intact::kernels
