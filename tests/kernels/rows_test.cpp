// Row kernels: every kernel gives the bits of the reference, and the byte forms those of
// dequantize, float form, quantize.
#include "kernels/rows/rows.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <numeric>
#include <vector>

#include "buffers.hpp"
#include "kernels/quantize/quantize.hpp"

namespace intact::kernels {
namespace {

constexpr std::int64_t lengths[] = {1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 197, 1000, 1030};
constexpr std::int64_t count = 5;

/// Gamma and beta: absent, one row of them, or, where rows are not alike, some per row.
struct Factors {
  bool scaled = false, biased = false, rows_alike = true;
};

struct Problem {
  Buffer<std::uint8_t> bytes;
  Buffer<std::uint16_t> words;
  Buffer<float> floats, gamma, beta;
  std::vector<float> scratch;
  RowArgs args;

  Problem(RowFunction function, std::int64_t length, Element input, Element output, Factors factors)
      : bytes(size(length), 1),
        words(size(length), 1),
        floats(size(length), 2),
        gamma(static_cast<std::size_t>(3 * length), 3),
        beta(static_cast<std::size_t>(3 * length), 4),
        scratch(static_cast<std::size_t>(row_scratch(length))) {
    args.function = function;
    args.rows = count;
    args.length = length;
    args.input = input;
    args.src = floats.data();
    if (input == Element::u8) args.src = bytes.data();
    if (input == Element::u16) args.src = words.data();
    args.src_pitch = length + 3;
    args.src_scale = input == Element::u16 ? 0.00017f : 0.037f;
    args.src_zero_point = input == Element::u16 ? 31007 : 121;
    args.output = output;
    args.dst_pitch = length + 5;
    args.dst_scale = function == RowFunction::softmax ? 1.0f / 256 : 0.041f;
    args.dst_zero_point = function == RowFunction::softmax       ? 3
                          : function == RowFunction::log_softmax ? 250
                                                                 : 117;
    if (output == Element::u16) {
      args.dst_scale /= 256;
      args.dst_zero_point *= 256;
    }
    args.gamma = factors.scaled ? gamma.data() : nullptr;
    args.beta = factors.biased ? beta.data() : nullptr;
    args.repeat = factors.rows_alike ? 1 : length % 4 == 0 ? length / 4 : length;
    args.period = factors.rows_alike ? 1 : 3;
    args.epsilon = 1e-5f;
    // Windows of 1 to 33 elements, and all kinds of exponents.
    args.response = {length % 17, (length + 3) % 17, 0.3f, 1.2f,
                     std::array{0.75f, 0.5f, 1.0f, 0.6f}[static_cast<std::size_t>(length % 4)]};
    args.scratch = scratch.data();
  }
  static std::size_t size(std::int64_t length) {
    return static_cast<std::size_t>(count * (length + 5));
  }
};

/// A scale, an addend with rows in no particular order, a table of the bytes.
struct Before {
  RowScale scale = RowScale::none;
  bool addend = false, table = false;
  RowAddend use = RowAddend::sum;
};
constexpr Before all_before[] = {{RowScale::multiply, false, false},
                                 {RowScale::divide, true, false},
                                 {RowScale::none, true, true},
                                 {RowScale::multiply, true, true},
                                 {RowScale::divide, false, true},
                                 {RowScale::multiply, true, false, RowAddend::replaces_at_zero},
                                 {RowScale::none, true, true, RowAddend::replaces_at_one}};

struct Prepared {
  Buffer<float> addend, mask, table{256, 21};
  std::int64_t rows[count] = {};

