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

/// Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the sum.
constexpr float rounding_shift = 12582912.0f;

/// 8 / ln 2, and -ln 2 / 8 in two parts: n times the first is exact.
constexpr float eighths_of_one = 11.5415602f;
constexpr float minus_upper_eighth = -0.086639404296875f;
constexpr float minus_lower_eighth = -3.99327291e-6f;

/// e^x = 2^(n / 8) e^r with n = round(8 x / ln 2), |r| <= ln 2 / 16; for |x| <= 120.
struct SplitExponent {
  Ints n;  ///< modulo 2^22
  Floats r;
};
[[gnu::always_inline]] inline SplitExponent split_exponent(Floats x) {
  const Floats shift = constant(rounding_shift);
  const Floats shifted = fma(x, constant(eighths_of_one), shift);
  const Floats n = shifted - shift;
  const Floats r = fma(n, constant(minus_upper_eighth), x);
  return {bits(shifted), fma(n, constant(minus_lower_eighth), r)};
}
/// The same of the product a * b, which is not rounded.
[[gnu::always_inline]] inline SplitExponent split_exponent(Floats a, Floats b) {
  const Floats shift = constant(rounding_shift);
  const Floats shifted = fma(a * b, constant(eighths_of_one), shift);
  const Floats n = shifted - shift;
  const Floats r = fma(a, b, n * constant(minus_upper_eighth));
  return {bits(shifted), fma(n, constant(minus_lower_eighth), r)};
}
/// 2^(raise + j / 8), less j at bit 20.
struct EighthPowers {
  float at[8];
};
constexpr EighthPowers eighth_powers(int raise) {
  constexpr float power[8] = {1.0f,        1.09050775f, 1.18920708f, 1.29683959f,
                              1.41421354f, 1.54221082f, 1.68179286f, 1.8340081f};
  EighthPowers powers = {};
  for (int j = 0; j < 8; ++j)
    powers.at[j] = __builtin_bit_cast(
        float, __builtin_bit_cast(std::int32_t, power[j]) + (raise << 23) - (j << 20));
  return powers;
}
/// What the floats of that table lack, relative to them.
constexpr float power_remainders[8] = {0.0f,         -1.19922e-08f, 3.19342e-08f,  -3.09907e-08f,
                                       1.71143e-08f, 5.23333e-09f,  -1.47196e-08f, -6.12826e-09f};

/// 2^raise e^x, a normal number.
template <int raise>
[[gnu::always_inline]] inline Floats raised_exponential(const SplitExponent& x) {
  static constexpr EighthPowers powers = eighth_powers(raise);
  constexpr float coefficients[] = {1.0f, 0.5f, 0.1666805329f, 0.04167071232f};
  // From bit 3 on, n is the exponent; below is what the table has.
  const Floats power = from_bits(bits(eighth(powers.at, x.n)) + shift_left<20>(x.n));
  // e^r - 1, and what the table lacks of its powers.
  const Floats rest = fma(x.r, polynomial(x.r, coefficients), eighth(power_remainders, x.n));
  return fma(power, rest, power);
}
/// A power of 2 that keeps numbers normal which are not without it, for x from -112 to 60.
constexpr int least_raise = 36;
constexpr float lowered = 0x1p-36f;
constexpr float greatest_raised = 60.0f;

/// e^min(x, 60). Results below the smallest normal number are rounded once more.
[[gnu::always_inline]] inline Floats small_exponential(Floats x) {
  const Floats bounded = clamp(x, constant(-105.0f), constant(greatest_raised));
  return raised_exponential<least_raise>(split_exponent(bounded)) * constant(lowered);
}

