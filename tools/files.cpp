// Files in and out; see files.hpp.
#include "tools/files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "intact/error.hpp"

namespace intact::tools {

std::vector<std::byte> read_bytes(const std::filesystem::path& path) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (!std::filesystem::exists(status)) {
    throw Error(fmt::format("{}: no such file", path.string()));
  }
  if (std::filesystem::is_directory(status)) {
    throw Error(fmt::format("{}: is a folder, but a file is expected", path.string()));
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error(fmt::format("{}: cannot be opened: {}", path.string(), strerror(errno)));
  // Read in blocks: the length that a special file reports says nothing about its content.
  std::vector<std::byte> bytes;
  constexpr std::size_t block = std::size_t{1} << 20;
  while (stream) {
    const std::size_t old = bytes.size();
    bytes.resize(old + block);
    stream.read(reinterpret_cast<char*>(bytes.data() + old), std::streamsize{block});
    bytes.resize(old + static_cast<std::size_t>(stream.gcount()));
  }
  if (stream.bad()) throw Error(fmt::format("{}: cannot be read", path.string()));
  return bytes;
}

std::string read_text(const std::filesystem::path& path) {
  const auto bytes = read_bytes(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  if (!stream) {
    throw Error(fmt::format("{}: cannot be written: {}", path.string(), strerror(errno)));
  }
  stream.write(text.data(), static_cast<std::streamsize>(text.size()));
  stream.close();
  if (!stream) throw Error(fmt::format("{}: could not be written completely", path.string()));
}

std::string lower_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder,
                                            const std::vector<std::string>& extensions) {
  std::vector<std::filesystem::path> found;
  std::error_code code;
  for (std::filesystem::directory_iterator it(folder, code), end; !code && it != end;
       it.increment(code)) {
    const auto wanted =
        std::find(extensions.begin(), extensions.end(), lower_extension(it->path()));
    std::error_code ignored;
    if (wanted != extensions.end() && it->is_regular_file(ignored)) found.push_back(it->path());
  }
  if (code) {
    throw Error(fmt::format("{}: folder cannot be read: {}", folder.string(), code.message()));
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace intact::tools
