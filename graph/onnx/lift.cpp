// Walks the protobuf wire format: a message is a row of fields, each a tag (number << 3 | kind) and
// a value; the kind tells the value's length (https://protobuf.dev/programming-guides/encoding).
#include "graph/onnx/lift.hpp"

#include <cstdint>

namespace intact {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint64_t model_graph = 7, graph_initializer = 5, tensor_raw_data = 9;

struct Field {
  std::uint64_t number = 0;
  bool is_message = false;  ///< or a string: its length goes first
  Bytes whole;              ///< with tag and length
  Bytes content;            ///< of a message or string
};

std::optional<std::uint64_t> read_varint(Bytes& rest) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !rest.empty(); shift += 7) {
    const auto byte = std::to_integer<std::uint64_t>(rest.front());
    rest = rest.subspan(1);
    value |= (byte & 127) << shift;
    if (byte < 128) return value;
  }
  return std::nullopt;
}

/// The next field, cut off the front of `rest`; nothing when it is broken.
std::optional<Field> next_field(Bytes& rest) {
  const Bytes start = rest;
  const auto tag = read_varint(rest);
  if (!tag) return std::nullopt;
  Field field;
  field.number = *tag >> 3;
  std::uint64_t length = 0;
  switch (*tag & 7) {
    case 0:
      if (!read_varint(rest)) return std::nullopt;
      break;
    case 1:
      length = 8;
      break;
    case 2: {
      const auto given = read_varint(rest);
      if (!given) return std::nullopt;
      length = *given;
      field.is_message = true;
      break;
    }
    case 5:
      length = 4;
      break;
    default:
      return std::nullopt;
  }
  if (length > rest.size()) return std::nullopt;
  field.content = rest.first(static_cast<std::size_t>(length));
  rest = rest.subspan(static_cast<std::size_t>(length));
  field.whole = start.first(start.size() - rest.size());
  return field;
}

void append(std::string& out, Bytes bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void append_message(std::string& out, std::uint64_t number, const std::string& content) {
  const auto append_varint = [&](std::uint64_t value) {
    for (; value >= 128; value >>= 7) out.push_back(static_cast<char>((value & 127) | 128));
    out.push_back(static_cast<char>(value));
  };
  append_varint(number << 3 | 2);
  append_varint(content.size());
  out += content;
}

/// Copies a message field by field; `replace` returns true for fields that it has dealt with.
template <class Replace>
bool rewrite(Bytes message, std::string& out, const Replace& replace) {
  while (!message.empty()) {
    const auto field = next_field(message);
    if (!field) return false;
    if (field->is_message && replace(*field)) continue;
    append(out, field->whole);
  }
  return true;
}

}  // namespace

std::optional<LiftedModel> lift_raw_data(std::span<const std::byte> model) {
  LiftedModel result;
  bool intact = true;
  const auto rewrite_tensor = [&](const Field& initializer, std::string& out) {
    std::string tensor;
    std::optional<Bytes> raw;
    intact &= rewrite(initializer.content, tensor, [&](const Field& field) {
      if (field.number != tensor_raw_data) return false;
      raw = field.content;
      return true;
    });
    result.raw_data.push_back(raw);
    append_message(out, graph_initializer, tensor);
  };
  const auto rewrite_graph = [&](const Field& graph_field) {
    std::string graph;
    intact &= rewrite(graph_field.content, graph, [&](const Field& field) {
      if (field.number != graph_initializer) return false;
      rewrite_tensor(field, graph);
      return true;
    });
    append_message(result.encoding, model_graph, graph);
  };
  intact &= rewrite(model, result.encoding, [&](const Field& field) {
    if (field.number != model_graph) return false;
    rewrite_graph(field);
    return true;
  });
  if (!intact) return std::nullopt;
  return result;
}

}  // namespace intact
