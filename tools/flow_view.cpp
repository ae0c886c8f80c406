// JSON, graphviz text and summary of a flow; the page is in flow_html.cpp.
#include "tools/flow_view.hpp"

#include <fmt/format.h>

namespace intact::tools {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

}  // namespace

std::string flow_summary(const Flow& flow) {
  return fmt::format("{} operators on int8, {} on float, {} float round trips", flow.int8_nodes,
                     flow.float_nodes, flow.float_round_trips);
}

Json flow_json(const Flow& flow) {
  Json json = {{"nodes", Json::array()}, {"edges", Json::array()}, {"removed", Json::array()}};
  for (const FlowNode& node : flow.nodes) {
    json["nodes"].push_back({{"name", node.name},
                             {"op", node.op},
                             {"onnx_nodes", node.onnx_nodes},
                             {"precision", node.precision},
                             {"kernel", node.kernel},
                             {"isa", node.isa},
                             {"reason", node.reason},
                             {"macs", node.macs}});
  }
  for (const FlowEdge& edge : flow.edges) {
    json["edges"].push_back({{"tensor", edge.tensor},
                             {"storage", edge.storage},
                             {"grid", edge.grid},
                             {"from", edge.from},
                             {"to", edge.to}});
  }
  for (const FlowRemoved& removed : flow.removed) {
    json["removed"].push_back({{"onnx_nodes", removed.onnx_nodes}, {"reason", removed.reason}});
  }
  json["summary"] = {{"int8_nodes", flow.int8_nodes},
                     {"float_nodes", flow.float_nodes},
                     {"float_round_trips", flow.float_round_trips},
                     {"int8_macs", flow.int8_macs},
                     {"total_macs", flow.total_macs}};
  return json;
}

std::string flow_dot(const Flow& flow) {
  std::string out = "digraph flow {\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n";
  for (const FlowNode& node : flow.nodes) {
    const char* colour = node.precision == "int8"    ? "#cfe8cf"
                         : node.precision == "float" ? "#f6d5c0"
                                                     : "#e6e6e6";
    out += fmt::format("  {} [label={}, fillcolor=\"{}\"];\n", quoted(node.name),
                       quoted(node.op + "  " + node.kernel), colour);
  }
  for (const FlowEdge& edge : flow.edges) {
    const std::string from = edge.from.empty() ? edge.tensor : edge.from;
    for (const std::string& to : edge.to) {
      out +=
          fmt::format("  {} -> {} [label={}];\n", quoted(from), quoted(to), quoted(edge.storage));
    }
    if (edge.to.empty()) {
      out += fmt::format("  {} -> {} [label={}];\n", quoted(from), quoted(edge.tensor),
                         quoted(edge.storage));
    }
  }
  return out + "}\n";
}

}  // namespace intact::tools
