// TensorProto to Tensor and back.
#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "core/checked.hpp"
#include "graph/element_numbers.hpp"
#include "graph/onnx/onnx.hpp"
#include "graph/onnx/proto.hpp"
#include "intact/error.hpp"

namespace intact {

int elements_per_byte(ElementType type) {
  switch (type) {
    case ElementType::u4:
    case ElementType::s4:
      return 2;
    case ElementType::u2:
    case ElementType::s2:
      return 4;
    default:
      return 1;
  }
}

namespace {

std::int64_t checked_count(const Shape& shape, const std::string& where) {
  try {
    return element_count(shape);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", where, error.what()));
  }
}

/// Bytes that `count` elements take in a file.
std::int64_t stored_bytes(ElementType type, std::int64_t count, const std::string& where) {
  if (const int shared = elements_per_byte(type); shared > 1)
    return count / shared + (count % shared != 0 ? 1 : 0);
  std::int64_t bytes = 0;
  if (!checked_multiply(count, static_cast<std::int64_t>(element_size(type)), &bytes))
    throw Error(
        fmt::format("{}: {} elements of {} are too large", where, count, element_name(type)));
  return bytes;
}

/// Element `i` of those in one byte, the first in the lowest bits.
std::uint8_t unpack(ElementType type, std::uint8_t packed, std::int64_t i) {
  const int bits = 8 / elements_per_byte(type), sign = 1 << (bits - 1);
  const int element = packed >> (bits * i) & ((1 << bits) - 1);
  const bool is_signed = type == ElementType::s4 || type == ElementType::s2;
  return static_cast<std::uint8_t>(is_signed ? (element ^ sign) - sign : element);
}

void copy_raw(std::span<const std::byte> raw, Tensor& tensor) {
  auto* out = static_cast<std::uint8_t*>(tensor.raw());
  const auto* in = reinterpret_cast<const std::uint8_t*>(raw.data());
  if (const int shared = elements_per_byte(tensor.type()); shared > 1) {
    for (std::int64_t i = 0; i < tensor.size(); ++i)
      out[i] = unpack(tensor.type(), in[i / shared], i % shared);
  } else if (tensor.type() == ElementType::boolean) {
    for (std::int64_t i = 0; i < tensor.size(); ++i) out[i] = in[i] != 0;
  } else if (!raw.empty()) {
    std::memcpy(out, in, raw.size());
  }
}

template <class Out, class Field>
void copy_field(const Field& field, Tensor& tensor) {
  auto* out = static_cast<Out*>(tensor.raw());
  for (int i = 0; i < field.size(); ++i) out[i] = static_cast<Out>(field[i]);
}

/// Copies the typed field that belongs to the element type; its size has been checked.
void copy_typed(const onnx::TensorProto& proto, Tensor& tensor) {
  switch (tensor.type()) {
    case ElementType::f32:
      return copy_field<float>(proto.float_data(), tensor);
    case ElementType::f64:
      return copy_field<double>(proto.double_data(), tensor);
    case ElementType::s64:
      return copy_field<std::int64_t>(proto.int64_data(), tensor);
    case ElementType::u64:
      return copy_field<std::uint64_t>(proto.uint64_data(), tensor);
    case ElementType::u32:
      return copy_field<std::uint32_t>(proto.uint64_data(), tensor);
    case ElementType::s32:
      return copy_field<std::int32_t>(proto.int32_data(), tensor);
    case ElementType::u16:
    case ElementType::s16:
    case ElementType::f16:
    case ElementType::bf16:
      return copy_field<std::uint16_t>(proto.int32_data(), tensor);
    case ElementType::boolean:
      return copy_field<bool>(proto.int32_data(), tensor);
    case ElementType::u4:
    case ElementType::s4:
    case ElementType::u2:
    case ElementType::s2:
      break;
    default:
      return copy_field<std::uint8_t>(proto.int32_data(), tensor);
  }
  // One entry per byte.
  const int shared = elements_per_byte(tensor.type());
  auto* out = static_cast<std::uint8_t*>(tensor.raw());
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    const auto packed = static_cast<std::uint8_t>(proto.int32_data(static_cast<int>(i / shared)));
    out[i] = unpack(tensor.type(), packed, i % shared);
  }
}

int typed_entries(const onnx::TensorProto& proto, ElementType type) {
  switch (type) {
    case ElementType::f32:
      return proto.float_data_size();
    case ElementType::f64:
      return proto.double_data_size();
    case ElementType::s64:
      return proto.int64_data_size();
    case ElementType::u64:
    case ElementType::u32:
      return proto.uint64_data_size();
    default:
      return proto.int32_data_size();
  }
}

std::int64_t parse_number(const std::string& text, const char* key, const std::string& where) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc{} || result.ptr != end || value < 0)
    throw Error(
        fmt::format("{}: external data has {} '{}'; it must be a number that is not negative",
                    where, key, text));
  return value;
}

std::span<const std::byte> external_bytes(const onnx::TensorProto& proto, ExternalData& external,
                                          const std::string& where) {
  std::string location;
  std::int64_t offset = 0;
  std::optional<std::int64_t> length;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = parse_number(entry.value(), "offset", where);
    if (entry.key() == "length") length = parse_number(entry.value(), "length", where);
  }
  return external.read(location, offset, length, where);
}

