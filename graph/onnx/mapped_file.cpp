// Read-only mappings of whole files.
#include "graph/onnx/mapped_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "intact/error.hpp"

namespace intact {

MappedFile::MappedFile(const std::filesystem::path& path) {
  // Non-blocking, so that a FIFO without a writer is refused below instead of waited for.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    throw Error(fmt::format("cannot open {}: {}", path.string(), std::strerror(errno)));
  map(descriptor, path.string());
}

MappedFile::MappedFile(int descriptor, const std::string& name) {
  map(descriptor, name);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::map(int descriptor, const std::string& name) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw Error(fmt::format("{} is not a regular file", name));
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ > 0) {
    void* memory = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE | MAP_POPULATE, descriptor, 0);
    if (memory == MAP_FAILED) {
      const int reason = errno;
      ::close(descriptor);
      throw Error(fmt::format("cannot map {}: {}", name, std::strerror(reason)));
    }
    data_ = static_cast<const std::byte*>(memory);
  }
  ::close(descriptor);
}

}  // namespace intact
