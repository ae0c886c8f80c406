// Division by a scale, correctly rounded but without dividing, over the lane types of whichever
// lanes_*.hpp was included before this file.
//
// With r the float nearest to 1 / scale, x * r is within two units in the last place of x / scale.
// Adding the remainder times r leads to a neighbour of the quotient, doing so again to the quotient
// rounded to nearest: from a neighbour the remainder x - q * scale is exact in one fma, and one
// correction by the nearest reciprocal rounds correctly (Markstein). What comes out is the bits of
// x / scale at a quarter of its time.
#pragma once

#include <cstdint>

namespace intact::kernels {
namespace {

struct Quotient {
  Floats minus_scale, reciprocal, lowest, greatest;  ///< the last two: of what is divided

  /// Scales far from the ends of the exponents: remainders that decide about a rounding to integers
  /// below 2^24 are normal numbers then.
  static bool takes(float scale) { return scale >= 0x1p-60f && scale <= 0x1p60f; }

  [[gnu::always_inline]] explicit Quotient(float by) {
    broadcast(minus_scale, -by);
    broadcast(reciprocal, 1.0f / by);
    broadcast(lowest, -0x1p24f * by);
    broadcast(greatest, 0x1p24f * by);
  }
  /// x / scale for quotients of absolute value from 2^-24 to 2^24. Smaller ones stay below 2^-23;
  /// greater ones, infinities too, become 2^24 with their sign; NaN becomes -2^24.
  [[gnu::always_inline]] Floats operator()(Floats x) const {
    x = minimum(maximum(x, lowest), greatest);
    return corrected(corrected(x * reciprocal, x), x);
  }

 private:
  [[gnu::always_inline]] Floats corrected(Floats quotient, Floats x) const {
    return fma(fma(quotient, minus_scale, x), reciprocal, quotient);
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
