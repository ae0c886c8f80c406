// Tables of text with aligned columns.
#pragma once

#include <string>
#include <vector>

namespace intact::tools {

class Table {
 public:
  enum class Align { left, right };
  void column(std::string title, Align align = Align::left);
  /// One cell per column.
  void row(std::vector<std::string> cells);
  /// Columns as wide as their widest cell, two spaces apart, a line below the titles.
  std::string text() const;

 private:
  std::vector<std::string> titles_;
  std::vector<Align> aligns_;
  std::vector<std::vector<std::string>> rows_;
};

/// At most `width` characters; the middle of longer texts is replaced by "..".
std::string shorten(const std::string& text, std::size_t width);

}  // namespace intact::tools
