// Labels files; see labels.hpp.
#include "tools/labels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "intact/error.hpp"
#include "tools/files.hpp"

namespace intact::tools {
namespace {

std::optional<std::int64_t> class_number(const std::string& text) {
  std::int64_t value = -1;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stop != end || value < 0) return std::nullopt;
  return value;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> fields_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> fields;
  for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
  return fields;
}

}  // namespace

Labels::Labels(const std::filesystem::path& path) {
  const auto lines = lines_of(read_text(path));
  const bool tabs = std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.find('\t') != std::string::npos;
  });
  const bool numbers = !lines.empty() && std::all_of(lines.begin(), lines.end(), class_number);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    if (tabs)
      add_line(lines[i], fmt::format("{}: line {}", path.string(), i + 1));
    else if (numbers)
      classes_by_position_.push_back(*class_number(lines[i]));
    else
      names_[static_cast<std::int64_t>(i)] = lines[i];
  }
  if (names_.empty() && classes_by_file_.empty() && classes_by_position_.empty()) {
    throw Error(fmt::format("{}: the labels file is empty", path.string()));
  }
}

void Labels::add_line(const std::string& line, const std::string& where) {
  const auto fields = fields_of(line);
  const auto first = class_number(fields[0]);
  const auto second = fields.size() > 1 ? class_number(fields[1]) : std::nullopt;
  if (second && (fields.size() == 3 || (fields.size() == 2 && !first))) {
    classes_by_file_[fields[0]] = *second;
    if (fields.size() == 3) names_[*second] = fields[2];
  } else if (first && fields.size() == 2) {
    names_[*first] = fields[1];
  } else {
    throw Error(fmt::format("{} must be 'class<TAB>name' or 'file<TAB>class<TAB>name'", where));
  }
}

std::string Labels::name(std::int64_t index) const {
  const auto found = names_.find(index);
  return found != names_.end() ? found->second : fmt::format("class {}", index);
}

std::optional<std::int64_t> Labels::true_class(const std::string& file, int position) const {
  const auto found = classes_by_file_.find(file);
  if (found != classes_by_file_.end()) return found->second;
  if (position >= 0 && static_cast<std::size_t>(position) < classes_by_position_.size()) {
    return classes_by_position_[static_cast<std::size_t>(position)];
  }
  return std::nullopt;
}

}  // namespace intact::tools
