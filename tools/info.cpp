// `intact info`: what a model file holds.
#include <fmt/format.h>

#include "tools/common.hpp"

namespace intact::tools {
namespace {

struct Options {
  std::string model, json;
};

Json tensor_json(const TensorInfo& info) {
  Json shape = Json::array();
  for (std::size_t i = 0; i < info.shape.size(); ++i) {
    if (info.shape[i] >= 0)
      shape.push_back(info.shape[i]);
    else if (i < info.symbols.size() && !info.symbols[i].empty())
      shape.push_back(info.symbols[i]);
    else
      shape.push_back(nullptr);
  }
  return {{"name", info.name},
          {"type", (info.is_sequence ? "sequence of " : "") + std::string(element_name(info.type))},
          {"shape", info.rank_known ? shape : Json(nullptr)}};
}

Json info_json(const Session& session) {
  const ModelInfo& info = session.info();
  Json json = {{"name", info.name}, {"inputs", Json::array()}, {"outputs", Json::array()}};
  for (const TensorInfo& input : session.inputs()) json["inputs"].push_back(tensor_json(input));
  for (const TensorInfo& output : session.outputs()) json["outputs"].push_back(tensor_json(output));
  json["opsets"] = Json::object();
  for (const auto& [domain, version] : info.opsets) {
    json["opsets"][domain.empty() ? "ai.onnx" : domain] = version;
  }
  json["operators"] = Json::object();
  for (const auto& [op, count] : info.operators) json["operators"][op] = count;
  json["parameters"] = info.parameters;
  json["file_bytes"] = info.file_bytes;
  json["metadata"] = Json::object();
  for (const auto& [key, value] : info.metadata) json["metadata"][key] = value;
  return json;
}

int info(const Options& options) {
  // The file's own contents are wanted, so nothing is planned.
  SessionOptions session_options;
  session_options.reference = true;
  const Session session = Session::load(options.model, session_options);
  const ModelInfo& info = session.info();
  if (!info.name.empty()) fmt::print("name        {}\n", info.name);
  for (const TensorInfo& input : session.inputs()) fmt::print("input       {}\n", describe(input));
  for (const TensorInfo& output : session.outputs())
    fmt::print("output      {}\n", describe(output));
  for (const auto& [domain, version] : info.opsets) {
    fmt::print("opset       {} {}\n", domain.empty() ? "ai.onnx" : domain, version);
  }
  for (const auto& [op, count] : info.operators) fmt::print("operator    {} x {}\n", count, op);
  fmt::print("parameters  {}\n", info.parameters);
  fmt::print("size        {} bytes\n", info.file_bytes);
  for (const auto& [key, value] : info.metadata) fmt::print("metadata    {} = {}\n", key, value);
  if (!options.json.empty()) write_json(options.json, info_json(session));
  return 0;
}

}  // namespace

void add_info(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("info", "Inputs, outputs, opset, operators, parameters, size");
  command->add_option("MODEL", options->model, "ONNX file")->type_name("")->required();
  command->add_option("--json", options->json, "Write the same as JSON")->type_name("FILE");
  command->callback([options, &chosen] { chosen = [options] { return info(*options); }; });
}

}  // namespace intact::tools
