// The scalar definition of float reductions.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reduce/implementations.hpp"

namespace intact::kernels::reference {
namespace {

float join(Reduction function, float so_far, float x) {
  if (function == Reduction::sum || function == Reduction::mean) return so_far + x;
  const bool better = function == Reduction::greatest ? so_far < x : x < so_far;
  return better || std::isnan(x) ? x : so_far;
}

float nothing(Reduction function) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  if (function == Reduction::greatest) return -infinity;
  return function == Reduction::least ? infinity : 0.0f;
}

float joined_row(Reduction function, const float* row, std::int64_t window) {
  float partial[16];
  std::fill(std::begin(partial), std::end(partial), nothing(function));
  for (std::int64_t i = 0; i < window; ++i)
    partial[i % 16] = join(function, partial[i % 16], row[i]);
  for (int half = 8; half > 0; half /= 2)
    for (int k = 0; k < half; ++k) partial[k] = join(function, partial[k], partial[k + half]);
  return partial[0];
}

float joined_channel(Reduction function, const float* src, std::int64_t window,
                     std::int64_t channels) {
  float result = src[0];
  for (std::int64_t i = 1; i < window; ++i) result = join(function, result, src[i * channels]);
  return result;
}

}  // namespace

void reduce(const ReduceArgs& args, const ReduceShare& share) {
  for (std::int64_t image = share.begin; image < share.end; ++image)
    for (std::int64_t c = share.first; c < share.last; ++c) {
      const float* src = args.src + image * args.window * args.channels + c;
      const float joined = args.channels == 1
                               ? joined_row(args.function, src, args.window)
                               : joined_channel(args.function, src, args.window, args.channels);
      args.dst[image * args.channels + c] =
          args.function == Reduction::mean ? joined / static_cast<float>(args.window) : joined;
    }
}

}  // namespace intact::kernels::reference
