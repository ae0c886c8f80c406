// Element-wise kernels: the reference against values computed by hand and against double precision,
// every other kernel against the reference bit for bit.

#include "kernels/elementwise/elementwise.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "tests/kernels/buffers.hpp"

namespace intact::kernels {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// How an operand repeats: extra elements between rows, pitch 0, step 0.
enum class Shape { dense, gaps, one_row, column, single };
constexpr Shape shapes[] = {Shape::dense, Shape::gaps, Shape::one_row, Shape::column,
                            Shape::single};

template <class Operand>
void set_shape(Operand& operand, Shape shape, std::int64_t channels) {
  operand.step = shape == Shape::column || shape == Shape::single ? 0 : 1;
  operand.pitch = shape == Shape::dense                            ? channels
                  : shape == Shape::gaps || shape == Shape::column ? channels + 5
                                                                   : 0;
}

// --- bytes with bytes

TEST(ByteBinary, ReferenceByHand) {
  std::uint8_t a[] = {10, 20, 0, 255, 128, 11, 0};
  std::uint8_t b[] = {5, 3, 0, 255, 128, 12, 255};
  std::uint8_t dst[7];
  ByteBinaryArgs args;
  args.rows = 1;
  args.channels = 7;
  args.a = {a, 7, 1, 10};
  args.b = {b, 7, 1, 5};
  args.multiplier_a = 0.5f;
  args.multiplier_b = 2.0f;
  args.dst = dst;
  args.dst_pitch = 7;
  args.epilogue.zero_point = 3;
  args.epilogue.upper = 250;
  const ByteBinaryKernel& reference = byte_binary_kernels().back();
  reference.run(args, {});
  // t = {0, 1, -15, 622.5, 305, 14.5, 495}; 14.5 rounds to the even 14.
  const std::array<std::uint8_t, 7> sums = {3, 4, 0, 250, 250, 17, 250};
  for (int i = 0; i < 7; ++i) EXPECT_EQ(dst[i], sums[i]) << i;

  args.operation = ByteBinary::mul;
  args.multiplier_a = 0.5f;
  reference.run(args, {});
  // t = {0, -10, 25, 30625, 7257, 3.5, -1250}; 3.5 rounds to the even 4.
  const std::array<std::uint8_t, 7> products = {3, 0, 28, 250, 250, 7, 0};
  for (int i = 0; i < 7; ++i) EXPECT_EQ(dst[i], products[i]) << i;

  std::array<std::uint8_t, 256> table;
  for (int i = 0; i < 256; ++i) table[i] = static_cast<std::uint8_t>(255 - i);
  args.epilogue.table = table.data();
  reference.run(args, {});
  for (int i = 0; i < 7; ++i) EXPECT_EQ(dst[i], 255 - products[i]) << i;

  float floats[7];
  args.dst = floats;
  args.epilogue.output = Output::f32;
  args.epilogue.float_lower = -2.0f;
  args.epilogue.float_upper = 30.0f;
  reference.run(args, {});
  const std::array<float, 7> expected = {0, -2, 25, 30, 30, 3.5f, -2};
  for (int i = 0; i < 7; ++i) EXPECT_EQ(floats[i], expected[i]) << i;
}

template <class Element>
void check_byte_binary(const ByteBinaryKernel& kernel, ByteBinaryArgs args, Shape shape_a,
                       Shape shape_b, std::int64_t channels, int rows, int parts) {
  const std::size_t elements = static_cast<std::size_t>(rows * (channels + 5));
  Buffer<std::uint8_t> a(elements, 1), b(elements, 2);
  Buffer<Element> expected(elements, 3), actual(elements, 3);
  args.rows = rows;
  args.channels = channels;
  args.a.data = a.data();
  args.b.data = b.data();
  set_shape(args.a, shape_a, channels);
  set_shape(args.b, shape_b, channels);
  args.dst_pitch = shape_a == Shape::dense ? channels : channels + 5;
  args.dst = expected.data();
  byte_binary_kernels().back().run(args, {});
  args.dst = actual.data();
  run_in_parts(kernel, args, parts);
  ASSERT_EQ(first_difference(expected, actual), equal)
      << kernel.name << " channels " << channels << " rows " << rows << " parts " << parts
      << " shapes " << static_cast<int>(shape_a) << static_cast<int>(shape_b);
}

// As the scales of squeeze-and-excitation: many pixels, few channels.
TEST(ByteBinary, RepeatedRowEqualsReference) {
  ByteBinaryArgs args;
  args.operation = ByteBinary::mul;
  args.a.zero_point = 100;
  args.b.zero_point = 31;
  args.multiplier_a = 0.0371f;
  for (const ByteBinaryKernel& kernel : runnable(byte_binary_kernels())) {
    for (const std::int64_t channels : {1, 3, 24, 96, 682, 1023, 1024, 1025}) {
      for (const int rows : {2, 85, 128}) {
        check_byte_binary<std::uint8_t>(kernel, args, Shape::dense, Shape::one_row, channels, rows,
                                        1 + rows % 3);
        check_byte_binary<std::uint8_t>(kernel, args, Shape::gaps, Shape::one_row, channels, rows,
                                        1);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(ByteBinary, EveryKernelEqualsReference) {
  constexpr ByteBinary operations[] = {ByteBinary::add, ByteBinary::mul, ByteBinary::div,
                                       ByteBinary::max, ByteBinary::min};
  Buffer<std::uint8_t> table(256, 9);
  ByteBinaryArgs args;
  args.a.zero_point = 100;
  args.b.zero_point = 31;
  args.epilogue.zero_point = 77;
  for (const ByteBinaryKernel& kernel : runnable(byte_binary_kernels())) {
    int turn = 0;
    for (const std::int64_t channels : lengths()) {
      for (const Shape a : shapes) {
        for (const Shape b : shapes) {
          ++turn;
          args.operation = operations[turn % 5];
          args.divisor = turn % 3 == 0 ? 0.125f : 0.0271f;
          // Powers of two and their halves give ties.
          args.multiplier_a = turn % 3 == 0 ? 0.5f : turn % 3 == 1 ? 0.0371f : 1.0f;
          args.multiplier_b = turn % 3 == 0 ? -0.25f : turn % 3 == 1 ? 0.61f : 0.5f;
          args.epilogue.lower = turn % 4 ? 0 : 77;
          args.epilogue.upper = turn % 5 ? 255 : 200;
          args.epilogue.table = turn % 7 < 2 ? table.data() : nullptr;
          args.epilogue.float_lower = turn % 3 ? -infinity : 0.0f;
          args.epilogue.float_upper = turn % 2 ? infinity : 6.0f;
          args.epilogue.output = turn % 5 < 2 ? Output::f32 : Output::u8;
          if (args.epilogue.output == Output::u8) {
            check_byte_binary<std::uint8_t>(kernel, args, a, b, channels, 1 + turn % 4,
                                            1 + turn % 3);
          } else {
            check_byte_binary<float>(kernel, args, a, b, channels, 1 + turn % 4, 1 + turn % 3);
          }
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

/// A quotient of two bytes is infinite or NaN where the divisor is 0.
TEST(ByteBinary, DivisionByZeroSaturates) {
  for (const ByteBinaryKernel& kernel : runnable(byte_binary_kernels())) {
    for (const std::int64_t channels : {4, 64, 103}) {
      Buffer<std::uint8_t> a(200, 1), b(200, 2), dst(200, 3);
      Buffer<float> floats(200, 4);
      for (int i = 0; i < channels; ++i) {
        a.data()[i] = static_cast<std::uint8_t>(9 + i % 3);  // -1, 0, 1 steps
        b.data()[i] = static_cast<std::uint8_t>(i % 4 ? 20 : 21);
      }
      ByteBinaryArgs args;
      args.operation = ByteBinary::div;
      args.rows = 1;
      args.channels = channels;
      args.a = {a.data(), channels, 1, 10};
      args.b = {b.data(), channels, 1, 20};
      args.dst = dst.data();
      args.dst_pitch = channels;
      args.epilogue.zero_point = 100;
      args.epilogue.lower = 40;
      args.epilogue.upper = 200;
      kernel.run(args, {});
      for (int i = 0; i < channels; ++i) {
        const int expected = i % 4 == 0 ? 99 + i % 3 : i % 3 == 2 ? 200 : 40;
        ASSERT_EQ(dst.data()[i], expected) << kernel.name << " " << i;
      }
      args.epilogue.output = Output::f32;
      args.dst = floats.data();
      kernel.run(args, {});
      for (int i = 0; i < channels; ++i) {
        const float actual = floats.data()[i];
        if (i % 4 == 0) {
          ASSERT_EQ(actual, static_cast<float>(i % 3 - 1)) << kernel.name << " " << i;
        } else if (i % 3 == 1) {
          ASSERT_TRUE(std::isnan(actual)) << kernel.name << " " << i;
        } else {
          ASSERT_EQ(actual, i % 3 == 2 ? infinity : -infinity) << kernel.name << " " << i;
        }
      }
    }
  }
}

/// Real numbers first, then clamps, then a Round that divides.
TEST(ByteBinary, RealsByHand) {
  const std::array<std::uint8_t, 3> a = {1, 3, 8}, b = {2, 6, 4};
  struct Case {
    ByteBinary operation;
    std::array<std::uint8_t, 3> expected;
  };
  // a: {-0.5, 0.5, 3}, b: {-0.25, 0.75, 0.25}; clamped to [-1, 2] and in steps of 0.25 from 10.
  const Case cases[] = {{ByteBinary::div, {18, 13, 18}},
                        {ByteBinary::max, {9, 13, 18}},
                        {ByteBinary::min, {8, 12, 11}}};
  for (const ByteBinaryKernel& kernel : runnable(byte_binary_kernels())) {
    for (const Case& c : cases) {
      std::array<std::uint8_t, 3> dst = {};
      ByteBinaryArgs args;
      args.operation = c.operation;
      args.rows = 1;
      args.channels = 3;
      args.a = {a.data(), 3, 1, 2};
      args.b = {b.data(), 3, 1, 3};
      args.multiplier_a = 0.5f;
      args.multiplier_b = 0.25f;
      args.divisor = 0.25f;
      args.dst = dst.data();
      args.dst_pitch = 3;
      args.epilogue.zero_point = 10;
      args.epilogue.float_lower = -1;
      args.epilogue.float_upper = 2;
      kernel.run(args, {});
      EXPECT_EQ(dst, c.expected) << kernel.name << " " << static_cast<int>(c.operation);
    }
  }
}

/// Quotients of scales far beyond the bytes' range saturate; nothing wraps around.
TEST(ByteBinary, HugeMultipliersSaturate) {
  std::array<std::uint8_t, 100> a, b, dst;
  for (int i = 0; i < 100; ++i) a[i] = static_cast<std::uint8_t>(i % 2 ? 255 : 0);
  b.fill(128);
  ByteBinaryArgs args;
  args.rows = 1;
  args.channels = 100;
  args.a = {a.data(), 100, 1, 128};
  args.b = {b.data(), 100, 1, 128};
  args.dst = dst.data();
  args.dst_pitch = 100;
  args.epilogue.zero_point = 128;
  for (const float multiplier : {1e8f, 1e30f, 3e38f}) {
    args.multiplier_a = multiplier;
    for (const ByteBinaryKernel& kernel : runnable(byte_binary_kernels())) {
      kernel.run(args, {});
      for (int i = 0; i < 100; ++i) ASSERT_EQ(dst[i], i % 2 ? 255 : 0) << kernel.name;
    }
  }
}

TEST(ByteBinary, InPlace) {
  for (const ByteBinaryKernel& kernel : runnable(byte_binary_kernels())) {
    for (const std::int64_t channels : {7, 64, 131}) {
      Buffer<std::uint8_t> a(500, 1), b(500, 2), expected(500, 1);
      ByteBinaryArgs args;
      args.rows = 3;
      args.channels = channels;
      args.a = {a.data(), channels, 1, 3};
      args.b = {b.data(), channels, 1, 9};
      args.multiplier_b = 0.7f;
      args.dst = expected.data();
      args.dst_pitch = channels;
      byte_binary_kernels().back().run(args, {});
      args.dst = a.data();
      run_in_parts(kernel, args, 2);
      EXPECT_EQ(first_difference(expected, a), equal) << kernel.name;
    }
  }
}

// --- sums

template <class Element>
void check_byte_sum(const ByteSumKernel& kernel, ByteSumArgs args, std::int64_t channels, int rows,
                    int parts, std::int64_t gap) {
  const auto elements = static_cast<std::size_t>(rows * (channels + gap));
  std::vector<Buffer<std::uint8_t>> terms;
  for (int k = 0; k < args.count; ++k) terms.emplace_back(elements, k + 1);
  Buffer<float> addend(static_cast<std::size_t>(channels), 40);
  Buffer<Element> expected(elements, 3), actual(elements, 3);
  args.rows = rows;
  args.channels = channels;
  for (int k = 0; k < args.count; ++k) {
    args.terms[k] = {terms[static_cast<std::size_t>(k)].data(), channels + gap, 1, 17 * k};
    args.multiplier[k] = 0.25f * static_cast<float>(k % 3 + 1);
  }
  if (gap % 2) args.addend = addend.data();
  args.dst_pitch = channels + gap;
  args.dst = expected.data();
  byte_sum_kernels().back().run(args, {});
  args.dst = actual.data();
  run_in_parts(kernel, args, parts);
  ASSERT_EQ(first_difference(expected, actual), equal)
      << kernel.name << " channels " << channels << " terms " << args.count << " parts " << parts;
}

TEST(ByteSum, EveryKernelEqualsReference) {
  Buffer<std::uint8_t> table(256, 9);
  int turn = 0;
  for (const ByteSumKernel& kernel : runnable(byte_sum_kernels())) {
    for (const std::int64_t channels : lengths()) {
      for (int count = 1; count <= ByteSumArgs::most_terms; ++count) {
        ByteSumArgs args;
        args.count = count;
        args.epilogue.zero_point = ++turn % 200;
        args.epilogue.table = turn % 3 ? nullptr : table.data();
        args.epilogue.output = turn % 4 ? Output::u8 : Output::f32;
        const int rows = 1 + turn % 3, parts = 1 + turn % 2;
        if (args.epilogue.output == Output::u8) {
          check_byte_sum<std::uint8_t>(kernel, args, channels, rows, parts, turn % 5);
        } else {
          check_byte_sum<float>(kernel, args, channels, rows, parts, turn % 5);
        }
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(ByteSum, ReferenceByHand) {
  const std::array<std::uint8_t, 3> a = {10, 20, 30}, b = {1, 2, 3}, c = {100, 0, 7};
  const std::array<float, 3> addend = {0.5f, 0, -1};
  std::array<float, 3> sums = {};
  ByteSumArgs args;
  args.rows = 1;
  args.channels = 3;
  args.count = 3;
  args.terms[0] = {a.data(), 3, 1, 10};
  args.terms[1] = {b.data(), 3, 1, 0};
  args.terms[2] = {c.data(), 3, 1, 7};
  args.multiplier[0] = 0.5f;
  args.multiplier[1] = 2;
  args.multiplier[2] = 1;
  args.addend = addend.data();
  args.dst = sums.data();
  args.dst_pitch = 3;
  args.epilogue.output = Output::f32;
  byte_sum_kernels().back().run(args, {});
  EXPECT_EQ(sums, (std::array<float, 3>{95.5f, 2, 15}));
}

// --- tables

template <class Element>
void check_table(const TableKernel& kernel, std::int64_t channels, int rows, int parts) {
  for (const std::ptrdiff_t gap : {0, 3}) {
    const std::size_t elements = static_cast<std::size_t>(rows * (channels + gap));
    Buffer<std::uint8_t> src(elements, 1);
    Buffer<Element> table(256, 2), expected(elements, 3), actual(elements, 3);
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t i = row * (channels + gap) + c;
        expected.data()[i] = table.data()[src.data()[i]];
      }
    }
    TableArgs args = {rows,         channels,      src.data(),    channels + gap,
                      table.data(), actual.data(), channels + gap};
    run_in_parts(kernel, args, parts);
    ASSERT_EQ(first_difference(expected, actual), equal)
        << kernel.name << " channels " << channels << " rows " << rows << " parts " << parts;
  }
}

TEST(Table, EveryKernelLooksUp) {
  for (const TableKernel& kernel : runnable(table_kernels())) {
    int turn = 0;
    for (const std::int64_t channels : lengths()) {
      for (int parts = 1; parts <= 3; ++parts) {
        const int rows = 1 + ++turn % 5;
        if (kernel.output == Output::u8) {
          check_table<std::uint8_t>(kernel, channels, rows, parts);
        } else {
          check_table<float>(kernel, channels, rows, parts);
        }
        if (HasFatalFailure()) return;
      }
    }
  }
}

template <class From, class To>
void check_word_table(const WordTableKernel& kernel, std::int64_t channels, int rows, int parts,
                      Element input, Element output) {
  using Entry = std::conditional_t<std::is_same_v<To, float>, float, std::uint16_t>;
  for (const std::ptrdiff_t gap : {0, 3}) {
    const std::size_t elements = static_cast<std::size_t>(rows * (channels + gap));
    Buffer<From> src(elements, 1);
    Buffer<Entry> table(std::size_t{1} << (8 * sizeof(From)), 2);
    if (output == Element::u8)
      for (Entry& entry : table.storage) entry = static_cast<Entry>(static_cast<int>(entry) & 255);
    Buffer<To> expected(elements, 3), actual(elements, 3);
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t i = row * (channels + gap) + c;
        expected.data()[i] = static_cast<To>(table.data()[src.data()[i]]);
      }
    WordTableArgs args = {rows,           channels,     input,         output,        src.data(),
                          channels + gap, table.data(), actual.data(), channels + gap};
    run_in_parts(kernel, args, parts);
    ASSERT_EQ(first_difference(expected, actual), equal)
        << kernel.name << " channels " << channels << " rows " << rows << " parts " << parts;
  }
}

TEST(WordTable, EveryKernelLooksUp) {
  using Byte = std::uint8_t;
  using Word = std::uint16_t;
  for (const WordTableKernel& kernel : runnable(word_table_kernels())) {
    int turn = 0;
    for (const std::int64_t channels : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257}) {
      const int rows = 1 + ++turn % 5, parts = 1 + turn % 3;
      check_word_table<Byte, Word>(kernel, channels, rows, parts, Element::u8, Element::u16);
      check_word_table<Word, Byte>(kernel, channels, rows, parts, Element::u16, Element::u8);
      check_word_table<Word, Word>(kernel, channels, rows, parts, Element::u16, Element::u16);
      check_word_table<Word, float>(kernel, channels, rows, parts, Element::u16, Element::f32);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Table, InPlace) {
  for (const TableKernel& kernel : runnable(table_kernels())) {
    if (kernel.output != Output::u8) continue;
    Buffer<std::uint8_t> src(300, 1), dst(300, 1), table(256, 2);
    for (int i = 0; i < 300; ++i) dst.data()[i] = table.data()[src.data()[i]];
    run_in_parts(kernel, TableArgs{3, 100, src.data(), 100, table.data(), src.data(), 100}, 2);
    EXPECT_EQ(first_difference(src, dst), equal) << kernel.name;
  }
}

// --- float arithmetic

TEST(FloatBinary, ReferenceByHand) {
  const float a[] = {1, -2, 3, 0.5f, nan, 1};
  const float b[] = {2, 2, -1, 0.25f, 1, nan};
  float dst[6];
  FloatBinaryArgs args;
  args.rows = 1;
  args.channels = 6;
  args.a = {a, 6, 1};
  args.b = {b, 6, 1};
  args.dst = dst;
  args.dst_pitch = 6;
  const auto expect = [&](FloatBinary operation, std::array<float, 4> expected) {
    args.operation = operation;
    float_binary_kernels().back().run(args, {});
    for (int i = 0; i < 4; ++i) EXPECT_EQ(dst[i], expected[i]) << static_cast<int>(operation);
    EXPECT_TRUE(std::isnan(dst[4]) && std::isnan(dst[5])) << static_cast<int>(operation);
  };
  expect(FloatBinary::add, {3, 0, 2, 0.75f});
  expect(FloatBinary::sub, {-1, -4, 4, 0.25f});
  expect(FloatBinary::mul, {2, -4, -3, 0.125f});
  expect(FloatBinary::div, {0.5f, -1, -3, 2});
  expect(FloatBinary::max, {2, 2, 3, 0.5f});
  expect(FloatBinary::min, {1, -2, -1, 0.25f});
  args.lower = 0;
  args.upper = 2.5f;
  expect(FloatBinary::add, {2.5f, 0, 2, 0.75f});
}

TEST(FloatBinary, PreluMultipliesNegativeElements) {
  for (const FloatBinaryKernel& kernel : runnable(float_binary_kernels())) {
    const float a[] = {1, -2, -0.0f, nan, 1, -1};
    const float b[] = {2, 0.25f, 3, 1, nan, nan};
    float dst[6];
    FloatBinaryArgs args;
    args.operation = FloatBinary::prelu;
    args.rows = 1;
    args.channels = 6;
    args.a = {a, 6, 1};
    args.b = {b, 6, 1};
    args.dst = dst;
    args.dst_pitch = 6;
    kernel.run(args, {});
    EXPECT_EQ(dst[0], 1);
    EXPECT_EQ(dst[1], -0.5f);
    EXPECT_TRUE(dst[2] == 0 && std::signbit(dst[2]));
    EXPECT_TRUE(std::isnan(dst[3]) && dst[4] == 1 && std::isnan(dst[5])) << kernel.name;
  }
}

TEST(FloatBinary, EveryKernelEqualsReference) {
  for (const FloatBinaryKernel& kernel : runnable(float_binary_kernels())) {
    int turn = 0;
    for (const std::int64_t channels : lengths()) {
      for (const Shape shape_a : shapes) {
        for (const Shape shape_b : shapes) {
          ++turn;
          const std::int64_t rows = 1 + turn % 3;
          const std::size_t elements = static_cast<std::size_t>(rows * (channels + 5));
          Buffer<float> a = with_specials(elements, 1), b = with_specials(elements, 2);
          Buffer<float> expected(elements, 3), actual(elements, 3);
          FloatBinaryArgs args;
          args.operation = static_cast<FloatBinary>(turn % 7);
          args.rows = rows;
          args.channels = channels;
          args.a.data = a.data();
          args.b.data = b.data();
          set_shape(args.a, shape_a, channels);
          set_shape(args.b, shape_b, channels);
          args.dst_pitch = turn % 2 ? channels : channels + 5;
          if (turn % 5 == 0) args.lower = 0;
          if (turn % 10 == 0) args.upper = 6;
          args.dst = expected.data();
          float_binary_kernels().back().run(args, {});
          args.dst = actual.data();
          run_in_parts(kernel, args, 1 + turn % 4);
          ASSERT_EQ(first_difference(expected, actual), equal)
              << kernel.name << " operation " << turn % 6 << " channels " << channels;
        }
      }
    }
  }
}

TEST(FloatBinary, InPlace) {
  for (const FloatBinaryKernel& kernel : runnable(float_binary_kernels())) {
    Buffer<float> a(300, 1), expected(300, 1);
    FloatBinaryArgs args;
    args.rows = 3;
    args.channels = 100;
    args.a = args.b = {a.data(), 100, 1};
    args.dst = expected.data();
    args.dst_pitch = 100;
    float_binary_kernels().back().run(args, {});
    args.dst = a.data();
    run_in_parts(kernel, args, 2);
    EXPECT_EQ(first_difference(expected, a), equal) << kernel.name;
  }
}

}  // namespace
}  // namespace intact::kernels
