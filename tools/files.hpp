// Whole files in and out, with complete errors.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace intact::tools {

/// Throws Error when the file is missing, a folder, or unreadable.
std::vector<std::byte> read_bytes(const std::filesystem::path& path);
std::string read_text(const std::filesystem::path& path);
/// Throws Error when the file cannot be written completely.
void write_text(const std::filesystem::path& path, std::string_view text);

/// Regular files of a folder whose extension (lower case, with the dot) is in `extensions`, sorted
/// by name. Throws Error when the folder cannot be read.
std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder,
                                            const std::vector<std::string>& extensions);
std::string lower_extension(const std::filesystem::path& path);

}  // namespace intact::tools
