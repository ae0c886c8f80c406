// Sums of floats that no order, and no division among threads, can change: every element is rounded
// to a multiple of `unit`, and doubles hold all sums of such multiples exactly. Plain header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "intact/isa.hpp"

namespace intact::kernels {

/// sums[c] += half_even(src[r * src_pitch + c] / unit) * unit for all rows r. `unit` is a power of
/// two; all elements that ever go into a sum, without their signs, add up to at most 2^50 * unit.
struct ExactSumArgs {
  std::int64_t rows = 0, channels = 0;
  const float* src = nullptr;
  std::ptrdiff_t src_pitch = 0;
  double unit = 1;
  double* sums = nullptr;
};
/// On the calling thread.
struct ExactSumKernel {
  const char* name;
  Isa isa;
  void (*run)(const ExactSumArgs&);
};
std::span<const ExactSumKernel> exact_sum_kernels();

/// What turns the addition of a double into rounding to multiples of `unit`, when it is taken off
/// again: the doubles around it are such multiples.
constexpr double rounding_offset(double unit) {
  return 6755399441055744.0 * unit;  // 1.5 * 2^52
}

}  // namespace intact::kernels
