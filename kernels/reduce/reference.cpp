// The scalar definition of float reductions.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/elementwise/lanes_scalar.hpp"
#include "kernels/reduce/implementations.hpp"
// Over the lanes included above.
#include "kernels/elementwise/functions.hpp"

namespace intact::kernels::reference {
namespace {

bool is_extreme(Reduction function) {
  return function == Reduction::greatest || function == Reduction::least;
}

float combine(Reduction function, float a, float b) {
  if (!is_extreme(function)) return a + b;
  const bool better = function == Reduction::greatest ? a < b : b < a;
  return better || std::isnan(b) ? b : a;
}

/// `shift`: of log_sum_exp.
float join(Reduction function, float so_far, float x, float shift) {
  if (function == Reduction::squares || function == Reduction::norm) return std::fmaf(x, x, so_far);
  if (function == Reduction::magnitudes) x = std::abs(x);
  if (function == Reduction::log_sum_exp) x = exponential({x - shift}).value;
  return combine(function, so_far, x);
}

float nothing(Reduction function) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  if (function == Reduction::greatest) return -infinity;
  return function == Reduction::least ? infinity : 0.0f;
}

float joined_row(Reduction function, const float* row, std::int64_t window, float shift) {
  float partial[16];
  std::fill(std::begin(partial), std::end(partial), nothing(function));
  for (std::int64_t i = 0; i < window; ++i)
    partial[i % 16] = join(function, partial[i % 16], row[i], shift);
  for (int half = 8; half > 0; half /= 2)
    for (int k = 0; k < half; ++k) partial[k] = combine(function, partial[k], partial[k + half]);
  return partial[0];
}

float joined_channel(Reduction function, const float* src, std::int64_t window,
                     std::int64_t channels, float shift) {
  // -0 joins 0 without becoming it.
  const float zero = function == Reduction::sum || function == Reduction::mean ? -0.0f : 0.0f;
  float result = join(function, is_extreme(function) ? nothing(function) : zero, src[0], shift);
  for (std::int64_t i = 1; i < window; ++i)
    result = join(function, result, src[i * channels], shift);
  return result;
}

float joined(Reduction function, const ReduceArgs& args, const float* src, float shift) {
  return args.channels == 1 ? joined_row(function, src, args.window, shift)
                            : joined_channel(function, src, args.window, args.channels, shift);
}

float reduced(const ReduceArgs& args, const float* src) {
  float shift = 0;
  if (args.function == Reduction::log_sum_exp) shift = joined(Reduction::greatest, args, src, 0);
  if (!std::isfinite(shift)) shift = 0;
  const float result = joined(args.function, args, src, shift);
  if (args.function == Reduction::mean) return result / static_cast<float>(args.window);
  if (args.function == Reduction::norm) return std::sqrt(result);
  if (args.function == Reduction::log_sum_exp) return any_logarithm({result}).value + shift;
  return result;
}

}  // namespace

void reduce(const ReduceArgs& args, const ReduceShare& share) {
  for (std::int64_t image = share.begin; image < share.end; ++image)
    for (std::int64_t c = share.first; c < share.last; ++c)
      args.dst[image * args.channels + c] =
          reduced(args, args.src + image * args.window * args.channels + c);
}

}  // namespace intact::kernels::reference
