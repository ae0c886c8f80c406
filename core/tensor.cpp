// Tensor storage and shapes.
#include "intact/tensor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <cstring>
#include <limits>

#include "core/checked.hpp"
#include "intact/error.hpp"

namespace intact {

std::size_t element_size(ElementType type) {
  switch (type) {
    case ElementType::f32:
    case ElementType::u32:
    case ElementType::s32:
      return 4;
    case ElementType::f64:
    case ElementType::u64:
    case ElementType::s64:
      return 8;
    case ElementType::f16:
    case ElementType::bf16:
    case ElementType::u16:
    case ElementType::s16:
      return 2;
    case ElementType::u8:
    case ElementType::s8:
    case ElementType::boolean:
    case ElementType::u4:
    case ElementType::s4:
    case ElementType::u2:
    case ElementType::s2:
    case ElementType::f8e4m3fn:
    case ElementType::f8e4m3fnuz:
    case ElementType::f8e5m2:
    case ElementType::f8e5m2fnuz:
      return 1;
    case ElementType::string:
      throw Unsupported("string tensors are not supported");
    case ElementType::undefined:
      break;
  }
  throw Error("a tensor has no element type");
}

std::string_view element_name(ElementType type) {
  constexpr std::string_view names[] = {
      "undefined", "f32", "f64",      "f16",        "bf16",   "u8",         "s8",    "u16",
      "s16",       "u32", "s32",      "u64",        "s64",    "bool",       "u4",    "s4",
      "u2",        "s2",  "f8e4m3fn", "f8e4m3fnuz", "f8e5m2", "f8e5m2fnuz", "string"};
  return names[static_cast<int>(type)];
}

bool is_integer(ElementType type) {
  switch (type) {
    case ElementType::u8:
    case ElementType::s8:
    case ElementType::u16:
    case ElementType::s16:
    case ElementType::u32:
    case ElementType::s32:
    case ElementType::u64:
    case ElementType::s64:
    case ElementType::u4:
    case ElementType::s4:
    case ElementType::u2:
    case ElementType::s2:
      return true;
    default:
      return false;
  }
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0) throw Error(fmt::format("shape {} has a negative extent", to_string(shape)));
    if (!checked_multiply(count, extent, &count))
      throw Error(
          fmt::format("shape {} has more elements than fit into 64 bits", to_string(shape)));
  }
  return count;
}

std::string to_string(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

Tensor::Tensor(ElementType type, Shape shape) : type_(type), shape_(std::move(shape)) {
  size_ = element_count(shape_);
  std::int64_t bytes = 0;
  constexpr std::int64_t slack = 64;
  if (!checked_multiply(size_, static_cast<std::int64_t>(element_size(type)), &bytes) ||
      bytes > std::numeric_limits<std::int64_t>::max() - 2 * slack)
    throw Error(fmt::format("a tensor of shape {} is too large", to_string(shape_)));
  const std::size_t rounded = static_cast<std::size_t>((bytes + 2 * slack - 1) / slack * slack);
  void* memory = std::aligned_alloc(64, rounded);
  if (memory == nullptr) throw Error(fmt::format("no memory for a tensor of {} bytes", bytes));
  std::memset(memory, 0, rounded);
  data_ = std::shared_ptr<void>(memory, std::free);
}

Tensor Tensor::borrow(ElementType type, Shape shape, void* data) {
  Tensor tensor;
  tensor.type_ = type;
  tensor.size_ = element_count(shape);
  tensor.shape_ = std::move(shape);
  tensor.data_ = std::shared_ptr<void>(data, [](void*) {});
  return tensor;
}

std::size_t Tensor::bytes() const {
  return defined() ? static_cast<std::size_t>(size_) * element_size(type_) : 0;
}

Tensor Tensor::reshaped(Shape shape) const {
  if (element_count(shape) != size_)
    throw Error(
        fmt::format("cannot view a tensor of shape {} as {}", to_string(shape_), to_string(shape)));
  Tensor result = *this;
  result.shape_ = std::move(shape);
  return result;
}

Tensor Tensor::clone() const {
  if (!defined()) return {};
  Tensor result(type_, shape_);
  std::memcpy(result.raw(), raw(), bytes());
  return result;
}

void Tensor::check_type(ElementType wanted) const {
  // Narrow elements are held one per byte and read as the 8-bit type of the same sign.
  const bool is_unsigned = type_ == ElementType::u4 || type_ == ElementType::u2;
  const bool is_signed = type_ == ElementType::s4 || type_ == ElementType::s2;
  const bool narrow =
      (is_unsigned && wanted == ElementType::u8) || (is_signed && wanted == ElementType::s8);
  const bool half =
      (type_ == ElementType::f16 || type_ == ElementType::bf16) && wanted == ElementType::u16;
  if (type_ != wanted && !narrow && !half)
    throw Error(fmt::format("a tensor of type {} is read as {}", element_name(type_),
                            element_name(wanted)));
}

}  // namespace intact
