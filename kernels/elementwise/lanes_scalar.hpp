// The vector types of lanes_avx512.hpp, one element wide: what the reference computes with.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace intact::kernels {
namespace {

struct Mask {
  bool value;
};

/// Unsigned inside, so that overflow wraps as it does in vectors.
struct Ints {
  std::uint32_t value;
};

struct Floats {
  static constexpr int size = 1;
  float value;
};

inline Floats operator+(Floats a, Floats b) {
  return {a.value + b.value};
}
inline Floats operator-(Floats a, Floats b) {
  return {a.value - b.value};
}
inline Floats operator*(Floats a, Floats b) {
  return {a.value * b.value};
}
inline Floats operator/(Floats a, Floats b) {
  return {a.value / b.value};
}
inline Floats square_root(Floats a) {
  return {std::sqrt(a.value)};
}
inline Floats fma(Floats a, Floats b, Floats c) {
  return {std::fmaf(a.value, b.value, c.value)};
}
inline Floats maximum(Floats a, Floats b) {
  return a.value > b.value ? a : b;
}
inline Floats minimum(Floats a, Floats b) {
  return a.value < b.value ? a : b;
}
inline Mask less(Floats a, Floats b) {
  return {a.value < b.value};
}
inline Mask is_nan(Floats a) {
  return {std::isnan(a.value)};
}
inline Floats select(Mask mask, Floats yes, Floats no) {
  return mask.value ? yes : no;
}

inline Ints bits(Floats a) {
  return {std::bit_cast<std::uint32_t>(a.value)};
}
inline Floats from_bits(Ints a) {
  return {std::bit_cast<float>(a.value)};
}
inline Ints operator+(Ints a, Ints b) {
  return {a.value + b.value};
}
inline Ints operator-(Ints a, Ints b) {
  return {a.value - b.value};
}
inline Ints operator&(Ints a, Ints b) {
  return {a.value & b.value};
}
inline Ints operator|(Ints a, Ints b) {
  return {a.value | b.value};
}
template <int count>
inline Ints shift_left(Ints a) {
  return {a.value << count};
}
template <int count>
inline Ints shift_right(Ints a) {
  return {static_cast<std::uint32_t>(static_cast<std::int32_t>(a.value) >> count)};
}

/// table[index % 16].
inline Floats sixteenth(const float (&table)[16], Ints index) {
  return {table[index.value % 16]};
}
/// table[index % 8].
inline Floats eighth(const float (&table)[8], Ints index) {
  return {table[index.value % 8]};
}
inline Floats to_floats(Ints a) {
  return {static_cast<float>(static_cast<std::int32_t>(a.value))};
}

inline void broadcast(Floats& lanes, float x) {
  lanes.value = x;
}
inline void broadcast(Ints& lanes, std::int32_t x) {
  lanes.value = static_cast<std::uint32_t>(x);
}

}  // namespace
}  // namespace intact::kernels