  explicit Prepared(std::int64_t length)
      : addend(static_cast<std::size_t>(3 * length), 20),
        mask(static_cast<std::size_t>(3 * length), 22) {
    for (std::int64_t r = 0; r < count; ++r) rows[r] = r * 2 % 3 * length;
    for (std::int64_t i = 0; i < 3 * length; ++i) mask.data()[i] = i * i % 3 == 0 ? 0.0f : 1.0f;
  }
  const float* addends(const Before& before) {
    return before.use == RowAddend::sum ? addend.data() : mask.data();
  }
  void set(const Before& before, RowArgs& args) {
    args.scale = before.scale;
    args.factor = 2.7f;
    if (before.addend) args.addend = addends(before), args.addend_row = rows;
    args.addend_use = before.use;
    args.replacement = -7.5f;
    if (before.table) args.table = table.data();
  }
};

template <class Element>
Buffer<Element> result(const RowKernel& kernel, const Problem& problem, int parts) {
  Buffer<Element> dst(Problem::size(problem.args.length), 9);
  RowArgs args = problem.args;
  args.dst = dst.data();
  run_in_parts(kernel, args, parts);
  return dst;
}

template <class Element>
void compare(const Problem& problem) {
  const Buffer<Element> expected = result<Element>(rows_kernels().back(), problem, 1);
  for (const RowKernel& kernel : runnable(rows_kernels()))
    for (const int parts : {1, 3, 7})
      ASSERT_EQ(first_difference(result<Element>(kernel, problem, parts), expected), equal)
          << kernel.name << ", length " << problem.args.length << ", parts " << parts;
}

template <class Check>
void for_each_function(const Check& check) {
  for (const std::int64_t length : lengths) {
    check(RowFunction::softmax, length, Factors{});
    check(RowFunction::log_softmax, length, Factors{});
    for (const RowFunction function :
         {RowFunction::l1_norm, RowFunction::l2_norm, RowFunction::response_norm})
      check(function, length, Factors{});
    for (const RowFunction function : {RowFunction::layer_norm, RowFunction::rms_norm}) {
      check(function, length, Factors{});
      for (const bool alike : {true, false}) {
        check(function, length, Factors{true, false, alike});
        check(function, length, Factors{true, true, alike});
      }
    }
  }
}

TEST(Rows, EqualTheReference) {
  for_each_function([](RowFunction function, std::int64_t length, Factors factors) {
    for (const Element input : {Element::u8, Element::u16, Element::f32}) {
      compare<std::uint8_t>(Problem(function, length, input, Element::u8, factors));
      compare<std::uint16_t>(Problem(function, length, input, Element::u16, factors));
      compare<float>(Problem(function, length, input, Element::f32, factors));
    }
  });
}

TEST(Rows, EqualTheReferenceBehindScaleAndAddend) {
  for_each_function([](RowFunction function, std::int64_t length, Factors factors) {
    Prepared prepared(length);
    for (const Before& before : all_before)
      for (const Element input : {Element::u8, Element::u16, Element::f32}) {
        if (before.table && input != Element::u8) continue;
        Problem problem(function, length, input, Element::u8, factors);
        prepared.set(before, problem.args);
        compare<std::uint8_t>(problem);
      }
  });
}

TEST(Rows, ScaleAndAddendEqualTheSameDoneBefore) {
  for (const std::int64_t length : lengths) {
    Prepared prepared(length);
    for (const Before& before : all_before) {
      Problem fused(RowFunction::softmax, length, Element::u8, Element::f32, Factors{});
      prepared.set(before, fused.args);
      Problem plain(RowFunction::softmax, length, Element::f32, Element::f32, Factors{});
      for (std::int64_t r = 0; r < count; ++r)
        for (std::int64_t i = 0; i < length; ++i) {
          const std::int64_t at = r * fused.args.src_pitch + i;
          const int q = fused.bytes.data()[at];
          float x = before.table
                        ? prepared.table.data()[q]
                        : static_cast<float>(q - fused.args.src_zero_point) * fused.args.src_scale;
          if (before.scale == RowScale::multiply) x *= 2.7f;
          if (before.scale == RowScale::divide) x /= 2.7f;
          const float addend = prepared.addends(before)[prepared.rows[r] + i];
          if (before.use != RowAddend::sum)
            x = (addend == 0) == (before.use == RowAddend::replaces_at_zero) ? -7.5f : x;
          else if (before.addend)
            x += addend;
          plain.floats.data()[at] = x;
        }
      const RowKernel& kernel = rows_kernels().back();
      ASSERT_EQ(first_difference(result<float>(kernel, fused, 1), result<float>(kernel, plain, 1)),
                equal)
          << "length " << length;
    }
  }
}

TEST(Rows, EqualTheReferenceOnInfinitiesAndNan) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for_each_function([&](RowFunction function, std::int64_t length, Factors factors) {
    for (const float special : {infinity, -infinity, std::nanf(""), 3e38f})
      for (const Element output : {Element::u8, Element::f32}) {
        Problem problem(function, length, Element::f32, output, factors);
        problem.floats.data()[length / 2] = special;
        problem.floats.data()[problem.args.src_pitch] = special;
        if (output == Element::u8)
          compare<std::uint8_t>(problem);
        else
          compare<float>(problem);
      }
  });
}

// A factor divides without dividing where that is exact: factors and elements on both sides of
// that.
TEST(Rows, EqualTheReferenceBehindFactorsOfEveryMagnitude) {
  for (const RowFunction function : {RowFunction::softmax, RowFunction::rms_norm})
    for (const std::int64_t length : lengths)
      for (const int greatest : {-100, -60, 0, 45, 110})
        for (const float factor : {5.656854f, -3.1f, 0x1p-20f, 0x1.8p-21f, 0x1.2p20f, 1e30f}) {
          Problem problem(function, length, Element::f32, Element::f32, Factors{});
          problem.args.scale = RowScale::divide;
          problem.args.factor = factor;
          for (std::size_t i = 0; i < Problem::size(length); ++i)
            problem.floats.data()[i] =
                i % 7 == 0
                    ? -0.0f
                    : std::ldexp(i % 3 ? 1.37f : -1.73f, greatest - static_cast<int>(i * 37 % 31));
          SCOPED_TRACE(testing::Message() << "factor " << factor << " exponent " << greatest);
          compare<float>(problem);
        }
}

// Quotients are computed without dividing where remainders are exact: elements, deviations and
// scales on both sides of that, on bytes and in floats.
TEST(Rows, EqualTheReferenceAtEveryMagnitude) {
  for_each_function([](RowFunction function, std::int64_t length, Factors factors) {
    for (const int greatest : {-120, -90, -40, 0, 7, 50, 70})
      for (const float scale : {0.041f, 0x1p-60f, 0x1p-61f, 1e-38f, 0x1p60f, 3e37f}) {
        Problem problem(function, length, Element::f32, Element::u8, factors);
        problem.args.epsilon = greatest % 4 == 0 ? 1e-5f : 0.0f;
        problem.args.dst_scale = scale;
        for (std::size_t i = 0; i < Problem::size(length); ++i) {
          const int exponent = greatest - static_cast<int>(i * 37 % 113);
          problem.floats.data()[i] = std::ldexp(i % 3 ? 1.37f : -1.73f, exponent);
          if (i % 5 == 0) problem.floats.data()[i] = 0;
        }
        SCOPED_TRACE(testing::Message() << "function " << static_cast<int>(function)
                                        << " greatest exponent " << greatest << " scale " << scale);
        compare<std::uint8_t>(problem);
        problem.args.output = Element::u16;
        compare<std::uint16_t>(problem);
        problem.args.output = Element::f32;
        compare<float>(problem);
      }
  });
}

template <class Integer>
void expect_dequantize_float_quantize(Element form, Buffer<Integer> Problem::*integers,
                                      const QuantizeKernelOf<Integer>& quantizer) {
  for_each_function([&](RowFunction function, std::int64_t length, Factors factors) {
    Problem problem(function, length, form, form, factors);
    const RowArgs& args = problem.args;
    const RowKernel& kernel = rows_kernels().back();
    const Buffer<Integer> direct = result<Integer>(kernel, problem, 1);

    Problem real(function, length, Element::f32, Element::f32, factors);
    for (std::size_t i = 0; i < Problem::size(length); ++i)
      real.floats.data()[i] =
          static_cast<float>((problem.*integers).data()[i] - args.src_zero_point) * args.src_scale;
    Buffer<float> floats = result<float>(kernel, real, 1);
    Buffer<Integer> rounded(Problem::size(length), 9);
    QuantizeArgsOf<Integer> quantize;
    quantize.channels = length;
    quantize.pixels = count;
    quantize.src = floats.data();
    quantize.src_strides[1] = 1;
    quantize.src_strides[2] = args.dst_pitch;
    quantize.scale = args.dst_scale;
    quantize.zero_point = args.dst_zero_point;
    quantize.dst = rounded.data();
    quantize.dst_pitch = args.dst_pitch;
    quantizer.run(quantize, {});
    ASSERT_EQ(first_difference(direct, rounded), equal) << "length " << length;
  });
}

TEST(Rows, IntegersEqualDequantizeFloatQuantize) {
  expect_dequantize_float_quantize(Element::u8, &Problem::bytes, quantize_kernels().back());
  expect_dequantize_float_quantize(Element::u16, &Problem::words, quantize_words_kernels().back());
}

TEST(Rows, SoftmaxSumsToOneAndLayerNormToBeta) {
  Problem softmax(RowFunction::softmax, 197, Element::f32, Element::f32, {});
  Buffer<float> y = result<float>(rows_kernels().back(), softmax, 1);
  EXPECT_NEAR(std::accumulate(y.data(), y.data() + 197, 0.0), 1.0, 1e-6);

  Problem norm(RowFunction::layer_norm, 197, Element::f32, Element::f32, {true, true});
  std::fill_n(norm.gamma.data(), 197, 1.0f);
  std::fill_n(norm.beta.data(), 197, 0.5f);
  Buffer<float> z = result<float>(rows_kernels().back(), norm, 1);
  double mean = 0, square = 0;
  for (int i = 0; i < 197; ++i) mean += z.data()[i] / 197.0;
  for (int i = 0; i < 197; ++i) square += (z.data()[i] - mean) * (z.data()[i] - mean) / 197.0;
  EXPECT_NEAR(mean, 0.5, 1e-5);
  EXPECT_NEAR(square, 1.0, 1e-4);
}

TEST(Rows, LogSoftmaxIsTheLogarithmOfSoftmaxAndRmsNormHasUnitSquares) {
  Problem softmax(RowFunction::softmax, 197, Element::f32, Element::f32, {});
  Problem log_softmax(RowFunction::log_softmax, 197, Element::f32, Element::f32, {});
  Buffer<float> p = result<float>(rows_kernels().back(), softmax, 1);
  Buffer<float> l = result<float>(rows_kernels().back(), log_softmax, 1);
  for (int i = 0; i < 197; ++i)
    ASSERT_NEAR(l.data()[i], std::log(static_cast<double>(p.data()[i])), 2e-6 * 10) << i;

  Problem norm(RowFunction::rms_norm, 197, Element::f32, Element::f32, {});
  Buffer<float> y = result<float>(rows_kernels().back(), norm, 1);
  double square = 0;
  for (int i = 0; i < 197; ++i) square += y.data()[i] * y.data()[i] / 197.0;
  EXPECT_NEAR(square, 1.0, 1e-4);
  EXPECT_LT(norm.floats.data()[0] * y.data()[0], 1e30f);
  EXPECT_EQ(std::signbit(norm.floats.data()[0]), std::signbit(y.data()[0]));
}

TEST(Rows, NormsFollowTheFormulas) {
  const double x[] = {1, -2, 2, 0.5};
  Problem problem(RowFunction::l1_norm, 4, Element::f32, Element::f32, {});
  std::copy(std::begin(x), std::end(x), problem.floats.data());
  std::fill_n(problem.floats.data() + problem.args.src_pitch, 4, 0.0f);
  problem.args.response = {1, 2, 0.5f, 2, 0.6f};
  const auto first = [&](RowFunction function) {
    problem.args.function = function;
    Buffer<float> y = result<float>(rows_kernels().back(), problem, 1);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(y.data()[problem.args.dst_pitch + i], 0) << "of zeros";
    return std::vector<double>(y.data(), y.data() + 4);
  };
  const auto l1 = first(RowFunction::l1_norm), l2 = first(RowFunction::l2_norm);
  const auto response = first(RowFunction::response_norm);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(l1[i], x[i] / 5.5, 1e-6);
    EXPECT_NEAR(l2[i], x[i] / std::sqrt(9.25), 1e-6);
    double squares = 0;
    for (std::size_t k = i == 0 ? 0 : i - 1; k <= std::min<std::size_t>(i + 2, 3); ++k)
      squares += x[k] * x[k];
    EXPECT_NEAR(response[i], x[i] / std::pow(2 + 0.5 * squares, 0.6), 1e-6);
  }
}

/// One factor per row, three rows in turns: each row equals itself with its own factor alone.
TEST(Rows, FactorsRepeatByRow) {
  Problem norm(RowFunction::layer_norm, 33, Element::f32, Element::f32, {true, true, false});
  ASSERT_EQ(norm.args.repeat, 33);
  Buffer<float> y = result<float>(rows_kernels().back(), norm, 2);
  Problem plain(RowFunction::layer_norm, 33, Element::f32, Element::f32, {});
  Buffer<float> z = result<float>(rows_kernels().back(), plain, 1);
  for (std::int64_t row = 0; row < count; ++row)
    for (std::int64_t i = 0; i < 33; ++i) {
      const std::int64_t at = row * norm.args.dst_pitch + i;
      ASSERT_EQ(y.data()[at],
                std::fmaf(z.data()[at], norm.gamma.data()[row % 3], norm.beta.data()[row % 3]));
    }
}

}  // namespace
}  // namespace intact::kernels
