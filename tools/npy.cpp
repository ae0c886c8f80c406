// The .npy format: magic, version, length of a Python dictionary literal, the dictionary, raw data.
#include "tools/npy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "intact/error.hpp"
#include "tools/files.hpp"
#include "tools/values.hpp"

namespace intact::tools {
namespace {

constexpr std::string_view magic("\x93NUMPY", 6);

struct Header {
  ElementType type = ElementType::undefined;
  bool big_endian = false;
  bool fortran_order = false;
  Shape shape;
  std::size_t data_begin = 0;
};

[[noreturn]] void fail(const std::string& where, const std::string& why) {
  throw Error(fmt::format("{}: {}", where, why));
}

/// Reads the dictionary literal: keys in quotes; values a string, True, False or a tuple of
/// integers.
class DictionaryReader {
 public:
  DictionaryReader(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  void read(std::string* descr, bool* fortran_order, Shape* shape) {
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        skip_space();
        if (!text_.empty() && text_[0] == '[') {
          fail(where_, "holds a structured array; plain numbers are expected");
        }
        *descr = quoted();
        has_descr = true;
      } else if (key == "fortran_order") {
        *fortran_order = boolean();
        has_order = true;
      } else if (key == "shape") {
        *shape = tuple();
        has_shape = true;
      } else {
        fail(where_, "broken .npy header: unknown key '" + key + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!has_descr || !has_order || !has_shape) {
      fail(where_, "broken .npy header: it must give descr, fortran_order and shape");
    }
  }

 private:
  void skip_space() {
    while (!text_.empty() && std::string_view(" \t\n\r").find(text_[0]) != std::string_view::npos) {
      text_.remove_prefix(1);
    }
  }
  bool accept(char c) {
    skip_space();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(where_, fmt::format("broken .npy header: '{}' is missing", c));
  }
  std::string quoted() {
    skip_space();
    if (text_.empty() || (text_[0] != '\'' && text_[0] != '"')) {
      fail(where_, "broken .npy header: a quoted word is missing");
    }
    const std::size_t end = text_.find(text_[0], 1);
    if (end == std::string_view::npos) fail(where_, "broken .npy header: a quote is not closed");
    std::string word(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return word;
  }
  bool boolean() {
    skip_space();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.starts_with(word)) {
        text_.remove_prefix(word.size());
        return value;
      }
    }
    fail(where_, "broken .npy header: fortran_order must be True or False");
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::int64_t extent = -1;
      const auto [end, code] = std::from_chars(text_.data(), text_.data() + text_.size(), extent);
      if (code != std::errc() || extent < 0) {
        fail(where_, "broken .npy header: extents must be integers that are not negative");
      }
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      accept('L');  // Python 2 wrote long integers so
      shape.push_back(extent);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    if (shape.size() > 32) fail(where_, "broken .npy header: more than 32 extents");
    return shape;
  }

  std::string_view text_;
  const std::string& where_;
};

struct TypeCode {
  ElementType type;
  std::string_view code;
};
constexpr TypeCode type_codes[] = {
    {ElementType::f32, "f4"}, {ElementType::f64, "f8"}, {ElementType::f16, "f2"},
    {ElementType::u8, "u1"},  {ElementType::s8, "i1"},  {ElementType::u16, "u2"},
    {ElementType::s16, "i2"}, {ElementType::u32, "u4"}, {ElementType::s32, "i4"},
    {ElementType::u64, "u8"}, {ElementType::s64, "i8"}, {ElementType::boolean, "b1"},
};

void read_type(const std::string& descr, const std::string& where, Header* header) {
  std::string_view code = descr;
  if (!code.empty() && std::string_view("<>=|").find(code[0]) != std::string_view::npos) {
    header->big_endian = code[0] == '>';
    code.remove_prefix(1);
  }
  if (code.starts_with("O")) {
    fail(where, "holds pickled Python objects, which are refused; save plain numbers instead");
  }
  for (const TypeCode& known : type_codes) {
    if (known.code == code) {
      header->type = known.type;
      return;
    }
  }
  fail(where, fmt::format("type '{}' is not supported; floats, integers and bool are", descr));
}

Header read_header(std::span<const std::byte> bytes, const std::string& where) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(magic)) fail(where, "is not a .npy file (its first bytes are others)");
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(bytes[i]); };
  if (bytes.size() < 12) fail(where, "the .npy file is truncated inside its header");
  const std::uint32_t version = byte(6);
  if (version < 1 || version > 3) {
    fail(where, fmt::format(".npy format {} is not known; 1 to 3 are", version));
  }
  std::size_t length = byte(8) | byte(9) << 8;
  std::size_t begin = 10;
  if (version > 1) {
    length |= static_cast<std::size_t>(byte(10)) << 16 | static_cast<std::size_t>(byte(11)) << 24;
    begin = 12;
  }
  if (length > bytes.size() - begin) fail(where, "the .npy file is truncated inside its header");
  Header header;
  std::string descr;
  DictionaryReader(text.substr(begin, length), where)
      .read(&descr, &header.fortran_order, &header.shape);
  read_type(descr, where, &header);
  header.data_begin = begin + length;
  return header;
}

