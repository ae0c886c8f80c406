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

#include "graph/onnx/mapped_file.hpp"

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

  /// Size of all files that were read.
  std::size_t file_bytes() const;

 private:
  std::optional<std::filesystem::path> folder_;
  std::map<std::string, MappedFile> files_;
};

}  // namespace intact
