// Ranges of tensors in a JSON file that people edit: {"tensor": {"min": -1.5, "max": 2}, ...}.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "intact/quantize.hpp"

namespace intact::tools {

/// Throws Error naming the file and the entry when it is not of this form or empty.
std::map<std::string, ValueRange> read_ranges(const std::filesystem::path& path);
/// Reading gives the same ranges to the bit.
void write_ranges(const std::filesystem::path& path,
                  const std::map<std::string, ValueRange>& ranges);

}  // namespace intact::tools
