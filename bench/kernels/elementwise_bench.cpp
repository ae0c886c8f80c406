// Times the element-wise kernels of each list on shapes of published networks. The counter
// `bytes_per_second` counts what is read and written.

#include <benchmark/benchmark.h>

#include <string>
#include <type_traits>
#include <vector>

#include "intact/cpu.hpp"
#include "kernels/elementwise/elementwise.hpp"

namespace intact::kernels {
namespace {

struct Size {
  std::int64_t rows, channels;

  std::int64_t elements() const { return rows * channels; }
  std::string name() const { return std::to_string(rows) + "x" + std::to_string(channels); }
};

template <class Element>
std::vector<Element> numbers(std::int64_t count) {
  std::vector<Element> result(static_cast<std::size_t>(count) + 64);
  for (std::size_t i = 0; i < result.size(); ++i) {
    constexpr bool real = std::is_floating_point_v<Element>;
    result[i] = static_cast<Element>(static_cast<int>(i * 37 % 251) - (real ? 125 : 0));
    if constexpr (real) result[i] *= 0.03f;
  }
  return result;
}

template <class Run>
void add(const std::string& name, std::int64_t bytes, Run run) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) mutable {
    for (auto _ : state) {
      run();
      benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(state.iterations() * bytes);
  });
}

void add_byte_binary(const ByteBinaryKernel& kernel, Size size, bool per_channel) {
  const auto a = numbers<std::uint8_t>(size.elements()), b = a;
  ByteBinaryArgs args;
  args.operation = per_channel ? ByteBinary::mul : ByteBinary::add;
  args.rows = size.rows;
  args.channels = args.dst_pitch = args.a.pitch = size.channels;
  args.b.pitch = per_channel ? 0 : size.channels;
  args.multiplier_a = 0.01f;
  args.a.zero_point = args.b.zero_point = 128;
  args.epilogue.zero_point = 120;
  add(std::string(kernel.name) + (per_channel ? "/mul_per_channel/" : "/add/") + size.name(),
      3 * size.elements(), [=, dst = a]() mutable {
        args.a.data = a.data();
        args.b.data = b.data();
        args.dst = dst.data();
        kernel.run(args, {});
      });
}

void add_byte_division(const ByteBinaryKernel& kernel, Size size) {
  const auto a = numbers<std::uint8_t>(size.elements()), b = a;
  ByteBinaryArgs args;
  args.operation = ByteBinary::div;
  args.rows = size.rows;
  args.channels = args.dst_pitch = args.a.pitch = args.b.pitch = size.channels;
  args.multiplier_a = args.multiplier_b = args.divisor = 0.01f;
  args.a.zero_point = args.epilogue.zero_point = 128;
  add(std::string(kernel.name) + "/div/" + size.name(), 3 * size.elements(),
      [=, dst = a]() mutable {
        args.a.data = a.data();
        args.b.data = b.data();
        args.dst = dst.data();
        kernel.run(args, {});
      });
}

void add_table(const TableKernel& kernel, Size size) {
  const auto src = numbers<std::uint8_t>(size.elements());
  const auto table = numbers<float>(256);
  const int width = kernel.output == Output::f32 ? 4 : 1;
  add(std::string(kernel.name) + "/" + size.name(), (1 + width) * size.elements(),
      [=, dst = numbers<float>(size.elements())]() mutable {
        kernel.run({size.rows, size.channels, src.data(), size.channels, table.data(), dst.data(),
                    size.channels},
                   {});
      });
}

void add_word_table(const WordTableKernel& kernel, Size size) {
  const auto src = numbers<std::uint16_t>(size.elements());
  const auto table = numbers<std::uint16_t>(65537);
  add(std::string(kernel.name) + "/" + size.name(), 4 * size.elements(), [=, dst = src]() mutable {
    kernel.run({size.rows, size.channels, Element::u16, Element::u16, src.data(), size.channels,
                table.data(), dst.data(), size.channels},
               {});
  });
}

void add_float_binary(const FloatBinaryKernel& kernel, Size size) {
  const auto a = numbers<float>(size.elements()), b = a;
  add(std::string(kernel.name) + "/add_relu/" + size.name(), 12 * size.elements(),
      [=, dst = a]() mutable {
        FloatBinaryArgs args;
        args.rows = size.rows;
        args.channels = args.dst_pitch = size.channels;
        args.a = {a.data(), size.channels, 1};
        args.b = {b.data(), size.channels, 1};
        args.dst = dst.data();
        args.lower = 0;
        kernel.run(args, {});
      });
}

void add_float_unary(const FloatUnaryKernel& kernel, FloatUnary function, const char* name,
                     Size size) {
  const auto src = numbers<float>(size.elements());
  add(std::string(kernel.name) + "/" + name + "/" + size.name(), 8 * size.elements(),
      [=, dst = src]() mutable {
        kernel.run({function, size.rows, size.channels, src.data(), size.channels, dst.data(),
                    size.channels, 0, 6},
                   {});
      });
}

const bool registered = [] {
  for (const ByteBinaryKernel& kernel : byte_binary_kernels()) {
    if (!cpu_supports(kernel.isa)) continue;
    for (const Size size : {Size{56 * 56, 24}, {49, 160}}) add_byte_binary(kernel, size, false);
    add_byte_division(kernel, {56 * 56, 24});
    for (const Size size : {Size{28 * 28, 72}, {14 * 14, 480}}) add_byte_binary(kernel, size, true);
  }
  for (const TableKernel& kernel : table_kernels()) {
    if (cpu_supports(kernel.isa)) add_table(kernel, {112 * 112, 16});
  }
  for (const WordTableKernel& kernel : word_table_kernels()) {
    if (cpu_supports(kernel.isa)) add_word_table(kernel, {112 * 112, 16});
  }
  for (const FloatBinaryKernel& kernel : float_binary_kernels()) {
    if (cpu_supports(kernel.isa)) add_float_binary(kernel, {56 * 56, 256});
  }
  const std::pair<FloatUnary, const char*> functions[] = {
      {FloatUnary::clip, "clip"},         {FloatUnary::hard_swish, "hard_swish"},
      {FloatUnary::sigmoid, "sigmoid"},   {FloatUnary::tanh, "tanh"},
      {FloatUnary::exp, "exp"},           {FloatUnary::gelu_erf, "gelu_erf"},
      {FloatUnary::elu, "elu"},           {FloatUnary::gelu_tanh, "gelu_tanh"},
      {FloatUnary::mish, "mish"},         {FloatUnary::error_function, "erf"},
      {FloatUnary::softplus, "softplus"}, {FloatUnary::natural_logarithm, "log"}};
  for (const FloatUnaryKernel& kernel : float_unary_kernels()) {
    if (!cpu_supports(kernel.isa)) continue;
    for (const auto& [function, name] : functions) {
      add_float_unary(kernel, function, name, {128, 384});
    }
  }
  return true;
}();

}  // namespace
}  // namespace intact::kernels

BENCHMARK_MAIN();
