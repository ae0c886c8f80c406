// Float functions: within their stated bounds of double precision, and the same bits on every
// instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "kernels/elementwise/elementwise.hpp"
#include "tests/kernels/buffers.hpp"

namespace intact::kernels {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

struct Function {
  FloatUnary function;
  float alpha, beta;
  double (*exact)(double);
  double ulps;  ///< stated bound
};

double exact_sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
double exact_silu(double x) {
  return x / (1 + std::exp(-x));
}
double exact_gelu(double x) {
  return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
}
double exact_quick_gelu(double x) {
  return x / (1 + std::exp(-1.702f * x));
}
double exact_gelu_tanh(double x) {
  const double u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return x / (1 + std::exp(-2 * u));
}
double exact_mish(double x) {
  const double e = std::exp(x);
  return x > 300 ? x : x * (e * (e + 2) / (e * (e + 2) + 2));
}
double exact_tanh(double x) {
  return std::tanh(x);
}
double exact_exp(double x) {
  return std::exp(x);
}
double exact_clip(double x) {
  return std::min(std::max(x, -1.0), 6.0);
}
double exact_leaky_relu(double x) {
  return x < 0 ? 0.125 * x : x;
}
double exact_hard_sigmoid(double x) {
  return std::min(std::max(0.25 * x + 0.5, 0.0), 1.0);
}
double exact_hard_swish(double x) {
  return x * std::min(std::max(x + 3, 0.0), 6.0) / 6;
}

double exact_softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}
double exact_elu(double x) {
  return 2 * (x < 0 ? 0.5 * std::expm1(x) : x);
}

constexpr Function functions[] = {
    {FloatUnary::elu, 0.5f, 2, exact_elu, 4},
    {FloatUnary::clip, -1, 6, exact_clip, 0.5},
    {FloatUnary::leaky_relu, 0.125f, 0, exact_leaky_relu, 0.5},
    {FloatUnary::hard_sigmoid, 0.25f, 0.5f, exact_hard_sigmoid, 0.5},
    {FloatUnary::hard_swish, 0, 0, exact_hard_swish, 2},
    {FloatUnary::sigmoid, 0, 0, exact_sigmoid, 4},
    {FloatUnary::tanh, 0, 0, exact_tanh, 4},
    {FloatUnary::silu, 1, 0, exact_silu, 4},
    {FloatUnary::silu, 1.702f, 0, exact_quick_gelu, 80},
    {FloatUnary::exp, 0, 0, exact_exp, 4},
    {FloatUnary::gelu_erf, 0, 0, exact_gelu, 5},
    {FloatUnary::gelu_tanh, 0, 0, exact_gelu_tanh, 200},
    {FloatUnary::mish, 0, 0, exact_mish, 4},
    {FloatUnary::square_root, 0, 0, [](double x) { return std::sqrt(x); }, 0.5},
    {FloatUnary::reciprocal, 0, 0, [](double x) { return 1 / x; }, 0.5},
    {FloatUnary::square, 0, 0, [](double x) { return x * x; }, 0.5},
    {FloatUnary::absolute, 0, 0, [](double x) { return std::abs(x); }, 0},
    {FloatUnary::negative, 0, 0, [](double x) { return -x; }, 0},
    {FloatUnary::error_function, 0, 0, [](double x) { return std::erf(x); }, 3},
    {FloatUnary::natural_logarithm, 0, 0, [](double x) { return std::log(x); }, 4},
    {FloatUnary::softplus, 0, 0, exact_softplus, 4},
    {FloatUnary::softsign, 0, 0, [](double x) { return x / (1 + std::abs(x)); }, 2},
    {FloatUnary::nearest_even, 0, 0, [](double x) { return std::nearbyint(x); }, 0},
    {FloatUnary::floor, 0, 0, [](double x) { return std::floor(x); }, 0},
    {FloatUnary::ceiling, 0, 0, [](double x) { return std::ceil(x); }, 0},
};

/// |actual - exact| in units of the last place of `exact` as a float.
double error_in_ulps(float actual, double exact) {
  const double limit = std::numeric_limits<float>::max();
  if (std::abs(exact) > limit) return std::abs(actual) >= limit ? 0 : infinity;
  const int exponent = std::max(std::ilogb(exact == 0 ? 1e-45 : exact), -126);
  return std::abs(actual - exact) / std::ldexp(1.0, exponent - 23);
}

void run_unary(const FloatUnaryKernel& kernel, const Function& f, std::vector<float>& values) {
  FloatUnaryArgs args;
  args.function = f.function;
  args.alpha = f.alpha;
  args.beta = f.beta;
  args.rows = 1;
  args.channels = static_cast<std::int64_t>(values.size());
  args.src_pitch = args.dst_pitch = args.channels;
  args.src = args.dst = values.data();
  kernel.run(args, {});
}

/// Every 1009th float of either sign, from zero to infinity.
std::vector<float> sweep() {
  std::vector<float> values;
  for (std::uint32_t bits = 0; bits < 0x7f800000u; bits += 1009) {
    values.push_back(std::bit_cast<float>(bits));
    values.push_back(-std::bit_cast<float>(bits));
  }
  return values;
}

TEST(FloatUnary, WithinStatedBoundOfDouble) {
  const FloatUnaryKernel kernel = runnable(float_unary_kernels()).front();
  const std::vector<float> inputs = sweep();
  for (const Function& f : functions) {
    std::vector<float> values = inputs;
    run_unary(kernel, f, values);
    double worst = 0;
    float where = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double exact = f.exact(inputs[i]);
      if (std::isnan(exact)) {
        ASSERT_TRUE(std::isnan(values[i])) << "function " << static_cast<int>(f.function);
        continue;
      }
      // x times a function that is already subnormal: bounded absolutely.
      if (std::abs(exact) < 1e-36 && std::abs(values[i] - exact) < 1e-42) continue;
      const double error = error_in_ulps(values[i], exact);
      if (!(error <= worst)) worst = error, where = inputs[i];
    }
    EXPECT_LE(worst, f.ulps) << "function " << static_cast<int>(f.function) << " at " << where;
  }
}

