// A file's bytes, mapped read-only so that weights are copied once: from the page cache into their
// tensors.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace intact {

class MappedFile {
 public:
  /// Throws Error naming the path when it cannot be read or is not a regular file.
  explicit MappedFile(const std::filesystem::path& path);
  /// Takes over an open descriptor; `name` is for messages.
  MappedFile(int descriptor, const std::string& name);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  void map(int descriptor, const std::string& name);
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace intact
