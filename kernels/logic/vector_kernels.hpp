// Comparisons, choices and conversions as loops that the compiler turns into vectors of whichever
// instruction set the including file is compiled for: no result depends on the order or the width.
#pragma once

#include "kernels/logic/logic.hpp"

namespace intact::kernels {
namespace {

/// dst[i] = compute(operand 0, operand 1) with each either a row or one element.
template <class T, class To, class Compute>
[[gnu::always_inline]] inline void binary_row(std::int64_t count, const T* a, int step_a,
                                              const T* b, int step_b, To* __restrict dst,
                                              const Compute& compute) {
  if (step_a != 0 && step_b != 0) {
    for (std::int64_t i = 0; i < count; ++i) dst[i] = compute(a[i], b[i]);
  } else if (step_a != 0) {
    const T y = *b;
    for (std::int64_t i = 0; i < count; ++i) dst[i] = compute(a[i], y);
  } else if (step_b != 0) {
    const T x = *a;
    for (std::int64_t i = 0; i < count; ++i) dst[i] = compute(x, b[i]);
  } else {
    const To value = compute(*a, *b);
    for (std::int64_t i = 0; i < count; ++i) dst[i] = value;
  }
}

template <class T, class Compute>
[[gnu::always_inline]] inline void compare_rows(const CompareArgs& args, const Compute& compute) {
  const auto* a = static_cast<const T*>(args.a.data);
  const auto* b = static_cast<const T*>(args.b.data);
  auto* dst = static_cast<std::uint8_t*>(args.dst);
  for (std::int64_t row = 0; row < args.rows; ++row)
    binary_row(args.channels, a + row * args.a.pitch, args.a.step, b + row * args.b.pitch,
               args.b.step, dst + row * args.dst_pitch, compute);
}

template <class T>
void compare_type(const CompareArgs& args) {
  using Byte = std::uint8_t;
  switch (args.relation) {
    case Relation::equal:
      return compare_rows<T>(args, [](T a, T b) { return static_cast<Byte>(a == b); });
    case Relation::less:
      return compare_rows<T>(args, [](T a, T b) { return static_cast<Byte>(a < b); });
    default:
      return compare_rows<T>(args, [](T a, T b) { return static_cast<Byte>(a <= b); });
  }
}

void compare_all(const CompareArgs& args) {
  using Byte = std::uint8_t;
  switch (args.relation) {
    case Relation::both:
      return compare_rows<Byte>(args, [](Byte a, Byte b) { return static_cast<Byte>(a & b); });
    case Relation::either:
      return compare_rows<Byte>(args, [](Byte a, Byte b) { return static_cast<Byte>(a | b); });
    case Relation::one:
      return compare_rows<Byte>(args, [](Byte a, Byte b) { return static_cast<Byte>(a ^ b); });
    default:
      break;
  }
  switch (args.type) {
    case ElementKind::boolean:
    case ElementKind::u8:
      return compare_type<std::uint8_t>(args);
    case ElementKind::s8:
      return compare_type<std::int8_t>(args);
    case ElementKind::s32:
      return compare_type<std::int32_t>(args);
    case ElementKind::s64:
      return compare_type<std::int64_t>(args);
    case ElementKind::f32:
      return compare_type<float>(args);
  }
}

/// Both candidates are loaded whatever the condition: choosing is a blend then.
template <class T, int step_a, int step_b>
[[gnu::always_inline]] inline void select_row(std::int64_t count, const std::uint8_t* condition,
                                              const T* a, const T* b, T* __restrict dst) {
  const T first_a = *a, first_b = *b;
  for (std::int64_t i = 0; i < count; ++i) {
    const T x = step_a != 0 ? a[i] : first_a, y = step_b != 0 ? b[i] : first_b;
    dst[i] = condition[i] != 0 ? x : y;
  }
}

template <class T>
[[gnu::always_inline]] inline void copy_row(std::int64_t count, const T* src, int step,
                                            T* __restrict dst) {
  if (step != 0) {
    for (std::int64_t i = 0; i < count; ++i) dst[i] = src[i];
  } else {
    const T value = *src;
    for (std::int64_t i = 0; i < count; ++i) dst[i] = value;
  }
}

template <class T>
void select_type(const SelectArgs& args) {
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const auto* condition =
        static_cast<const std::uint8_t*>(args.condition.data) + row * args.condition.pitch;
    const T* a = static_cast<const T*>(args.a.data) + row * args.a.pitch;
    const T* b = static_cast<const T*>(args.b.data) + row * args.b.pitch;
    T* dst = static_cast<T*>(args.dst) + row * args.dst_pitch;
    if (args.condition.step == 0)
      copy_row(args.channels, *condition != 0 ? a : b, *condition != 0 ? args.a.step : args.b.step,
               dst);
    else if (args.a.step != 0 && args.b.step != 0)
      select_row<T, 1, 1>(args.channels, condition, a, b, dst);
    else if (args.a.step != 0)
      select_row<T, 1, 0>(args.channels, condition, a, b, dst);
    else if (args.b.step != 0)
      select_row<T, 0, 1>(args.channels, condition, a, b, dst);
    else
      select_row<T, 0, 0>(args.channels, condition, a, b, dst);
  }
}

void select_all(const SelectArgs& args) {
  if (args.element_bytes == 1) return select_type<std::uint8_t>(args);
  if (args.element_bytes == 4) return select_type<std::uint32_t>(args);
  select_type<std::uint64_t>(args);
}

template <class From, class To>
void cast_row(const CastArgs& args) {
  const auto* src = static_cast<const From*>(args.src);
  To* __restrict dst = static_cast<To*>(args.dst);
  for (std::int64_t i = 0; i < args.channels; ++i) dst[i] = static_cast<To>(src[i]);
}

template <class From>
void cast_to_boolean(const CastArgs& args) {
  const auto* src = static_cast<const From*>(args.src);
  std::uint8_t* __restrict dst = static_cast<std::uint8_t*>(args.dst);
  for (std::int64_t i = 0; i < args.channels; ++i) dst[i] = src[i] != From{0};
}

template <class From>
void cast_integers(const CastArgs& args) {
  switch (args.to) {
    case ElementKind::boolean:
      return cast_to_boolean<From>(args);
    case ElementKind::u8:
      return cast_row<From, std::uint8_t>(args);
    case ElementKind::s8:
      return cast_row<From, std::int8_t>(args);
    case ElementKind::s32:
      return cast_row<From, std::int32_t>(args);
    case ElementKind::s64:
      return cast_row<From, std::int64_t>(args);
    case ElementKind::f32:
      return cast_row<From, float>(args);
  }
}

void cast_all(const CastArgs& args) {
  switch (args.from) {
    case ElementKind::boolean:
    case ElementKind::u8:
      return cast_integers<std::uint8_t>(args);
    case ElementKind::s8:
      return cast_integers<std::int8_t>(args);
    case ElementKind::s32:
      return cast_integers<std::int32_t>(args);
    case ElementKind::s64:
      return cast_integers<std::int64_t>(args);
    case ElementKind::f32:
      return args.to == ElementKind::boolean ? cast_to_boolean<float>(args)
                                             : cast_row<float, float>(args);
  }
}

}  // namespace

void isa::compare(const CompareArgs& args) {
  compare_all(args);
}
void isa::select(const SelectArgs& args) {
  select_all(args);
}
void isa::cast(const CastArgs& args) {
  cast_all(args);
}

}  // namespace intact::kernels
