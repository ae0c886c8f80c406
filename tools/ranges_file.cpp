// See ranges_file.hpp.
#include "tools/ranges_file.hpp"

#include <fmt/format.h>

#include "intact/error.hpp"
#include "tools/common.hpp"
#include "tools/files.hpp"

namespace intact::tools {

std::map<std::string, ValueRange> read_ranges(const std::filesystem::path& path) {
  const Json json = Json::parse(read_text(path), nullptr, false);
  const std::string form = "expected {\"tensor\": {\"min\": -1.5, \"max\": 2}, ...}";
  if (!json.is_object() || json.empty())
    throw Error(fmt::format("{}: no JSON object of ranges; {}", path.string(), form));
  std::map<std::string, ValueRange> ranges;
  for (const auto& [name, range] : json.items()) {
    const bool fits = range.is_object() && range.size() == 2 && range.contains("min") &&
                      range.contains("max") && range["min"].is_number() && range["max"].is_number();
    if (!fits)
      throw Error(fmt::format("{}: the range of '{}' has no form that is known; {}", path.string(),
                              name, form));
    ranges[name] = {range["min"].get<float>(), range["max"].get<float>()};
  }
  return ranges;
}

void write_ranges(const std::filesystem::path& path,
                  const std::map<std::string, ValueRange>& ranges) {
  Json json = Json::object();
  for (const auto& [name, range] : ranges) json[name] = {{"min", range.min}, {"max", range.max}};
  write_json(path, json);
}

}  // namespace intact::tools
