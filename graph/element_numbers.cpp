// One table for both directions.
#include "graph/element_numbers.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "intact/error.hpp"

namespace intact {
namespace {

// Those from 16 on are newer than some packaged versions of onnx.
constexpr std::array<std::pair<int, ElementType>, 21> numbers = {{
    {1, ElementType::f32},     {2, ElementType::u8},          {3, ElementType::s8},
    {4, ElementType::u16},     {5, ElementType::s16},         {6, ElementType::s32},
    {7, ElementType::s64},     {9, ElementType::boolean},     {10, ElementType::f16},
    {11, ElementType::f64},    {12, ElementType::u32},        {13, ElementType::u64},
    {16, ElementType::bf16},   {17, ElementType::f8e4m3fn},   {18, ElementType::f8e4m3fnuz},
    {19, ElementType::f8e5m2}, {20, ElementType::f8e5m2fnuz}, {21, ElementType::u4},
    {22, ElementType::s4},     {25, ElementType::u2},         {26, ElementType::s2},
}};

}  // namespace

std::optional<ElementType> element_type_numbered(std::int64_t number) {
  for (const auto& [known, type] : numbers)
    if (known == number) return type;
  return std::nullopt;
}

int element_number(ElementType type) {
  for (const auto& [number, known] : numbers)
    if (known == type) return number;
  throw Error(fmt::format("element type {} cannot be written to ONNX", element_name(type)));
}

}  // namespace intact
