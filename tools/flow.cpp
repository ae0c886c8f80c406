// `intact flow`: what runs in which precision and why.
#include <fmt/format.h>

#include "tools/common.hpp"
#include "tools/files.hpp"
#include "tools/flow_view.hpp"
#include "tools/table.hpp"

namespace intact::tools {
namespace {

struct Options {
  std::string model, json, html, dot;
  EngineFlags engine;
};

void print_flow(const Flow& flow) {
  Table table;
  for (const char* title : {"name", "op", "precision", "kernel", "isa", "reason"})
    table.column(title);
  for (const FlowNode& node : flow.nodes) {
    table.row(
        {shorten(node.name, 40), node.op, node.precision, node.kernel, node.isa, node.reason});
  }
  fmt::print("{}\n{}\n", table.text(), flow_summary(flow));
}

int flow(const Options& options) {
  const Session session = Session::load(options.model, session_options(options.engine));
  const Flow flow = session.flow(input_shapes(session, options.engine));
  print_flow(flow);
  if (!options.json.empty()) write_json(options.json, flow_json(flow));
  if (!options.dot.empty()) write_text(options.dot, flow_dot(flow));
  if (!options.html.empty()) {
    write_text(options.html,
               flow_html(flow, std::filesystem::path(options.model).filename().string()));
  }
  return 0;
}

}  // namespace

void add_flow(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("flow", "Shows what runs in which precision and why");
  command->add_option("MODEL", options->model, "ONNX file")->type_name("")->required();
  command->add_option("--json", options->json, "Write the flow as JSON")->type_name("FILE");
  command->add_option("--html", options->html, "Write the flow as a web page")->type_name("FILE");
  command->add_option("--dot", options->dot, "Write the flow as graphviz text")->type_name("FILE");
  command->add_flag("--no-fusion", options->engine.no_fusion,
                    "One kernel per operator; same result");
  add_engine_flags(*command, options->engine);
  add_shape_flag(*command, options->engine);
  command->callback([options, &chosen] { chosen = [options] { return flow(*options); }; });
}

}  // namespace intact::tools
