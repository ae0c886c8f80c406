// Tensor data that lies in files beside the model. A location in a model is untrusted: only regular
// files inside the model's folder are read, which is decided on the opened file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "graph/onnx/mapped_file.hpp"
#include "intact/tensor.hpp"

namespace intact {

class ExternalData {
 public:
  /// Without a folder every request is refused.
  explicit ExternalData(std::optional<std::filesystem::path> folder) : folder_(std::move(folder)) {}

  /// The bytes [offset, offset + length) of a file, to its end when no length is given. Throws
  /// Error naming `where` for a location that is absolute, contains "..", or leaves the folder
  /// through a link, and for a range outside of the file. The bytes live as long as this object.
  std::span<const std::byte> read(const std::string& location, std::int64_t offset,
                                  std::optional<std::int64_t> length, const std::string& where);

  /// What `copy` makes of bytes that read() gave, as `count` elements of this type: once, however
  /// many tensors name them. Throws Error naming `where` when the ranges overlap so much that the
  /// copies hold more bytes than the files.
  template <class Copy>
  const Tensor& share(std::span<const std::byte> bytes, ElementType type, std::int64_t count,
                      const std::string& where, const Copy& copy) {
    const auto [known, is_new] = tensors_.try_emplace({bytes.data(), type, count});
    if (is_new) {
      count_copy(bytes.size(), where);
      known->second = copy();
    }
    return known->second;
  }

  /// Size of all files that were read.
  std::size_t file_bytes() const;

 private:
  void count_copy(std::size_t bytes, const std::string& where);

  std::optional<std::filesystem::path> folder_;
  using FileId = std::pair<std::uint64_t, std::uint64_t>;  ///< device, inode
  std::map<FileId, MappedFile> files_;
  std::map<std::string, const MappedFile*> by_location_;
  std::map<std::tuple<const std::byte*, ElementType, std::int64_t>, Tensor> tensors_;
  std::size_t copied_bytes_ = 0;
};

}  // namespace intact
