// Places of bars, curves and their labels; see chart.hpp.
#include "tools/chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tools/canvas.hpp"

namespace intact::tools {
namespace {

constexpr std::array<std::uint32_t, 6> colours = {0x4c78a8, 0xf58518, 0x54a24b,
                                                  0xb279a2, 0xe45756, 0x72b7b2};
constexpr std::uint32_t axis_colour = 0x888888;
constexpr int bar_width = 46, gap = 18, panel_gap = 36, top = 78, height = 200, bottom = 46;
using Align = Canvas::Align;

/// The first is the float model's.
std::uint32_t colour_of(std::size_t i) {
  return colours[i % colours.size()];
}

int width_of(const Panel& panel) {
  return std::max(140, static_cast<int>(panel.bars.size()) * (bar_width + gap) + gap);
}

void draw(Canvas& canvas, const Panel& panel, int left) {
  double greatest = 0;
  for (const Bar& bar : panel.bars)
    if (std::isfinite(bar.value)) greatest = std::max(greatest, bar.value);
  const int bars = static_cast<int>(panel.bars.size()), width = width_of(panel);
  const double base = top + height;
  canvas.text(left + width / 2.0, top - 24, 13, Align::middle, panel.title);
  canvas.line({{left, base}, {left + width, base}}, axis_colour);
  int x = left + (width - bars * bar_width - (bars - 1) * gap) / 2;
  const std::size_t first_colour = bars > 0 && panel.bars[0].label == "float" ? 0 : 1;
  for (std::size_t i = 0; i < panel.bars.size(); ++i, x += bar_width + gap) {
    const Bar& bar = panel.bars[i];
    const double share = greatest > 0 && std::isfinite(bar.value) ? bar.value / greatest : 0;
    const double length = std::max(0.0, share) * height, middle = x + bar_width / 2.0;
    canvas.rectangle(x, base - length, bar_width, length, colour_of(first_colour + i));
    canvas.text(middle, base - length - 5, 11, Align::middle,
                fmt::format("{:.4g}{}", bar.value, panel.unit));
    canvas.text(middle, base + 17, 11, Align::middle, bar.label);
  }
}

/// Between two lines at round numbers; `above` is where the chart before it ends.
void draw(Canvas& canvas, const CurvePanel& panel, int width, int above) {
  double least = 0, greatest = 1;
  for (const Curve& curve : panel.curves)
    for (const double value : curve.values)
      if (std::isfinite(value)) {
        least = std::min(least, value);
        greatest = std::max(greatest, value);
      }
  const double step = std::pow(10, std::floor(std::log10(greatest - least)));
  least = std::floor(least / step) * step;
  greatest = std::ceil(greatest / step) * step;
  const double left = panel_gap + 20, right = width - panel_gap, base = above + top + height;
  const auto y = [&](double value) {
    return base - (std::min(value, greatest) - least) / (greatest - least) * height;
  };
  canvas.text(width / 2.0, above + 28, 13, Align::middle, panel.title);
  for (double value = least; value < greatest + step / 2; value += step) {
    canvas.line({{left, y(value)}, {right, y(value)}}, 0xdddddd);
    canvas.text(left - 5, y(value) + 4, 11, Align::right, fmt::format("{:g}{}", value, panel.unit));
  }
  for (std::size_t i = 0; i < panel.curves.size(); ++i) {
    const Curve& curve = panel.curves[i];
    const double last = std::max<double>(static_cast<double>(curve.values.size()) - 1, 1);
    std::vector<std::pair<double, double>> points;
    for (std::size_t k = 0; k < curve.values.size(); ++k)
      points.emplace_back(left + static_cast<double>(k) / last * (right - left),
                          y(curve.values[k]));
    canvas.line(std::move(points), colour_of(i + 1));
    const double x = left + 150.0 * static_cast<double>(i);
    canvas.rectangle(x, base + 22, 10, 10, colour_of(i + 1));
    canvas.text(x + 15, base + 31, 11, Align::left, curve.label);
  }
}

}  // namespace

void write_chart(const std::filesystem::path& path, const std::string& title,
                 const std::vector<Panel>& panels, const CurvePanel& curves) {
  int width = panel_gap;
  for (const Panel& panel : panels) width += width_of(panel) + panel_gap;
  const int rows = curves.curves.empty() ? 1 : 2;
  Canvas canvas(width, rows * (top + height + bottom));
  canvas.text(width / 2.0, 28, 16, Align::middle, title);
  int left = panel_gap;
  for (const Panel& panel : panels) {
    draw(canvas, panel, left);
    left += width_of(panel) + panel_gap;
  }
  if (rows > 1) draw(canvas, curves, width, top + height + bottom);
  canvas.write(path);
}

}  // namespace intact::tools
