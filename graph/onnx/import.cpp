// From an ONNX file to the graph as the file has it: decoding and what belongs to the whole model.
#include <fmt/format.h>

#include <limits>

#include "graph/onnx/inline_functions.hpp"
#include "graph/onnx/lift.hpp"
#include "graph/onnx/onnx.hpp"
#include "graph/onnx/read_graph.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

constexpr int oldest_opset = 1, newest_opset = 25;

void decode(const std::string& label, std::span<const std::byte> bytes, LiftedModel& lifted,
            onnx::ModelProto& model) {
  const auto refuse = [&](const char* reason) {
    throw Error(fmt::format("{} is not an ONNX model ({})", label, reason));
  };
  if (bytes.empty()) refuse("it is empty");
  auto result = lift_raw_data(bytes);
  if (!result) refuse("its protobuf encoding is broken or cut off");
  lifted = std::move(*result);
  constexpr std::size_t limit = 0x7fffffff;
  if (lifted.encoding.size() > limit)
    refuse("it has more than the 2 GB that protobuf allows; weights belong into external data");
  if (!model.ParseFromArray(lifted.encoding.data(), static_cast<int>(lifted.encoding.size())))
    refuse("its protobuf encoding is broken, cut off or nested too deeply");
  if (!model.has_graph()) refuse("it has no graph");
  if (model.graph().node_size() == 0 && model.graph().output_size() == 0)
    refuse("its graph has no nodes and no outputs");
}

std::map<std::string, int> read_opsets(const std::string& label, const onnx::ModelProto& model) {
  std::map<std::string, int> opsets;
  for (const auto& import : model.opset_import()) {
    const std::string domain = import.domain() == "ai.onnx" ? "" : import.domain();
    if (domain.empty() && (import.version() < oldest_opset || import.version() > newest_opset))
      throw Unsupported(fmt::format("{}: operator set {} is not supported; Intact reads {} to {}",
                                    label, import.version(), oldest_opset, newest_opset));
    if (import.version() < 0 || import.version() > std::numeric_limits<int>::max())
      throw Error(fmt::format("{}: version {} of the operator set '{}' must lie in 0 to {}", label,
                              import.version(), domain, std::numeric_limits<int>::max()));
    opsets[domain] = static_cast<int>(import.version());
  }
  if (opsets.empty())
    throw Error(fmt::format("{}: the model names no operator set; it must import one", label));
  return opsets;
}

Graph read_file(ModelFile& file, const onnx::ModelProto& model, const LiftedData& lifted) {
  Graph graph = GraphReader(file).read(model.graph(), lifted);
  for (const auto& entry : model.metadata_props()) graph.metadata[entry.key()] = entry.value();
  return graph;
}

Graph import(std::string label, std::optional<std::filesystem::path> folder,
             std::span<const std::byte> bytes) {
  onnx::ModelProto model;
  LiftedModel lifted;
  decode(label, bytes, lifted, model);
  inline_functions(label, model);
  ModelFile file{label, ExternalData(std::move(folder)), read_opsets(label, model), {}};
  Graph graph = read_file(file, model, lifted.raw_data);
  graph.file_bytes = bytes.size() + file.external.file_bytes();
  return graph;
}

}  // namespace

Graph read_model(const onnx::ModelProto& model, const LiftedData& lifted) {
  const std::string label = "the model";
  ModelFile file{label, ExternalData(std::nullopt), read_opsets(label, model), {}};
  return read_file(file, model, lifted);
}

Graph load_onnx(const std::filesystem::path& path) {
  const MappedFile file(path);
  return import(path.string(), path.parent_path(), file.bytes());
}

Graph parse_onnx(std::span<const std::byte> bytes, const std::filesystem::path& folder) {
  std::optional<std::filesystem::path> data_folder;
  if (!folder.empty()) data_folder = folder;
  return import("the model", data_folder, bytes);
}

}  // namespace intact
