// The types of elements that kernels with float arithmetic in registers, and tables, read and
// write. Plain header.
#pragma once

#include <cstddef>
#include <cstdint>

namespace intact::kernels {

/// u8 and u16: integers of a grid.
enum class Element : std::uint8_t { u8, u16, f32 };

constexpr std::ptrdiff_t bytes_of(Element type) {
  return type == Element::f32 ? 4 : type == Element::u16 ? 2 : 1;
}
/// The greatest integer.
constexpr std::int32_t greatest_of(Element type) {
  return type == Element::u16 ? 65535 : 255;
}

}  // namespace intact::kernels
