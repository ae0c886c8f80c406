// Charts as SVG or PNG (canvas.hpp).
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

/// Numbers along a model; those that are not finite are drawn at the upper edge.
struct Curve {
  std::string label;
  std::vector<double> values;
};
/// Curves of one measure over places of their own number, from the first to the last.
struct CurvePanel {
  std::string title, unit;
  std::vector<Curve> curves;
};

/// Panels side by side, and below them the curves if there are any. Bars of the label "float" have
/// a colour of their own; the others, and the curves, have equal colours for equal positions.
/// Throws Error when the file cannot be written.
void write_chart(const std::filesystem::path& path, const std::string& title,
                 const std::vector<Panel>& panels, const CurvePanel& curves = {});

}  // namespace intact::tools
