// Division by a scale over the lane types of whichever lanes_*.hpp was included before this file.
#pragma once

#include "kernels/reciprocal.hpp"

namespace intact::kernels {
namespace {

/// x / scale to the bit, for scales that have a reciprocal (kernels/reciprocal.hpp) and finite x
/// whose remainders are normal numbers.
struct NormalQuotient {
  Floats minus_scale, nearest, rest;

  [[gnu::always_inline]] explicit NormalQuotient(float scale) {
    const Reciprocal reciprocal = reciprocal_of(scale);
    broadcast(minus_scale, reciprocal.minus_scale);
    broadcast(nearest, reciprocal.nearest);
    broadcast(rest, reciprocal.rest);
  }
  [[gnu::always_inline]] Floats operator()(Floats x) const {
    const Floats neighbour = fma(x, nearest, x * rest);
    return fma(fma(neighbour, minus_scale, x), nearest, neighbour);
  }
};

/// The same for any x: exact where the quotient's absolute value lies between 2^-24 and 2^24.
/// Smaller ones stay below 2^-23; greater ones, infinities too, become 2^24 with their sign; NaN
/// becomes -2^24.
struct Quotient {
  NormalQuotient normal;
  Floats lowest, greatest;  ///< of what is divided

  [[gnu::always_inline]] explicit Quotient(float scale) : normal(scale) {
    broadcast(lowest, -0x1p24f * scale);
    broadcast(greatest, 0x1p24f * scale);
  }
  [[gnu::always_inline]] Floats operator()(Floats x) const {
    return normal(minimum(maximum(x, lowest), greatest));
  }
};

/// The division instruction.
struct SlowQuotient {
  Floats scale;
  [[gnu::always_inline]] explicit SlowQuotient(float by) { broadcast(scale, by); }
  [[gnu::always_inline]] Floats operator()(Floats x) const { return x / scale; }
};

}  // namespace
}  // namespace intact::kernels
