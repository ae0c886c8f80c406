// .npz files: zip archives of .npy files. Only what NumPy writes: stored or deflated entries, zip64
// sizes, no encryption. Sizes come from the central directory.
#include <fmt/format.h>
#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

#include "intact/error.hpp"
#include "tools/files.hpp"
#include "tools/npy.hpp"

namespace intact::tools {
namespace {

struct Entry {
  std::string name;
  std::uint32_t method = 0;
  std::uint64_t packed = 0, unpacked = 0, local_header = 0;
};

/// Little-endian fields of an archive; reading beyond its end is an error, never undefined.
class Archive {
 public:
  Archive(std::span<const std::byte> bytes, std::string where)
      : bytes_(bytes), where_(std::move(where)) {}

  [[noreturn]] void fail(const std::string& why) const {
    throw Error(fmt::format("{}: {}", where_, why));
  }
  std::span<const std::byte> slice(std::uint64_t begin, std::uint64_t size) const {
    if (begin > bytes_.size() || size > bytes_.size() - begin) {
      fail("the .npz file is truncated or its directory is broken");
    }
    return bytes_.subspan(begin, size);
  }
  std::uint64_t field(std::uint64_t begin, int size) const {
    const auto bytes = slice(begin, static_cast<std::uint64_t>(size));
    std::uint64_t value = 0;
    for (int i = size; i-- > 0;)
      value = value << 8 | static_cast<std::uint64_t>(bytes[static_cast<std::size_t>(i)]);
    return value;
  }
  std::string text(std::uint64_t begin, std::uint64_t size) const {
    const auto bytes = slice(begin, size);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::size_t size() const { return bytes_.size(); }
  const std::string& where() const { return where_; }

 private:
  std::span<const std::byte> bytes_;
  std::string where_;
};

/// The end-of-central-directory record lies in the last 64 KiB, before a comment.
std::uint64_t find_end_record(const Archive& archive) {
  constexpr std::uint64_t length = 22;
  if (archive.size() >= length) {
    const std::uint64_t last = archive.size() - length;
    for (std::uint64_t back = 0; back <= last && back <= 0xFFFF; ++back) {
      if (archive.field(last - back, 4) == 0x06054b50) return last - back;
    }
  }
  archive.fail("is not a .npz file (no zip directory at its end)");
}

/// Replaces 32-bit fields of all ones by the 64-bit ones of the zip64 extra field.
void apply_zip64(const Archive& archive, std::uint64_t extra, std::uint64_t size, Entry* entry) {
  constexpr std::uint64_t absent = 0xFFFFFFFF;
  const std::uint64_t end = extra + size;
  while (extra + 4 <= end) {
    const std::uint64_t id = archive.field(extra, 2), length = archive.field(extra + 2, 2);
    std::uint64_t at = extra + 4;
    if (id == 1) {
      for (std::uint64_t* value : {&entry->unpacked, &entry->packed, &entry->local_header}) {
        if (*value != absent) continue;
        *value = archive.field(at, 8);
        at += 8;
      }
    }
    extra += 4 + length;
  }
}

std::vector<Entry> read_directory(const Archive& archive) {
  const std::uint64_t end = find_end_record(archive);
  const std::uint64_t count = archive.field(end + 10, 2);
  std::uint64_t at = archive.field(end + 16, 4);
  if (count == 0xFFFF || at == 0xFFFFFFFF)
    archive.fail("is a .npz file beyond 4 GiB, which is not supported");
  std::vector<Entry> entries;
  std::uint64_t packed = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (archive.field(at, 4) != 0x02014b50)
      archive.fail("the directory of the .npz file is broken");
    if ((archive.field(at + 8, 2) & 1) != 0) archive.fail("the .npz file is encrypted");
    const std::uint64_t name = archive.field(at + 28, 2), extra = archive.field(at + 30, 2),
                        comment = archive.field(at + 32, 2);
    Entry entry;
    entry.name = archive.text(at + 46, name);
    entry.method = static_cast<std::uint32_t>(archive.field(at + 10, 2));
    entry.packed = archive.field(at + 20, 4);
    entry.unpacked = archive.field(at + 24, 4);
    entry.local_header = archive.field(at + 42, 4);
    apply_zip64(archive, at + 46 + name, extra, &entry);
    // Else a small file could hold one large array under thousands of names.
    if (entry.packed > archive.size() - packed)
      archive.fail("the entries of the .npz file overlap");
    packed += entry.packed;
    entries.push_back(std::move(entry));
    at += 46 + name + extra + comment;
  }
  return entries;
}

std::vector<std::byte> inflate_entry(const Archive& archive, const Entry& entry,
                                     std::span<const std::byte> packed) {
  // Deflate cannot shrink by more than 1032 to 1, so a larger claim is a lie.
  if (entry.unpacked / 1032 > entry.packed + 1 ||
      entry.unpacked > std::numeric_limits<uInt>::max() ||
      entry.packed > std::numeric_limits<uInt>::max()) {
    archive.fail(fmt::format("entry '{}' claims an impossible size of {} bytes", entry.name,
                             entry.unpacked));
  }
  std::vector<std::byte> out(entry.unpacked);
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) archive.fail("zlib could not start");
  // zlib takes a pointer to non-const and does not write through it.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = inflate(&stream, Z_FINISH);
  const bool complete = status == Z_STREAM_END && stream.total_out == out.size();
  inflateEnd(&stream);
  if (!complete) archive.fail(fmt::format("entry '{}' is damaged", entry.name));
  return out;
}

Tensor read_entry(const Archive& archive, const Entry& entry) {
  const std::uint64_t header = entry.local_header;
  if (archive.field(header, 4) != 0x04034b50)
    archive.fail("the directory of the .npz file is broken");
  const std::uint64_t begin =
      header + 30 + archive.field(header + 26, 2) + archive.field(header + 28, 2);
  const auto packed = archive.slice(begin, entry.packed);
  const std::string where = archive.where() + ", entry '" + entry.name + "'";
  if (entry.method == 0) return parse_npy(packed, where);
  if (entry.method == 8) return parse_npy(inflate_entry(archive, entry, packed), where);
  archive.fail(fmt::format("entry '{}' uses zip method {}; stored and deflated are supported",
                           entry.name, entry.method));
}

}  // namespace

NamedArrays parse_npz(std::span<const std::byte> bytes, const std::string& where) {
  const Archive archive(bytes, where);
  NamedArrays arrays;
  for (const Entry& entry : read_directory(archive)) {
    std::string name = entry.name;
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    arrays.emplace_back(std::move(name), read_entry(archive, entry));
  }
  if (arrays.empty()) archive.fail("the .npz file holds no array");
  return arrays;
}

NamedArrays read_npz(const std::filesystem::path& path) {
  return parse_npz(read_bytes(path), path.string());
}

}  // namespace intact::tools
