// Bar charts as SVG; see chart.hpp.
#include "tools/chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "tools/files.hpp"

namespace intact::tools {
namespace {

constexpr std::array<std::string_view, 6> colours = {"#4c78a8", "#f58518", "#54a24b",
                                                     "#b279a2", "#e45756", "#72b7b2"};
constexpr int bar_width = 46, gap = 18, panel_gap = 36, top = 78, height = 200, bottom = 46;

std::string draw_panel(const Panel& panel, int left, int* right) {
  double greatest = 0;
  for (const Bar& bar : panel.bars) {
    if (std::isfinite(bar.value)) greatest = std::max(greatest, bar.value);
  }
  const int bars = static_cast<int>(panel.bars.size());
  const int width = std::max(140, bars * (bar_width + gap) + gap);
  const int base = top + height;
  std::string out =
      fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"13\" text-anchor=\"middle\">{}</text>\n",
                  left + width / 2, top - 24, escape_xml(panel.title));
  out += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"#888\"/>\n", left,
                     base, left + width, base);
  const int first = left + (width - bars * bar_width - (bars - 1) * gap) / 2;
  for (int i = 0; i < bars; ++i) {
    const Bar& bar = panel.bars[static_cast<std::size_t>(i)];
    const double share = greatest > 0 && std::isfinite(bar.value) ? bar.value / greatest : 0;
    const double length = std::max(0.0, share) * height;
    const int x = first + i * (bar_width + gap), middle = x + bar_width / 2;
    out += fmt::format("<rect x=\"{}\" y=\"{:.1f}\" width=\"{}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
                       x, base - length, bar_width, length,
                       colours[static_cast<std::size_t>(i) % colours.size()]);
    out += fmt::format(
        "<text x=\"{}\" y=\"{:.1f}\" font-size=\"11\" text-anchor=\"middle\">{:.4g}{}</text>\n",
        middle, base - length - 5, bar.value, escape_xml(panel.unit));
    out +=
        fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"11\" text-anchor=\"middle\">{}</text>\n",
                    middle, base + 17, escape_xml(bar.label));
  }
  *right = left + width;
  return out;
}

}  // namespace

std::string escape_xml(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += ' ';
    else
      out += c;
  }
  return out;
}

void write_bar_chart(const std::filesystem::path& path, const std::string& title,
                     const std::vector<Panel>& panels) {
  std::string body;
  int right = 0;
  for (const Panel& panel : panels) body += draw_panel(panel, right + panel_gap, &right);
  const int width = right + panel_gap;
  write_text(path, fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
                               "width=\"{0}\" height=\"{1}\" font-family=\"sans-serif\">\n"
                               "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
                               "<text x=\"{2}\" y=\"28\" font-size=\"16\" "
                               "text-anchor=\"middle\">{3}</text>\n{4}</svg>\n",
                               width, top + height + bottom, width / 2, escape_xml(title), body));
}

}  // namespace intact::tools
