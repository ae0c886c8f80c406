// Opening external data inside the model's folder only.
#include "graph/onnx/external_data.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/checked.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }

 private:
  int value_;
};

void check_location(const std::string& location, const std::string& where) {
  const auto refuse = [&](const char* reason) {
    throw Error(fmt::format(
        "{}: external data location '{}' {}; it must be a path inside the model's folder", where,
        location.c_str(), reason));
  };
  if (location.empty()) refuse("is empty");
  if (location.find('\0') != std::string::npos) refuse("contains a NUL byte");
  const fs::path path(location);
  if (path.is_absolute()) refuse("is absolute");
  for (const fs::path& part : path)
    if (part == "..") refuse("contains '..'");
}

/// Where an open descriptor really lies, links resolved.
fs::path real_path(const Descriptor& descriptor, const std::string& where) {
  std::error_code failed;
  fs::path path = fs::read_symlink(fmt::format("/proc/self/fd/{}", descriptor.get()), failed);
  if (failed)
    throw Error(fmt::format(
        "{}: cannot tell where external data lies without /proc, so it is not read", where));
  return path;
}

bool lies_inside(const fs::path& path, const fs::path& folder) {
  auto part = path.begin();
  for (const fs::path& wanted : folder) {
    if (wanted.empty()) continue;  // behind a trailing slash
    if (part == path.end() || *part != wanted) return false;
    ++part;
  }
  return part != path.end();
}

struct OpenedFile {
  std::uint64_t device = 0, inode = 0;
  MappedFile file;
};

OpenedFile open_inside(const fs::path& folder, const std::string& location,
                       const std::string& where) {
  check_location(location, where);
  const fs::path directory = folder.empty() ? fs::path(".") : folder;
  const Descriptor root(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  // O_PATH finds the file without opening it, so nothing outside (a FIFO, a device) is disturbed.
  const Descriptor found(
      root.get() < 0 ? -1 : ::openat(root.get(), location.c_str(), O_PATH | O_CLOEXEC));
  if (found.get() < 0)
    throw Error(fmt::format("{}: cannot open external data '{}' in {}: {}", where, location,
                            directory.string(), std::strerror(errno)));
  if (!lies_inside(real_path(found, where), real_path(root, where)))
    throw Error(
        fmt::format("{}: external data '{}' leads out of the model's folder; it must lie inside",
                    where, location));
  struct stat status {};
  if (::fstat(found.get(), &status) != 0 || !S_ISREG(status.st_mode))
    throw Error(fmt::format("{}: external data '{}' is not a regular file", where, location));
  // Through the descriptor: the very file that was judged, whatever the name points to by now.
  const std::string same_file = fmt::format("/proc/self/fd/{}", found.get());
  const int descriptor = ::open(same_file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    throw Error(fmt::format("{}: cannot read external data '{}': {}", where, location,
                            std::strerror(errno)));
  return {status.st_dev, status.st_ino, MappedFile(descriptor, location)};
}

}  // namespace

std::span<const std::byte> ExternalData::read(const std::string& location, std::int64_t offset,
                                              std::optional<std::int64_t> length,
                                              const std::string& where) {
  if (!folder_)
    throw Error(fmt::format(
        "{}: its data is external, which a model in memory cannot have; load it from a file",
        where));
  const MappedFile*& file = by_location_[location];
  if (file == nullptr) {
    OpenedFile opened = open_inside(*folder_, location, where);
    // Under another name the file may be known already.
    file = &files_.try_emplace({opened.device, opened.inode}, std::move(opened.file)).first->second;
  }
  const std::span<const std::byte> bytes = file->bytes();
  const auto size = static_cast<std::int64_t>(bytes.size());
  const std::int64_t wanted = length.value_or(offset <= size ? size - offset : 0);
  std::int64_t end = 0;
  if (offset < 0 || wanted < 0 || !checked_add(offset, wanted, &end) || offset > size || end > size)
    throw Error(
        fmt::format("{}: external data wants {} bytes from offset {}, but '{}' has {} bytes", where,
                    wanted, offset, location, size));
  return bytes.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(wanted));
}

void ExternalData::count_copy(std::size_t bytes, const std::string& where) {
  const std::size_t most = file_bytes();  // copies of ranges that do not overlap fit into it
  if (bytes > most - copied_bytes_)
    throw Error(fmt::format(
        "{}: the ranges of external data overlap: together they have more than the {} bytes of the "
        "files; each byte may belong to one tensor, or to several with the same range",
        where, most));
  copied_bytes_ += bytes;
}

std::size_t ExternalData::file_bytes() const {
  std::size_t total = 0;
  for (const auto& [id, file] : files_) total += file.bytes().size();
  return total;
}

}  // namespace intact
