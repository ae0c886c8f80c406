// The flow as one HTML file without scripts or links: a drawing of the graph and a table, each step
// of the one linked to its row in the other.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "tools/canvas.hpp"
#include "tools/flow_view.hpp"

namespace intact::tools {
namespace {

constexpr int box_width = 190, box_height = 30, column_gap = 36, row_gap = 34, margin = 20;

constexpr const char* style = R"(
body{font:14px sans-serif;margin:24px}svg text{font:11px sans-serif}
table{border-collapse:collapse;margin-top:24px}th,td{text-align:left;padding:3px 10px;border-bottom:1px solid #ddd}
tr:target{background:#ffef9e}.int8{background:#cfe8cf;fill:#cfe8cf}.float{background:#f6d5c0;fill:#f6d5c0}
.shape{background:#e6e6e6;fill:#e6e6e6}rect{stroke:#777}path{fill:none;stroke:#999}path.f32{stroke:#d9742b;stroke-width:2}
.drawing{overflow:auto;max-height:80vh;border:1px solid #ddd})";

struct Place {
  int row = 0, column = 0;
  int x() const { return margin + column * (box_width + column_gap); }
  int y() const { return margin + row * (box_height + row_gap); }
};

/// Rows by the longest path from an input; columns in order of appearance within a row.
std::map<std::string, Place> arrange(const Flow& flow) {
  std::map<std::string, std::vector<std::string>> producers;
  for (const FlowEdge& edge : flow.edges) {
    if (edge.from.empty()) continue;
    for (const std::string& to : edge.to) producers[to].push_back(edge.from);
  }
  std::map<std::string, Place> places;
  std::map<int, int> used;
  for (const FlowNode& node : flow.nodes) {  // in execution order: producers come first
    Place place;
    for (const std::string& from : producers[node.name]) {
      const auto found = places.find(from);
      if (found != places.end()) place.row = std::max(place.row, found->second.row + 1);
    }
    place.column = used[place.row]++;
    places[node.name] = place;
  }
  return places;
}

std::string draw_edge(const FlowEdge& edge, const Place& from, const Place& to) {
  const int x1 = from.x() + box_width / 2, y1 = from.y() + box_height;
  const int x2 = to.x() + box_width / 2, y2 = to.y();
  // An edge that skips rows bows sideways, so that it does not run through the boxes between.
  const int bow = to.row - from.row > 1 && x1 == x2 ? box_width / 2 + 30 : 0;
  std::string out = fmt::format(
      "<path class=\"{}\" d=\"M{} {} C{} {} {} {} {} {}\"><title>{} {} {}</title></path>\n",
      escape_xml(edge.storage), x1, y1, x1 + bow, y1 + row_gap, x2 + bow, y2 - row_gap, x2, y2,
      escape_xml(edge.tensor), escape_xml(edge.storage), escape_xml(edge.grid));
  return out + fmt::format("<text x=\"{}\" y=\"{}\">{}</text>\n", x1 + 5 + bow / 3, y1 + 14,
                           escape_xml(edge.storage));
}

std::string drawing(const Flow& flow) {
  const auto places = arrange(flow);
  int width = 0, height = 0;
  for (const auto& [name, place] : places) {
    width = std::max(width, place.x() + box_width + margin + 60);
    height = std::max(height, place.y() + box_height + margin);
  }
  std::string out =
      fmt::format("<div class=\"drawing\"><svg width=\"{}\" height=\"{}\">\n", width, height);
  for (const FlowEdge& edge : flow.edges) {
    const auto from = places.find(edge.from);
    if (from == places.end()) continue;
    for (const std::string& to : edge.to) {
      const auto target = places.find(to);
      if (target != places.end()) out += draw_edge(edge, from->second, target->second);
    }
  }
  for (std::size_t i = 0; i < flow.nodes.size(); ++i) {
    const FlowNode& node = flow.nodes[i];
    const Place& place = places.at(node.name);
    out += fmt::format(
        "<a href=\"#n{}\"><rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" "
        "rx=\"5\"/>"
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text><title>{}</title></a>\n",
        i, escape_xml(node.precision), place.x(), place.y(), box_width, box_height,
        place.x() + box_width / 2, place.y() + 19, escape_xml(node.op), escape_xml(node.name));
  }
  return out + "</svg></div>\n";
}

std::string node_table(const Flow& flow) {
  std::string out =
      "<table><tr><th>step</th><th>operator</th><th>precision</th><th>kernel</th>"
      "<th>isa</th><th>reason</th><th>source nodes</th></tr>\n";
  for (std::size_t i = 0; i < flow.nodes.size(); ++i) {
    const FlowNode& node = flow.nodes[i];
    out += fmt::format(
        "<tr id=\"n{}\"><td>{}</td><td>{}</td><td class=\"{}\">{}</td><td>{}</td>"
        "<td>{}</td><td>{}</td><td>{}</td></tr>\n",
        i, escape_xml(node.name), escape_xml(node.op), escape_xml(node.precision),
        escape_xml(node.precision), escape_xml(node.kernel), escape_xml(node.isa),
        escape_xml(node.reason), escape_xml(fmt::format("{}", fmt::join(node.onnx_nodes, ", "))));
  }
  return out + "</table>\n";
}

std::string removed_table(const Flow& flow) {
  if (flow.removed.empty()) return "";
  std::string out = "<table><tr><th>removed source nodes</th><th>reason</th></tr>\n";
  for (const FlowRemoved& removed : flow.removed) {
    out += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n",
                       escape_xml(fmt::format("{}", fmt::join(removed.onnx_nodes, ", "))),
                       escape_xml(removed.reason));
  }
  return out + "</table>\n";
}

}  // namespace

std::string flow_html(const Flow& flow, const std::string& title) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>"
      "<style>{1}</style></head><body>\n<h1>{0}</h1>\n<p>{2}</p>\n{3}{4}{5}</body></html>\n",
      escape_xml(title), style, escape_xml(flow_summary(flow)), drawing(flow), node_table(flow),
      removed_table(flow));
}

}  // namespace intact::tools
