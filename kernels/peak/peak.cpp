#include "kernels/peak/peak.hpp"

#include <algorithm>
#include <chrono>

#include "intact/cpu.hpp"

namespace intact::kernels {
namespace {

double multiply_scalar(long repeats) {
  unsigned sum = 0;
  for (long i = 0; i < repeats; ++i) {
    sum += static_cast<unsigned>(i & 255) * 3U;
    __asm__ volatile("" : "+r"(sum));
  }
  return static_cast<double>(repeats);
}

double (*multiply(Isa isa))(long) {
  switch (isa) {
    case Isa::scalar:
      return multiply_scalar;
    case Isa::avx2:
      return multiply_avx2;
    case Isa::avxvnni:
      return multiply_avxvnni;
    case Isa::avx512vnni:
      return multiply_avx512_vnni;
    case Isa::amx:
      return multiply_amx;
  }
  return multiply_scalar;
}

}  // namespace

double peak_macs(Isa isa) {
  double best = 0;
  if (!cpu_supports(isa)) return best;
  for (int window = 0; window < 300; ++window) {
    const auto start = std::chrono::steady_clock::now();
    const double macs = multiply(isa)(2000);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best = std::max(best, macs / elapsed.count());
  }
  return best;
}

}  // namespace intact::kernels
