// The quantizer's report as one HTML file without scripts or links: what stays float, the noise of
// operators, and each grid with the distribution of its values.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/canvas.hpp"
#include "tools/quantize_report.hpp"

namespace intact::tools {
namespace {

constexpr int plot_width = 256, plot_height = 36;

constexpr const char* style = R"(
body{font:14px sans-serif;margin:24px}table{border-collapse:collapse;margin-top:24px}
th,td{text-align:left;padding:3px 10px;border-bottom:1px solid #ddd}td.n,th.n{text-align:right}
svg{background:#f4f4f4}svg path{fill:#4878a8}svg rect{fill:#cfe8cf})";

std::string decibels(std::optional<double> value) {
  if (!value) return "";
  return std::isfinite(*value) ? fmt::format("{:.1f}", *value) : "exact";
}

/// Counts on a logarithmic scale over the observed values, the grid's range shaded behind.
std::string plot(const TensorReport& tensor) {
  if (tensor.histogram.empty()) return "";
  const double first = static_cast<double>(tensor.values.min);
  const double extent = static_cast<double>(tensor.values.max) - first;
  const auto x_of = [&](float value) {
    const double share = extent > 0 ? (static_cast<double>(value) - first) / extent : 0;
    return plot_width * std::clamp(share, 0.0, 1.0);
  };
  const double low = x_of(tensor.range.min), high = x_of(tensor.range.max);
  const std::uint64_t most = *std::max_element(tensor.histogram.begin(), tensor.histogram.end());
  const auto height_of = [&](std::uint64_t count) {
    return plot_height * std::log1p(static_cast<double>(count)) /
           std::log1p(static_cast<double>(std::max<std::uint64_t>(most, 1)));
  };
  const double bar = static_cast<double>(plot_width) / static_cast<double>(tensor.histogram.size());
  std::string bars;
  for (std::size_t i = 0; i < tensor.histogram.size(); ++i)
    if (tensor.histogram[i] > 0)
      bars += fmt::format("M{:.1f} {}h{:.1f}v-{:.1f}h-{:.1f}z", static_cast<double>(i) * bar,
                          plot_height, bar, height_of(tensor.histogram[i]), bar);
  return fmt::format(
      "<svg width=\"{}\" height=\"{}\"><rect x=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\"/>"
      "<path d=\"{}\"/></svg>",
      plot_width, plot_height, low, high - low, plot_height, bars);
}

std::string summary(const QuantizeReport& report) {
  std::string text = fmt::format(
      "<p>Method {}, {} samples. {} operators quantized, {} kept float. ",
      escape_xml(report.method), report.samples, report.quantized.size(), report.kept_float.size());
  if (report.sqnr_db)
    text += fmt::format("Signal to noise {} dB; {:.2f} % of rows with another class. ",
                        decibels(report.sqnr_db), report.disagreement.value_or(0) * 100);
  text += fmt::format("{} bytes, of the float model's {}.</p>\n", report.int8_bytes,
                      report.float_bytes);
  for (const auto& [name, reason] : report.kept_apart)
    text += fmt::format("<p>Kept apart: {}, for {}.</p>\n", escape_xml(name), escape_xml(reason));
  for (const std::string& note : report.notes) text += fmt::format("<p>{}</p>\n", escape_xml(note));
  return text;
}

std::string operator_table(const QuantizeReport& report) {
  std::string out =
      "<h2>Operators</h2><table><tr><th>name</th><th>operator</th><th>precision</th>"
      "<th class=\"n\">signal to noise, dB</th><th class=\"n\">gain in float, dB</th>"
      "<th>reason</th></tr>\n";
  for (const OperatorReport* entry : by_gain(report))
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>"
        "<td>{}</td></tr>\n",
        escape_xml(entry->name), escape_xml(entry->op), entry->integer ? "int8" : "float",
        decibels(entry->sqnr_db), decibels(entry->float_gain_db), escape_xml(entry->reason));
  return out + "</table>\n";
}

std::string tensor_table(const QuantizeReport& report) {
  std::string out =
      "<h2>Tensors on grids</h2><table><tr><th>name</th><th>values</th><th>range</th>"
      "<th class=\"n\">scale</th><th class=\"n\">zero point</th><th class=\"n\">saturated</th>"
      "<th class=\"n\">signal to noise, dB</th><th>distribution</th></tr>\n";
  for (const TensorReport& tensor : report.tensors) {
    const std::string grid = fmt::format("<td class=\"n\">{:.5g}</td><td class=\"n\">{}</td>",
                                         tensor.scale, tensor.zero_point);
    const std::string range = fmt::format("{:.5g} to {:.5g}", tensor.range.min, tensor.range.max);
    if (tensor.histogram.empty()) {
      out += fmt::format("<tr><td>{}</td><td></td><td>{}</td>{}<td colspan=\"3\">{}</td></tr>\n",
                         escape_xml(tensor.name), range, grid,
                         tensor.follows ? "holds the ranges of what it joins"
                         : tensor.shares_with.empty()
                             ? ""
                             : escape_xml("shares the grid of " + tensor.shares_with));
      continue;
    }
    out += fmt::format(
        "<tr><td>{}</td><td>{:.5g} to {:.5g}</td><td>{}</td>{}<td class=\"n\">{:.4f} %</td>"
        "<td class=\"n\">{}</td><td>{}</td></tr>\n",
        escape_xml(tensor.name), tensor.values.min, tensor.values.max, range, grid,
        100 * tensor.saturated, decibels(tensor.sqnr_db), plot(tensor));
  }
  return out + "</table>\n";
}

}  // namespace

std::string report_html(const QuantizeReport& report, const std::string& title) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>"
      "<style>{1}</style></head><body>\n<h1>{0}</h1>\n{2}{3}{4}</body></html>\n",
      escape_xml(title), style, summary(report), operator_table(report), tensor_table(report));
}

}  // namespace intact::tools
