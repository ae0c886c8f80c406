// Tensors as they cross the API: element type, shape, densely packed row-major data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace intact {

enum class ElementType : std::uint8_t {
  undefined,
  f32,
  f64,
  f16,
  bf16,
  u8,
  s8,
  u16,
  s16,
  u32,
  s32,
  u64,
  s64,
  boolean,
  u4,
  s4,
  u2,
  s2,
  f8e4m3fn,
  f8e4m3fnuz,
  f8e5m2,
  f8e5m2fnuz,
  string
};

/// Extents, outermost first; empty for a scalar.
using Shape = std::vector<std::int64_t>;

/// Bytes of one element. Throws Unsupported for `string`, Error for `undefined`. Types of 4 and 2
/// bits are held unpacked, one element per byte.
std::size_t element_size(ElementType type);
/// "f32", "u8", ...
std::string_view element_name(ElementType type);
/// Integers of any width, signed or unsigned; booleans are none.
bool is_integer(ElementType type);

/// Number of elements; throws Error when an extent is negative or the product overflows int64.
std::int64_t element_count(const Shape& shape);
/// "[1,3,224,224]"
std::string to_string(const Shape& shape);

template <class T>
constexpr ElementType element_type_of();

/// A value type that shares its storage: copies are cheap and refer to the same elements.
/// Storage is 64-byte aligned and readable for 64 bytes beyond the last element.
class Tensor {
 public:
  Tensor() = default;
  /// Zero-initialized. Throws Error when the size overflows or cannot be allocated.
  Tensor(ElementType type, Shape shape);
  /// Borrows `data`, which must stay alive, hold all elements and be readable 64 bytes beyond.
  static Tensor borrow(ElementType type, Shape shape, void* data);
  template <class T>
  static Tensor from(Shape shape, std::span<const T> values);
  template <class T>
  static Tensor scalar(T value) {
    return from<T>({}, std::span<const T>(&value, 1));
  }

  bool defined() const { return type_ != ElementType::undefined; }
  ElementType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  int rank() const { return static_cast<int>(shape_.size()); }
  std::int64_t size() const { return size_; }
  std::size_t bytes() const;
  const void* raw() const { return data_.get(); }
  void* raw() { return data_.get(); }

  /// Throws Error when T is not the element type.
  template <class T>
  std::span<const T> data() const;
  template <class T>
  std::span<T> data();

  /// The same storage under another shape of equal size; throws Error otherwise.
  Tensor reshaped(Shape shape) const;
  /// A deep copy.
  Tensor clone() const;

 private:
  void check_type(ElementType wanted) const;
  ElementType type_ = ElementType::undefined;
  Shape shape_;
  std::int64_t size_ = 0;
  std::shared_ptr<void> data_;
};

template <>
constexpr ElementType element_type_of<float>() {
  return ElementType::f32;
}
template <>
constexpr ElementType element_type_of<double>() {
  return ElementType::f64;
}
template <>
constexpr ElementType element_type_of<std::uint8_t>() {
  return ElementType::u8;
}
template <>
constexpr ElementType element_type_of<std::int8_t>() {
  return ElementType::s8;
}
template <>
constexpr ElementType element_type_of<std::uint16_t>() {
  return ElementType::u16;
}
template <>
constexpr ElementType element_type_of<std::int16_t>() {
  return ElementType::s16;
}
template <>
constexpr ElementType element_type_of<std::uint32_t>() {
  return ElementType::u32;
}
template <>
constexpr ElementType element_type_of<std::int32_t>() {
  return ElementType::s32;
}
template <>
constexpr ElementType element_type_of<std::uint64_t>() {
  return ElementType::u64;
}
template <>
constexpr ElementType element_type_of<std::int64_t>() {
  return ElementType::s64;
}
template <>
constexpr ElementType element_type_of<bool>() {
  return ElementType::boolean;
}

template <class T>
Tensor Tensor::from(Shape shape, std::span<const T> values) {
  Tensor tensor(element_type_of<T>(), std::move(shape));
  auto out = tensor.data<T>();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = values[i];
  return tensor;
}
template <class T>
std::span<const T> Tensor::data() const {
  check_type(element_type_of<T>());
  return {static_cast<const T*>(data_.get()), static_cast<std::size_t>(size_)};
}
template <class T>
std::span<T> Tensor::data() {
  check_type(element_type_of<T>());
  return {static_cast<T*>(data_.get()), static_cast<std::size_t>(size_)};
}

}  // namespace intact
