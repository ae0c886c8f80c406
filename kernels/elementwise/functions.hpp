// The float functions, written once over the lane types of whichever lanes_*.hpp was included
// before this file. Every operation is one rounding and every fma is spelled out, so all
// instruction sets give the same bits. The polynomials are minimax fits of the relative error.
// Infinities go where the formulas take them: x * f(x) of -infinity is NaN where f tends to 0.
#pragma once

#include "kernels/elementwise/elementwise.hpp"

namespace intact::kernels {
namespace {

[[gnu::always_inline]] inline Floats constant(float x) {
  Floats lanes;
  broadcast(lanes, x);
  return lanes;
}
[[gnu::always_inline]] inline Ints integer_constant(std::int32_t x) {
  Ints lanes;
  broadcast(lanes, x);
  return lanes;
}

/// min(max(x, lower), upper) that keeps NaN.
[[gnu::always_inline]] inline Floats clamp(Floats x, Floats lower, Floats upper) {
  return minimum(upper, maximum(lower, x));
}

[[gnu::always_inline]] inline Floats absolute(Floats x) {
  return from_bits(bits(x) & integer_constant(0x7fffffff));
}
[[gnu::always_inline]] inline Floats with_sign_of(Floats magnitude, Floats sign) {
  return from_bits(bits(absolute(magnitude)) |
                   (bits(sign) & integer_constant(static_cast<std::int32_t>(0x80000000u))));
}

/// c[0] + c[1] x + ... by Horner's rule.
template <int count>
[[gnu::always_inline]] inline Floats polynomial(Floats x, const float (&c)[count]) {
  Floats sum = constant(c[count - 1]);
  for (int i = count - 2; i >= 0; --i) sum = fma(sum, x, constant(c[i]));
  return sum;
}

/// e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2; for -105 <= x <= 89.
struct SplitExponent {
  Ints n;
  Floats r;
};
constexpr float exponential_coefficients[] = {
    1.0f, 1.0f, 0.49999993412f, 0.16666520106f, 0.04166839426f, 0.00836878062f, 0.00138144648f};
[[gnu::always_inline]] inline SplitExponent split_exponent(Floats x) {
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the sum.
  const Floats shift = constant(12582912.0f);
  const Floats shifted = fma(x, constant(1.44269504f), shift);
  const Floats n = shifted - shift;
  Floats r = fma(n, constant(-0.693145751953125f), x);  // upper bits of ln 2: n times this is exact
  r = fma(n, constant(-1.42860682e-6f), r);
  return {bits(shifted) - bits(shift), r};
}
/// 2^n for -126 <= n <= 127.
[[gnu::always_inline]] inline Floats power_of_two(Ints n) {
  return from_bits(shift_left<23>(n + integer_constant(127)));
}

/// Results below the smallest normal number are rounded once more.
[[gnu::always_inline]] inline Floats exponential(Floats x) {
  // Beyond these bounds the result is 0 or infinity anyway.
  const auto [n, r] = split_exponent(clamp(x, constant(-105.0f), constant(89.0f)));
  const Floats p = polynomial(r, exponential_coefficients);
  // Two factors, for n reaches from -151 to 128.
  const Ints half = shift_right<1>(n);
  return p * power_of_two(half) * power_of_two(n - half);
}

/// The natural logarithm of a normal positive number; NaN stays. x = 2^n m with m in [2/3, 4/3) or
/// so, log(m) = 2 artanh(s) with s = (m - 1) / (m + 1), as an odd polynomial.
[[gnu::always_inline]] inline Floats logarithm(Floats x) {
  constexpr float coefficients[] = {0.66666666667f, 0.4f, 0.28571428571f, 0.22222222222f,
                                    0.18181818182f};
  constexpr std::int32_t two_thirds = 0x3f2aaaab;
  const Ints n = shift_right<23>(bits(x) - integer_constant(two_thirds));
  const Floats m = from_bits(bits(x) - shift_left<23>(n));
  const Floats exponent = to_floats(n);
  const Floats f = m - constant(1.0f);
  const Floats s = f / (constant(2.0f) + f);
  const Floats square = s * s;
  const Floats small = fma(s * square, polynomial(square, coefficients), s + s);
  const Floats low = fma(exponent, constant(1.42860682e-6f), small);
  return select(is_nan(x), x, fma(exponent, constant(0.693145751953125f), low));
}

/// e^x - 1 for x <= 0: 2^n (e^r - 1) + (2^n - 1), in which nothing cancels.
[[gnu::always_inline]] inline Floats exponential_minus_one(Floats x) {
  const auto [n, r] = split_exponent(maximum(constant(-30.0f), x));  // below, the result is -1
  constexpr const auto& c = exponential_coefficients;
  constexpr float from_first[] = {c[1], c[2], c[3], c[4], c[5], c[6]};
  const Floats power = power_of_two(n);
  return fma(r * polynomial(r, from_first), power, power - constant(1.0f));
}

/// e^-|x| / (1 + e^-|x|) for negative x, 1 / (1 + e^-|x|) else; times `factor`.
[[gnu::always_inline]] inline Floats scaled_sigmoid(Floats x, Floats factor) {
  const Floats zero = constant(0.0f);
  const Floats e = exponential(zero - absolute(x));
  const Floats numerator = select(less(x, zero), factor * e, factor);
  return numerator / (constant(1.0f) + e);
}

/// Near 0 an odd polynomial, else 1 - 2 / (e^2|x| + 1).
[[gnu::always_inline]] inline Floats hyperbolic_tangent(Floats x) {
  constexpr float coefficients[] = {-0.33333281940f, 0.13331442157f, -0.05373971215f,
                                    0.02063907873f, -0.00570497836f};
  const Floats one = constant(1.0f);
  const Floats y = absolute(x);
  const Floats square = y * y;
  const Floats small = fma(y * square, polynomial(square, coefficients), y);
  const Floats large = one - constant(2.0f) / (exponential(y + y) + one);
  return with_sign_of(select(less(y, constant(0.625f)), small, large), x);
}

/// x * Phi(x), Phi the normal distribution function. Near 0, Phi is 1/2 and an odd polynomial.
/// Beyond, Phi(-y) = e^(-y^2 / 2) h(y), where h is smooth and falls like 1 / y: a polynomial in 1 /
/// (1 + 0.3 y). So nothing cancels for negative x.
[[gnu::always_inline]] inline Floats gelu(Floats x) {
  constexpr float near[] = {0.39894227986f, -0.06649032645f, 0.00997270065f, -0.00118251165f,
                            0.00010425383f};
  constexpr float far[] = {
      0.0f,           0.11967416019f, 0.11986596146f,  0.10727552245f,  0.09515047800f,
      0.03724621915f, 0.05403453304f, -0.00341024808f, -0.05015170572f, 0.02032904647f};
  const Floats zero = constant(0.0f), half = constant(0.5f), one = constant(1.0f);
  const Floats y = minimum(constant(15.0f), absolute(x));
  const Floats square = y * y;
  const Floats near_value = fma(x, polynomial(square, near), half);
  const Floats h = polynomial(one / fma(constant(0.3f), y, one), far);
  // The rounding error of y * y matters, because the exponential magnifies it by y * y / 2.
  const Floats lost = half * fma(y, y, zero - square);
  const Floats tail = fma(zero - h, lost, h) * exponential(zero - half * square);
  const Floats far_value = select(less(x, zero), tail, one - tail);
  return x * select(less(y, constant(0.7f)), near_value, far_value);
}

/// x / 2 * (1 + tanh(u)) with u = sqrt(2 / pi) * (x + 0.044715 x^3), which is x * sigmoid(2 u).
[[gnu::always_inline]] inline Floats gelu_by_tanh(Floats x) {
  const Floats slope = fma(constant(0.07135481627f), x * x, constant(1.59576912161f));
  return scaled_sigmoid(x * slope, x);
}

/// x * tanh(log(1 + e^x)) = x * n / (n + 2) with n = e^x * (e^x + 2). From 20 on that is x.
[[gnu::always_inline]] inline Floats self_regularized(Floats x) {
  const Floats two = constant(2.0f);
  const Floats e = exponential(minimum(constant(20.0f), x));
  const Floats n = e * (e + two);
  return x * (n / (n + two));
}

/// One member of FloatUnary; `alpha` and `beta` as in FloatUnaryArgs.
template <FloatUnary function>
[[gnu::always_inline]] inline Floats unary(Floats x, Floats alpha, Floats beta) {
  const Floats zero = constant(0.0f);
  const Floats one = constant(1.0f);
  if constexpr (function == FloatUnary::clip) {
    return clamp(x, alpha, beta);
  } else if constexpr (function == FloatUnary::leaky_relu) {
    return select(less(x, zero), alpha * x, x);
  } else if constexpr (function == FloatUnary::hard_sigmoid) {
    return clamp(fma(alpha, x, beta), zero, one);
  } else if constexpr (function == FloatUnary::hard_swish) {
    const Floats six = constant(6.0f);
    return x * (clamp(x + constant(3.0f), zero, six) / six);
  } else if constexpr (function == FloatUnary::sigmoid) {
    return scaled_sigmoid(x, one);
  } else if constexpr (function == FloatUnary::tanh) {
    return hyperbolic_tangent(x);
  } else if constexpr (function == FloatUnary::silu) {
    return scaled_sigmoid(alpha * x, x);
  } else if constexpr (function == FloatUnary::exp) {
    return exponential(x);
  } else if constexpr (function == FloatUnary::gelu_erf) {
    return gelu(x);
  } else if constexpr (function == FloatUnary::gelu_tanh) {
    return gelu_by_tanh(x);
  } else if constexpr (function == FloatUnary::elu) {
    return beta * select(less(x, zero), alpha * exponential_minus_one(x), x);
  } else if constexpr (function == FloatUnary::mish) {
    return self_regularized(x);
  } else if constexpr (function == FloatUnary::square_root) {
    return square_root(x);
  } else if constexpr (function == FloatUnary::reciprocal) {
    return one / x;
  } else if constexpr (function == FloatUnary::square) {
    return x * x;
  } else if constexpr (function == FloatUnary::absolute) {
    return from_bits(bits(x) & integer_constant(0x7fffffff));
  } else {
    static_assert(function == FloatUnary::negative);
    return constant(-0.0f) - x;
  }
}

/// One member of FloatBinary. max and min give NaN where either operand is NaN.
template <FloatBinary operation>
[[gnu::always_inline]] inline Floats binary(Floats a, Floats b) {
  if constexpr (operation == FloatBinary::add) return a + b;
  if constexpr (operation == FloatBinary::sub) return a - b;
  if constexpr (operation == FloatBinary::mul) return a * b;
  if constexpr (operation == FloatBinary::div) return a / b;
  if constexpr (operation == FloatBinary::max) return select(is_nan(a), a, maximum(a, b));
  if constexpr (operation == FloatBinary::min) return select(is_nan(a), a, minimum(a, b));
  if constexpr (operation == FloatBinary::prelu) return select(less(a, constant(0.0f)), a * b, a);
}

/// What the arithmetic of ByteBinaryArgs needs besides the elements.
struct ByteArithmetic {
  Floats multiplier_a, multiplier_b, lower, upper, divisor;
};
[[gnu::always_inline]] inline ByteArithmetic byte_arithmetic(const ByteBinaryArgs& args) {
  return {constant(args.multiplier_a), constant(args.multiplier_b),
          constant(args.epilogue.float_lower), constant(args.epilogue.float_upper),
          constant(args.divisor)};
}

/// t of ByteBinaryArgs; a and b are free of their zero points.
template <ByteBinary operation>
[[gnu::always_inline]] inline Floats byte_binary_value(Floats a, Floats b,
                                                       const ByteArithmetic& by) {
  if constexpr (operation == ByteBinary::add) {
    return fma(b, by.multiplier_b, a * by.multiplier_a);
  } else if constexpr (operation == ByteBinary::mul) {
    return a * b * by.multiplier_a;
  } else {
    constexpr FloatBinary real = operation == ByteBinary::div   ? FloatBinary::div
                                 : operation == ByteBinary::max ? FloatBinary::max
                                                                : FloatBinary::min;
    const Floats value = binary<real>(a * by.multiplier_a, b * by.multiplier_b);
    return clamp(value, by.lower, by.upper) / by.divisor;
  }
}

}  // namespace
}  // namespace intact::kernels
