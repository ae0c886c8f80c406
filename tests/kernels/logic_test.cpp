// Comparisons, choices and conversions: every kernel gives the elements of the reference.
#include "kernels/logic/logic.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "buffers.hpp"

namespace intact::kernels {
namespace {

constexpr ElementKind elements[] = {ElementKind::boolean, ElementKind::u8,  ElementKind::s8,
                                    ElementKind::s32,     ElementKind::s64, ElementKind::f32};
constexpr std::int64_t rows = 3;

/// Elements of any type among which equal ones are common, NaN and infinities of floats included.
Buffer<std::uint8_t> operand(ElementKind type, std::int64_t count, unsigned seed) {
  Buffer<std::uint8_t> buffer(static_cast<std::size_t>(count * bytes_of_kind(type)), seed);
  const Buffer<float> floats = with_specials(static_cast<std::size_t>(count), seed);
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint8_t* at = buffer.data() + i * bytes_of_kind(type);
    const std::uint8_t random = at[0];
    std::memset(at, 0, static_cast<std::size_t>(bytes_of_kind(type)));
    if (type == ElementKind::f32)
      std::memcpy(at, floats.storage.data() + Buffer<float>::margin + i, sizeof(float));
    else
      at[0] = type == ElementKind::boolean ? random % 2 : random % 5 == 0 ? 250 : random % 8;
    // Negative and large numbers.
    if (bytes_of_kind(type) > 1 && type != ElementKind::f32 && random % 3 == 0)
      at[bytes_of_kind(type) - 1] = 0x83;
  }
  return buffer;
}

struct Steps {
  int a, b;
};
constexpr Steps steps[] = {{1, 1}, {1, 0}, {0, 1}, {0, 0}};

TEST(Compare, EqualTheReference) {
  for (const ElementKind type : elements)
    for (const Relation relation : {Relation::equal, Relation::less, Relation::less_or_equal,
                                    Relation::both, Relation::either, Relation::one}) {
      if (relation >= Relation::both && type != ElementKind::boolean) continue;
      for (const std::int64_t channels : {1, 7, 16, 33, 64, 100, 257})
        for (const Steps step : steps) {
          const auto a = operand(type, rows * channels, 1), b = operand(type, rows * channels, 2);
          CompareArgs args;
          args.relation = relation;
          args.type = type;
          args.rows = rows;
          args.channels = channels;
          args.a = {a.storage.data() + a.margin, step.a ? channels : 1, step.a};
          args.b = {b.storage.data() + b.margin, step.b ? channels : 0, step.b};
          args.dst_pitch = channels + 3;
          Buffer<std::uint8_t> expected(static_cast<std::size_t>(rows * args.dst_pitch), 3);
          const Buffer<std::uint8_t> before = expected;
          args.dst = expected.data();
          compare_kernels().back().run(args, {});
          for (const CompareKernel& kernel : runnable(compare_kernels()))
            for (const int parts : {1, 2, 5}) {
              Buffer<std::uint8_t> actual = before;
              args.dst = actual.data();
              run_in_parts(kernel, args, parts);
              ASSERT_EQ(first_difference(actual, expected), equal)
                  << kernel.name << ", type " << static_cast<int>(type) << ", relation "
                  << static_cast<int>(relation) << ", channels " << channels << ", parts " << parts;
            }
        }
    }
}

TEST(Compare, ReferenceByHand) {
  const float a[] = {1, 2, 3, std::numeric_limits<float>::quiet_NaN()}, b[] = {2, 2, 2, 2};
  const auto holds = [&](Relation relation) {
    std::vector<std::uint8_t> dst(4, 9);
    CompareArgs args{relation, ElementKind::f32, 1, 4, {a, 4, 1}, {b, 4, 1}, dst.data(), 4};
    compare_kernels().back().run(args, {});
    return dst;
  };
  EXPECT_EQ(holds(Relation::equal), (std::vector<std::uint8_t>{0, 1, 0, 0}));
  EXPECT_EQ(holds(Relation::less), (std::vector<std::uint8_t>{1, 0, 0, 0}));
  EXPECT_EQ(holds(Relation::less_or_equal), (std::vector<std::uint8_t>{1, 1, 0, 0}));
}

TEST(Select, EqualTheReference) {
  for (const int width : {1, 4, 8})
    for (const int condition_step : {1, 0})
      for (const std::int64_t channels : {1, 7, 16, 33, 64, 100, 257})
        for (const Steps step : steps) {
          const auto count = static_cast<std::size_t>(rows * channels * width);
          Buffer<std::uint8_t> a(count, 1), b(count, 2);
          const auto condition = operand(ElementKind::boolean, rows * channels, 4);
          SelectArgs args;
          args.element_bytes = width;
          args.rows = rows;
          args.channels = channels;
          args.condition = {condition.storage.data() + condition.margin, channels, condition_step};
          args.a = {a.data(), step.a ? channels : 1, step.a};
          args.b = {b.data(), step.b ? channels : 0, step.b};
          args.dst_pitch = channels + 3;
          Buffer<std::uint8_t> expected(static_cast<std::size_t>(rows * args.dst_pitch * width), 3);
          const Buffer<std::uint8_t> before = expected;
          args.dst = expected.data();
          select_kernels().back().run(args, {});
          for (const SelectKernel& kernel : runnable(select_kernels()))
            for (const int parts : {1, 2, 5}) {
              Buffer<std::uint8_t> actual = before;
              args.dst = actual.data();
              run_in_parts(kernel, args, parts);
              ASSERT_EQ(first_difference(actual, expected), equal)
                  << kernel.name << ", width " << width << ", channels " << channels << ", parts "
                  << parts;
            }
        }
}

TEST(Cast, EqualTheReference) {
  for (const ElementKind from : elements)
    for (const ElementKind to : elements) {
      if (from == ElementKind::f32 && to != ElementKind::f32 && to != ElementKind::boolean)
        continue;
      for (const std::int64_t channels : {1, 7, 16, 33, 64, 100, 257}) {
        const auto src = operand(from, channels, 1);
        Buffer<std::uint8_t> expected(static_cast<std::size_t>(channels * bytes_of_kind(to)), 3);
        const Buffer<std::uint8_t> before = expected;
        CastArgs args{from, to, channels, src.storage.data() + src.margin, expected.data()};
        cast_kernels().back().run(args, {});
        for (const CastKernel& kernel : runnable(cast_kernels()))
          for (const int parts : {1, 2, 5}) {
            Buffer<std::uint8_t> actual = before;
            args.dst = actual.data();
            run_in_parts(kernel, args, parts);
            ASSERT_EQ(first_difference(actual, expected), equal)
                << kernel.name << ", from " << static_cast<int>(from) << " to "
                << static_cast<int>(to) << ", channels " << channels << ", parts " << parts;
          }
      }
    }
}

TEST(Cast, ReferenceByHand) {
  const std::int64_t src[] = {-1, 0, 300, (std::int64_t{1} << 40) + 7};
  std::uint8_t bytes[4], booleans[4];
  std::int32_t narrow[4];
  float floats[4];
  const auto cast = [&](ElementKind to, void* dst) {
    cast_kernels().back().run({ElementKind::s64, to, 4, src, dst}, {});
  };
  cast(ElementKind::u8, bytes);
  cast(ElementKind::boolean, booleans);
  cast(ElementKind::s32, narrow);
  cast(ElementKind::f32, floats);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(bytes[i], static_cast<std::uint8_t>(src[i]));
    EXPECT_EQ(booleans[i], src[i] != 0);
    EXPECT_EQ(narrow[i], static_cast<std::int32_t>(src[i]));
    EXPECT_EQ(floats[i], static_cast<float>(src[i]));
  }
}

}  // namespace
}  // namespace intact::kernels
