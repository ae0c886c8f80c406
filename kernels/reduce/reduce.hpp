// Reductions of floats: the middle one of [batch][window][channels] is joined. Plain header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/thread_team.hpp"
#include "intact/isa.hpp"

namespace intact::kernels {

/// mean: the sum / window. NaN stays in extremes. magnitudes: of |x|. squares: sum = fma(x, x,
/// sum); norm: its square root. log_sum_exp: m + log(sum of e^(x - m)), where m is the greatest
/// element, or 0 if that is infinite.
enum class Reduction : std::uint8_t {
  sum,
  mean,
  greatest,
  least,
  magnitudes,
  squares,
  norm,
  log_sum_exp
};

/// One channel: 16 partial results, which begin at 0 (greatest: -infinity, least: infinity);
/// element i goes to that of number i % 16, and they are combined in halves. Several channels: each
/// takes in its elements in ascending order. All tensors are dense.
struct ReduceArgs {
  Reduction function = Reduction::sum;
  std::int64_t batch = 1, window = 1, channels = 1;
  const float* src = nullptr;
  float* dst = nullptr;  ///< [batch][channels]
};

struct ReduceKernel {
  const char* name;
  Isa isa;
  void (*run)(const ReduceArgs&, Part part);
};
std::span<const ReduceKernel> reduce_kernels();

}  // namespace intact::kernels
