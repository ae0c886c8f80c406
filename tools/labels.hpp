// Names of classes, and the true classes of images or samples. The lines of a labels file tell what
// it is:
//   tench                      name of class 0, 1, ... by line
//   17<TAB>tench               class and name
//   a.jpg<TAB>17[<TAB>tench]   true class of a file [and its name]
//   17                         true class of sample 0, 1, ... by line, when all lines are numbers
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace intact::tools {

class Labels {
 public:
  Labels() = default;
  /// Throws Error naming file and line when lines of different kinds are mixed.
  explicit Labels(const std::filesystem::path& path);

  /// The class's name; "class 17" when the file has none.
  std::string name(std::int64_t index) const;
  /// The true class of a sample: by its file name without folders, or by its position.
  std::optional<std::int64_t> true_class(const std::string& file, int position) const;

 private:
  void add_line(const std::string& line, const std::string& where);

  std::map<std::int64_t, std::string> names_;
  std::map<std::string, std::int64_t> classes_by_file_;
  std::vector<std::int64_t> classes_by_position_;
};

}  // namespace intact::tools