void swap_bytes(std::byte* data, std::size_t count, std::size_t size) {
  for (std::size_t i = 0; i < count; ++i) std::reverse(data + i * size, data + (i + 1) * size);
}

/// Column-major to row-major: walks the result in order and follows the source's strides.
void copy_fortran(const std::byte* source, const Shape& shape, std::size_t size, std::byte* out) {
  std::vector<std::int64_t> stride(shape.size()), index(shape.size(), 0);
  std::int64_t step = 1;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    stride[axis] = step;
    step *= shape[axis];
  }
  std::int64_t offset = 0;
  for (std::int64_t i = 0; i < step; ++i) {
    std::memcpy(out + static_cast<std::size_t>(i) * size,
                source + static_cast<std::size_t>(offset) * size, size);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      offset += stride[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= stride[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes, const std::string& where) {
  const Header header = read_header(bytes, where);
  const std::size_t size = element_size(header.type);
  const std::size_t available = bytes.size() - header.data_begin;
  std::int64_t count = 0;
  try {
    count = element_count(header.shape);
  } catch (const Error& error) {
    fail(where, fmt::format("shape {}: {}", to_string(header.shape), error.what()));
  }
  if (static_cast<std::uint64_t>(count) > available / size) {
    fail(where,
         fmt::format("the .npy file is truncated: {} {} take {} elements, {} are there",
                     element_name(header.type), to_string(header.shape), count, available / size));
  }
  if (static_cast<std::size_t>(count) * size != available) {
    fail(where, fmt::format("{} bytes follow the array's last element",
                            available - static_cast<std::size_t>(count) * size));
  }
  Tensor tensor(header.type, header.shape);
  const std::byte* source = bytes.data() + header.data_begin;
  auto* out = static_cast<std::byte*>(tensor.raw());
  if (header.fortran_order && header.shape.size() > 1) {
    copy_fortran(source, header.shape, size, out);
  } else if (count > 0) {
    std::memcpy(out, source, available);
  }
  if (header.big_endian) swap_bytes(out, static_cast<std::size_t>(count), size);
  if (header.type == ElementType::boolean) {
    std::transform(out, out + count, out,
                   [](std::byte b) { return b == std::byte{0} ? std::byte{0} : std::byte{1}; });
  }
  return tensor;
}

Tensor read_npy(const std::filesystem::path& path) {
  return parse_npy(read_bytes(path), path.string());
}

void write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  ElementType type = tensor.type();
  Tensor data = tensor;
  if (type == ElementType::bf16) {
    type = ElementType::f32;
    data = Tensor(type, tensor.shape());
    auto out = data.data<float>();
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<float>(value_at(tensor, static_cast<std::int64_t>(i)));
    }
  } else if (type == ElementType::u4 || type == ElementType::u2) {
    type = ElementType::u8;
  } else if (type == ElementType::s4 || type == ElementType::s2) {
    type = ElementType::s8;
  }
  const auto* known = std::find_if(std::begin(type_codes), std::end(type_codes),
                                   [&](const TypeCode& code) { return code.type == type; });
  if (known == std::end(type_codes)) {
    fail(path.string(),
         fmt::format("an array of {} cannot be written as .npy", element_name(type)));
  }
  std::string shape;
  for (const std::int64_t extent : tensor.shape()) shape += fmt::format("{}, ", extent);
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                   element_size(type) == 1 ? '|' : '<', known->code, shape);
  // NumPy aligns the data to 64 bytes; the header ends with a newline.
  header.append(63 - (magic.size() + 4 + header.size()) % 64, ' ');
  header += '\n';
  std::string text(magic);
  text +=
      {'\1', '\0', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  text += header;
  static_assert(std::endian::native == std::endian::little);
  text.append(static_cast<const char*>(data.raw()), data.bytes());
  write_text(path, text);
}

}  // namespace intact::tools