TEST(FloatUnary, EveryKernelEqualsReference) {
  std::vector<float> inputs;
  for (std::uint32_t bits = 0; bits < 0x7f800000u; bits += 50021) {
    inputs.push_back(std::bit_cast<float>(bits));
    inputs.push_back(-std::bit_cast<float>(bits));
  }
  inputs.insert(inputs.end(), {infinity, -infinity, nan, 0.625f, -3.0f, 3.0f, 88.7229f, -103.98f});
  for (const Function& f : functions) {
    std::vector<float> expected = inputs;
    run_unary(float_unary_kernels().back(), f, expected);
    for (const FloatUnaryKernel& kernel : runnable(float_unary_kernels())) {
      std::vector<float> actual = inputs;
      run_unary(kernel, f, actual);
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        ASSERT_TRUE(same(expected[i], actual[i]))
            << kernel.name << " function " << static_cast<int>(f.function) << " at " << inputs[i];
      }
    }
  }
}

TEST(FloatUnary, LimitsAndNan) {
  for (const FloatUnaryKernel& kernel : runnable(float_unary_kernels())) {
    for (const Function& f : functions) {
      std::vector<float> values = {nan, 0.0f};
      run_unary(kernel, f, values);
      EXPECT_TRUE(std::isnan(values[0])) << kernel.name << static_cast<int>(f.function);
      EXPECT_EQ(values[1], static_cast<float>(f.exact(0))) << static_cast<int>(f.function);
    }
    const auto value = [&](FloatUnary function, float x) {
      std::vector<float> values = {x};
      run_unary(kernel, Function{function, 1, 0, nullptr, 0}, values);
      return values[0];
    };
    EXPECT_EQ(value(FloatUnary::exp, infinity), infinity);
    EXPECT_EQ(value(FloatUnary::exp, 89.0f), infinity);
    EXPECT_EQ(value(FloatUnary::exp, -infinity), 0.0f);
    EXPECT_EQ(value(FloatUnary::sigmoid, infinity), 1.0f);
    EXPECT_EQ(value(FloatUnary::sigmoid, -infinity), 0.0f);
    EXPECT_EQ(value(FloatUnary::tanh, infinity), 1.0f);
    EXPECT_EQ(value(FloatUnary::tanh, -infinity), -1.0f);
    EXPECT_TRUE(std::signbit(value(FloatUnary::tanh, -0.0f)));
    EXPECT_EQ(value(FloatUnary::silu, infinity), infinity);
    EXPECT_EQ(value(FloatUnary::gelu_erf, infinity), infinity);
    EXPECT_EQ(value(FloatUnary::gelu_tanh, infinity), infinity);
    EXPECT_EQ(value(FloatUnary::mish, infinity), infinity);
    EXPECT_EQ(value(FloatUnary::mish, 3e38f), 3e38f);
    EXPECT_EQ(value(FloatUnary::hard_swish, 3e38f), 3e38f);
    EXPECT_EQ(value(FloatUnary::error_function, infinity), 1.0f);
    EXPECT_EQ(value(FloatUnary::error_function, -infinity), -1.0f);
    EXPECT_TRUE(std::signbit(value(FloatUnary::error_function, -0.0f)));
    EXPECT_EQ(value(FloatUnary::natural_logarithm, infinity), infinity);
    EXPECT_EQ(value(FloatUnary::natural_logarithm, 1.0f), 0.0f);
    EXPECT_EQ(value(FloatUnary::natural_logarithm, -0.0f), -infinity);
    EXPECT_TRUE(std::isnan(value(FloatUnary::natural_logarithm, -1e-45f)));
    EXPECT_TRUE(std::isnan(value(FloatUnary::natural_logarithm, -infinity)));
    EXPECT_EQ(value(FloatUnary::softplus, infinity), infinity);
    EXPECT_EQ(value(FloatUnary::softplus, -infinity), 0.0f);
    EXPECT_EQ(value(FloatUnary::nearest_even, 2.5f), 2.0f);
    EXPECT_EQ(value(FloatUnary::nearest_even, 8388607.5f), 8388608.0f);
    EXPECT_EQ(value(FloatUnary::floor, -0.25f), -1.0f);
    EXPECT_TRUE(std::signbit(value(FloatUnary::ceiling, -0.75f)));
  }
}

TEST(FloatUnary, TailsPitchesAndParts) {
  for (const FloatUnaryKernel& kernel : runnable(float_unary_kernels())) {
    int turn = 0;
    for (const std::int64_t channels : lengths()) {
      const Function& f = functions[++turn % std::size(functions)];
      for (const std::ptrdiff_t gap : {0, 5}) {
        const std::int64_t rows = 1 + turn % 3;
        const std::size_t elements = static_cast<std::size_t>(rows * (channels + gap));
        Buffer<float> src = with_specials(elements, 1);
        Buffer<float> expected(elements, 3), actual(elements, 3);
        FloatUnaryArgs args = {f.function,     rows,           channels,
                               src.data(),     channels + gap, expected.data(),
                               channels + gap, f.alpha,        f.beta};
        float_unary_kernels().back().run(args, {});
        args.dst = actual.data();
        run_in_parts(kernel, args, 1 + turn % 3);
        ASSERT_EQ(first_difference(expected, actual), equal)
            << kernel.name << " channels " << channels << " gap " << gap;
      }
    }
  }
}

}  // namespace
}  // namespace intact::kernels