/// e^x for all x.
[[gnu::always_inline]] inline Floats exponential(Floats x) {
  // Beyond these bounds the result is 0 or infinity anyway.
  const Floats bounded = clamp(x, constant(-105.0f), constant(89.0f));
  const Mask large = less(constant(greatest_raised), bounded);
  SplitExponent split = split_exponent(bounded);
  const Ints less_64 = split.n - integer_constant(64 * 8);
  split.n = bits(select(large, from_bits(less_64), from_bits(split.n)));
  const Floats factor = select(large, constant(0x1p64f * lowered), constant(lowered));
  return raised_exponential<least_raise>(split) * factor;
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

/// e^x - 1 for x <= 0: 2^n (e^r - 1) + (2^n - 1), in which nothing cancels; n = round(x / ln 2).
[[gnu::always_inline]] inline Floats exponential_minus_one(Floats x) {
  constexpr float coefficients[] = {1.0f,           0.49999993412f, 0.16666520106f,
                                    0.04166839426f, 0.00836878062f, 0.00138144648f};
  const Floats shift = constant(rounding_shift);
  const Floats bounded = maximum(constant(-30.0f), x);  // below, the result is -1
  const Floats shifted = fma(bounded, constant(1.44269504f), shift);
  const Floats n = shifted - shift;
  Floats r = fma(n, constant(-0.693145751953125f), bounded);  // n times these upper bits is exact
  r = fma(n, constant(-1.42860682e-6f), r);
  const Floats power =
      from_bits(shift_left<23>(bits(shifted) - bits(shift) + integer_constant(127)));
  return fma(r * polynomial(r, coefficients), power, power - constant(1.0f));
}

/// e^-|x| / (1 + e^-|x|) for negative x, 1 / (1 + e^-|x|) else; times `factor`.
[[gnu::always_inline]] inline Floats scaled_sigmoid(Floats x, Floats factor) {
  const Floats zero = constant(0.0f);
  const Floats e = small_exponential(zero - absolute(x));
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
  const Floats large = one - constant(2.0f) / (small_exponential(y + y) + one);
  return with_sign_of(select(less(y, constant(0.625f)), small, large), x);
}

/// x * Phi(x) = max(x, 0) - e^(-y^2 / 2) h(y) with y = |x|, Phi the normal distribution function:
/// so nothing cancels for negative x. h(y) = y Phi(-y) e^(y^2 / 2) is smooth: a polynomial of
/// degree 5 in each of 16 intervals, four of equal length for each doubling of y + 1.
[[gnu::always_inline]] inline Floats gelu(Floats x) {
  // The first interval begins at its center, so that h(0) = 0.
  constexpr float centers[16] = {0.0f, 0.375f, 0.625f, 0.875f, 1.25f, 1.75f, 2.25f, 2.75f,
                                 3.5f, 4.5f,   5.5f,   6.5f,   8.0f,  10.0f, 12.0f, 14.0f};
  constexpr float coefficients[6][16] = {
      {0.0f, 0.142351657f, 0.20209761f, 0.244799241f, 0.28845039f, 0.32415542f, 0.345716864f,
       0.359493017f, 0.372208029f, 0.381615251f, 0.386884809f, 0.39010188f, 0.392980367f,
       0.395066947f, 0.396227658f, 0.396937251f},
      {0.49999997f, 0.283382952f, 0.200328246f, 0.144895419f, 0.0926455036f, 0.0543546565f,
       0.0338947438f, 0.022239266f, 0.0127753187f, 0.00683182338f, 0.00402664673f, 0.00255313609f,
       0.00142726314f, 0.000753300614f, 0.000443441473f, 0.000282198278f},
      {-0.398934036f, -0.203454971f, -0.134241372f, -0.090750888f, -0.0525857471f, -0.0272256099f,
       -0.015093484f, -0.00887012854f, -0.00437677279f, -0.00195525703f, -0.000984140323f,
       -0.000542683469f, -0.000252809928f, -0.000108826796f, -5.39762805e-05f, -2.96442522e-05f},
      {0.249736488f, 0.116255246f, 0.0721956715f, 0.0459780432f, 0.0244080722f, 0.0112944171f,
       0.00562675251f, 0.0029884642f, 0.0012802683f, 0.000482711621f, 0.000208964135f,
       0.000100715864f, 3.92988368e-05f, 1.38533378e-05f, 5.80332744e-06f, 2.75493676e-06f},
      {-0.129984558f, -0.0571501069f, -0.033589758f, -0.0202601478f, -0.0100166136f,
       -0.00417395402f, -0.00188122212f, -0.000908285554f, -0.000345922948f, -0.000110410117f,
       -4.12058762e-05f, -1.73907229e-05f, -5.81475842e-06f, -1.67010262e-06f, -5.89184026e-07f,
       -2.41316513e-07f},
      {0.0481708981f, 0.0250693113f, 0.0139651969f, 0.0080045769f, 0.00368880876f, 0.00139467348f,
       0.000572873512f, 0.000253111299f, 8.53567835e-05f, 2.3336268e-05f, 7.57257658e-06f,
       2.81590769e-06f, 7.99403722e-07f, 1.89024988e-07f, 5.65082949e-08f, 2.00483363e-08f},
  };
  const Floats y = minimum(constant(14.9f), absolute(x));  // beyond, the exponential is 0
  const Ints interval = shift_right<21>(bits(fma(y, constant(2.0f), constant(2.0f))));
  const Floats v = y - sixteenth(centers, interval);
  Floats h = sixteenth(coefficients[5], interval);
  for (int i = 4; i >= 0; --i) h = fma(h, v, sixteenth(coefficients[i], interval));
  const Floats e = raised_exponential<least_raise>(split_exponent(constant(-0.5f) * y, y));
  return fma(e * h, constant(-lowered), maximum(constant(0.0f), x));
}

/// x / 2 * (1 + tanh(u)) with u = sqrt(2 / pi) * (x + 0.044715 x^3), which is x * sigmoid(2 u).
[[gnu::always_inline]] inline Floats gelu_by_tanh(Floats x) {
  const Floats slope = fma(constant(0.07135481627f), x * x, constant(1.59576912161f));
  return scaled_sigmoid(x * slope, x);
}

/// x * tanh(log(1 + e^x)) = x * n / (n + 2) with n = e^x * (e^x + 2). From 20 on that is x.
[[gnu::always_inline]] inline Floats self_regularized(Floats x) {
  const Floats two = constant(2.0f);
  const Floats e = small_exponential(minimum(constant(20.0f), x));
  const Floats n = fma(e, e, e + e);
  return x * (n / (n + two));
}

/// erf(x) of |x| < 4, beyond which it is 1: a polynomial of degree 5 in each of 16 intervals of
/// equal length.
[[gnu::always_inline]] inline Floats error_function(Floats x) {
  // The first interval begins at its center, so that erf(0) = 0.
  constexpr float centers[16] = {0.0f,   0.375f, 0.625f, 0.875f, 1.125f, 1.375f, 1.625f, 1.875f,
                                 2.125f, 2.375f, 2.625f, 2.875f, 3.125f, 3.375f, 3.625f, 3.875f};
  constexpr float coefficients[6][16] = {
      {0.0f, 0.404116899f, 0.623240888f, 0.784075081f, 0.888388216f, 0.948170066f, 0.978443742f,
       0.99199003f, 0.997345984f, 0.999217033f, 0.999794602f, 0.999952137f, 0.999990106f,
       0.999998212f, 0.999999702f, 1.0f},
      {1.12837911f, 0.980352879f, 0.763499558f, 0.524745047f, 0.318273962f, 0.170359775f,
       0.0804722533f, 0.0335458256f, 0.0123408195f, 0.004006478f, 0.00114787556f, 0.000290228665f,
       6.47588749e-05f, 1.27518142e-05f, 2.21594314e-06f, 3.39828205e-07f},
      {7.00009878e-06f, -0.367625505f, -0.477181554f, -0.459150493f, -0.35806033f, -0.234247714f,
       -0.130769402f, -0.0628989935f, -0.0262239985f, -0.00951495953f, -0.00301286392f,
       -0.000834249309f, -0.000202308409f, -4.30168402e-05f, -8.02721661e-06f, -1.3155535e-06f},
      {-0.376332283f, -0.23489359f, -0.055683665f, 0.0929171667f, 0.162450403f, 0.157938719f,
       0.114842586f, 0.0674425364f, 0.0330379456f, 0.013730499f, 0.00489023002f, 0.00150238292f,
       0.000399942335f, 9.25531422e-05f, 1.86645211e-05f, 3.28613032e-06f},
      {0.00202437886f, 0.165416896f, 0.175494373f, 0.112153508f, 0.0283349548f, -0.0299829431f,
       -0.049381271f, -0.0421631224f, -0.0264028795f, -0.0132059371f, -0.00546693522f,
       -0.00190853665f, -0.000568221905f, -0.000145342696f, -3.21035841e-05f, -6.14643386e-06f},
      {0.105946995f, 0.0462760851f, -0.0265809782f, -0.0665819347f, -0.0610671118f, -0.0306805708f,
       -0.00233654282f, 0.0113077508f, 0.0124371266f, 0.0083611114f, 0.00423907116f, 0.00172976963f,
       0.000585305679f, 0.000166982107f, 4.0584222e-05f, 8.46232979e-06f},
  };
  const Floats y = minimum(constant(3.99f), absolute(x));
  const Ints interval = bits(fma(y - constant(0.125f), constant(4.0f), constant(rounding_shift)));
  const Floats v = y - sixteenth(centers, interval);
  Floats h = sixteenth(coefficients[5], interval);
  for (int i = 4; i >= 0; --i) h = fma(h, v, sixteenth(coefficients[i], interval));
  return with_sign_of(h, x);
}

/// The natural logarithm of any number: NaN of negative ones.
[[gnu::always_inline]] inline Floats any_logarithm(Floats x) {
  const Floats zero = constant(0.0f);
  const Mask tiny = less(x, constant(0x1p-126f));
  const Floats normal = logarithm(select(tiny, x * constant(0x1p24f), x)) -
                        select(tiny, constant(16.63553233f), zero);
  const Floats other =
      select(less(x, zero), constant(__builtin_nanf("")), constant(-__builtin_inff()));
  const Floats result = select(less(zero, x), normal, other);
  // Infinity and NaN stay.
  return select(less(x, constant(__builtin_inff())), result, x);
}

/// log(1 + e^x) = max(x, 0) + log(1 + t) with t = e^-|x|, and log(1 + t) = 2 artanh(t / (2 + t)).
[[gnu::always_inline]] inline Floats softplus(Floats x) {
  constexpr float coefficients[] = {0.66666666667f, 0.4f,           0.28571428571f, 0.22222222222f,
                                    0.18181818182f, 0.15384615385f, 0.13333333333f, 0.11764705882f};
  const Floats zero = constant(0.0f);
  const Floats t = small_exponential(zero - absolute(x));
  const Floats s = t / (constant(2.0f) + t);
  const Floats square = s * s;
  return fma(s * square, polynomial(square, coefficients), s + s) + maximum(zero, x);
}

/// Rounded half to even: adding 2^23 leaves no bits for fractions.
[[gnu::always_inline]] inline Floats nearest_even(Floats x) {
  const Floats whole = constant(0x1p23f), y = absolute(x);
  return with_sign_of(select(less(y, whole), y + whole - whole, y), x);
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
  } else if constexpr (function == FloatUnary::negative) {
    return constant(-0.0f) - x;
  } else if constexpr (function == FloatUnary::error_function) {
    return error_function(x);
  } else if constexpr (function == FloatUnary::natural_logarithm) {
    return any_logarithm(x);
  } else if constexpr (function == FloatUnary::softplus) {
    return softplus(x);
  } else if constexpr (function == FloatUnary::softsign) {
    return x / (one + absolute(x));
  } else if constexpr (function == FloatUnary::nearest_even) {
    return nearest_even(x);
  } else if constexpr (function == FloatUnary::floor) {
    const Floats nearest = nearest_even(x);
    return with_sign_of(select(less(x, nearest), nearest - one, nearest), x);
  } else {
    static_assert(function == FloatUnary::ceiling);
    const Floats nearest = nearest_even(x);
    return with_sign_of(select(less(nearest, x), nearest + one, nearest), x);
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
