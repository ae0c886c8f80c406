// Bar charts as SVG.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace intact::tools {

struct Bar {
  std::string label;
  double value = 0;
};
/// One measure with its own scale: bars start at zero.
struct Panel {
  std::string title, unit;
  std::vector<Bar> bars;
};

/// Panels side by side, equal colours for equal positions. Throws Error when the file cannot be
/// written.
void write_bar_chart(const std::filesystem::path& path, const std::string& title,
                     const std::vector<Panel>& panels);
/// Text with the characters that XML reserves replaced.
std::string escape_xml(const std::string& text);

}  // namespace intact::tools
