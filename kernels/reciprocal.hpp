// Division by a scale, correctly rounded but without dividing: what vector code needs for it.
//
// Let r be the float nearest to 1 / scale and `rest` what it lacks, (1 - scale * r) / scale, as a
// float. Then fma(x, r, x * rest) is off the quotient by little more than half a unit in the last
// place: it is a neighbour of x / scale. From a neighbour q the remainder x - q * scale is exact in
// one fma, and fma(remainder, r, q) is x / scale rounded to nearest (Markstein). So
//   q = fma(x, r, x * rest);  quotient = fma(fma(q, -scale, x), r, q)
// are the bits of x / scale at a quarter of its time. Plain header with internal linkage only.
#pragma once

namespace intact::kernels {

struct Reciprocal {
  float minus_scale, nearest, rest;
};

[[gnu::always_inline]] static inline Reciprocal reciprocal_of(float scale) {
  const float nearest = 1.0f / scale;
  return {-scale, nearest, __builtin_fmaf(-scale, nearest, 1.0f) / scale};
}

/// For scales far from the ends of the exponents: remainders that decide about a rounding to
/// integers below 2^24 are normal numbers then. Other scales have to divide.
[[gnu::always_inline]] static inline bool has_reciprocal(float scale) {
  return scale >= 0x1p-60f && scale <= 0x1p60f;
}

}  // namespace intact::kernels
