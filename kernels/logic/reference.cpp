// The scalar definitions, element by element, in double or 64-bit integers, which hold every
// element exactly.
#include <cstring>

#include "kernels/logic/implementations.hpp"

namespace intact::kernels::reference {
namespace {

const void* at(const AnyOperand& operand, std::int64_t row, std::int64_t i, std::ptrdiff_t bytes) {
  return static_cast<const char*>(operand.data) + (row * operand.pitch + i * operand.step) * bytes;
}

template <class T>
T load(const void* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

std::int64_t integer(const void* data, ElementKind type) {
  switch (type) {
    case ElementKind::s8:
      return load<std::int8_t>(data);
    case ElementKind::s32:
      return load<std::int32_t>(data);
    case ElementKind::s64:
      return load<std::int64_t>(data);
    default:
      return load<std::uint8_t>(data);
  }
}

template <class T>
bool holds(Relation relation, T a, T b) {
  switch (relation) {
    case Relation::equal:
      return a == b;
    case Relation::less:
      return a < b;
    case Relation::less_or_equal:
      return a <= b;
    case Relation::both:
      return a != 0 && b != 0;
    case Relation::either:
      return a != 0 || b != 0;
    case Relation::one:
      return a != b;
  }
  return false;
}

void store_integer(std::int64_t value, ElementKind to, void* dst) {
  switch (to) {
    case ElementKind::boolean:
      *static_cast<std::uint8_t*>(dst) = value != 0;
      break;
    case ElementKind::f32:
      *static_cast<float*>(dst) = static_cast<float>(value);
      break;
    default:
      std::memcpy(dst, &value,
                  static_cast<std::size_t>(bytes_of_kind(to)));  // little endian: wraps
  }
}

}  // namespace

void compare(const CompareArgs& args) {
  const std::ptrdiff_t bytes = bytes_of_kind(args.type);
  for (std::int64_t row = 0; row < args.rows; ++row)
    for (std::int64_t i = 0; i < args.channels; ++i) {
      const void *a = at(args.a, row, i, bytes), *b = at(args.b, row, i, bytes);
      static_cast<std::uint8_t*>(args.dst)[row * args.dst_pitch + i] =
          args.type == ElementKind::f32
              ? holds(args.relation, load<float>(a), load<float>(b))
              : holds(args.relation, integer(a, args.type), integer(b, args.type));
    }
}

void select(const SelectArgs& args) {
  for (std::int64_t row = 0; row < args.rows; ++row)
    for (std::int64_t i = 0; i < args.channels; ++i) {
      const bool first = load<std::uint8_t>(at(args.condition, row, i, 1)) != 0;
      std::memcpy(static_cast<char*>(args.dst) + (row * args.dst_pitch + i) * args.element_bytes,
                  at(first ? args.a : args.b, row, i, args.element_bytes),
                  static_cast<std::size_t>(args.element_bytes));
    }
}

void cast(const CastArgs& args) {
  const std::ptrdiff_t from = bytes_of_kind(args.from), to = bytes_of_kind(args.to);
  for (std::int64_t i = 0; i < args.channels; ++i) {
    const void* src = static_cast<const char*>(args.src) + i * from;
    void* dst = static_cast<char*>(args.dst) + i * to;
    if (args.from != ElementKind::f32)
      store_integer(integer(src, args.from), args.to, dst);
    else if (args.to == ElementKind::boolean)
      *static_cast<std::uint8_t*>(dst) = load<float>(src) != 0;
    else
      std::memcpy(dst, src, sizeof(float));
  }
}

}  // namespace intact::kernels::reference