void check_stored_size(std::size_t given, std::int64_t wanted, const Shape& shape, ElementType type,
                       const std::string& where) {
  if (given != static_cast<std::uint64_t>(wanted))
    throw Error(fmt::format("{}: shape {} of {} needs {} bytes, but the file holds {}", where,
                            to_string(shape), element_name(type), wanted, given));
}

}  // namespace

ElementType element_type_from_onnx(int number, const std::string& where) {
  if (const auto type = element_type_numbered(number)) return *type;
  if (number == 0) throw Error(fmt::format("{}: no element type is given", where));
  if (number == 8) throw Unsupported(fmt::format("{}: strings are not supported", where));
  throw Unsupported(fmt::format("{}: ONNX element type {} is not supported", where, number));
}

Tensor tensor_from_proto(const onnx::TensorProto& proto, ExternalData& external,
                         const std::string& where, const std::span<const std::byte>* lifted) {
  const ElementType type = element_type_from_onnx(proto.data_type(), where);
  if (proto.has_segment())
    throw Unsupported(fmt::format("{}: tensors in segments are not supported", where));
  Shape shape(proto.dims().begin(), proto.dims().end());
  const std::int64_t count = checked_count(shape, where);
  const std::int64_t bytes = stored_bytes(type, count, where);

  const bool is_external = proto.data_location() == onnx::TensorProto::EXTERNAL;
  if (is_external || proto.has_raw_data() || lifted != nullptr) {
    std::span<const std::byte> raw;
    if (is_external)
      raw = external_bytes(proto, external, where);
    else if (lifted != nullptr)
      raw = *lifted;
    else
      raw = std::as_bytes(std::span(proto.raw_data()));
    check_stored_size(raw.size(), bytes, shape, type, where);
    const auto copy = [&] {
      Tensor tensor(type, shape);
      copy_raw(raw, tensor);
      return tensor;
    };
    return is_external ? external.share(raw, type, count, where, copy).reshaped(shape) : copy();
  }
  const std::int64_t wanted = elements_per_byte(type) > 1 ? bytes : count;
  if (typed_entries(proto, type) != wanted)
    throw Error(fmt::format("{}: shape {} of {} needs {} elements, but the file holds {}", where,
                            to_string(shape), element_name(type), wanted,
                            typed_entries(proto, type)));
  Tensor tensor(type, std::move(shape));
  copy_typed(proto, tensor);
  return tensor;
}

void describe_tensor(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto) {
  proto.set_name(name);
  proto.set_data_type(element_number(tensor.type()));
  for (const std::int64_t extent : tensor.shape()) proto.add_dims(extent);
}

void tensor_to_proto(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto) {
  describe_tensor(tensor, name, proto);
  std::string& raw = *proto.mutable_raw_data();
  const int shared = elements_per_byte(tensor.type());
  if (shared == 1) {
    if (tensor.size() > 0) raw.assign(static_cast<const char*>(tensor.raw()), tensor.bytes());
    return;
  }
  const auto* in = static_cast<const std::uint8_t*>(tensor.raw());
  raw.assign(static_cast<std::size_t>((tensor.size() + shared - 1) / shared), '\0');
  const int bits = 8 / shared;
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    const int element = (in[i] & ((1 << bits) - 1)) << (bits * (i % shared));
    char& packed = raw[static_cast<std::size_t>(i / shared)];
    packed = static_cast<char>(static_cast<unsigned char>(packed) | element);
  }
}

namespace {

template <class Proto>
Proto parse_file(const std::filesystem::path& path, const char* what) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  Proto proto;
  constexpr std::size_t limit = 0x7fffffff;
  if (bytes.size() > limit || !proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    throw Error(
        fmt::format("{} is not an ONNX {} (its protobuf encoding is broken)", path.string(), what));
  return proto;
}

std::vector<Tensor> tensors_from_proto(const onnx::SequenceProto& proto, ExternalData& external,
                                       const std::string& where) {
  std::vector<Tensor> tensors;
  for (const onnx::TensorProto& tensor : proto.tensor_values())
    tensors.push_back(tensor_from_proto(tensor, external, where));
  return tensors;
}

}  // namespace

Datum load_data_proto(const std::filesystem::path& path, bool is_sequence, bool is_optional) {
  const std::string where = path.string();
  ExternalData external(path.parent_path());
  if (is_optional) {
    const auto proto = parse_file<onnx::OptionalProto>(path, "optional");
    if (proto.has_tensor_value()) return tensor_from_proto(proto.tensor_value(), external, where);
    if (proto.has_sequence_value())
      return tensors_from_proto(proto.sequence_value(), external, where);
    return Tensor{};
  }
  if (!is_sequence) return load_tensor_proto(path);
  return tensors_from_proto(parse_file<onnx::SequenceProto>(path, "sequence"), external, where);
}

Tensor load_tensor_proto(const std::filesystem::path& path, std::string* name) {
  const auto proto = parse_file<onnx::TensorProto>(path, "tensor");
  if (name != nullptr) *name = proto.name();
  ExternalData external(path.parent_path());
  return tensor_from_proto(proto, external, path.string());
}

}  // namespace intact
