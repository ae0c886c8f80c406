// ONNX files in and out. protobuf types never leave this folder.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "intact/datum.hpp"

namespace intact {

/// Reads a model as the file has it (no canonical form yet), validated: names resolve, order is
/// topological, sizes agree with data, external data lies inside the model's folder.
/// Throws Error (or Unsupported) naming file, tensor or node.
Graph load_onnx(const std::filesystem::path& path);

/// The same from memory; external data is refused when `folder` is empty.
Graph parse_onnx(std::span<const std::byte> bytes, const std::filesystem::path& folder = {});

/// A TensorProto in a file of its own (.pb), as ONNX test cases hold inputs and outputs.
Tensor load_tensor_proto(const std::filesystem::path& path, std::string* name = nullptr);
/// The same for a SequenceProto of tensors, or an OptionalProto of either.
Datum load_data_proto(const std::filesystem::path& path, bool is_sequence, bool is_optional);

/// Writes either dialect as standard ONNX: Round becomes QuantizeLinear + DequantizeLinear, a
/// constant on a grid becomes an integer initializer + DequantizeLinear. Written to a temporary file
/// and renamed, so that an interrupted run leaves no broken file.
void save_onnx(const Graph& graph, const std::filesystem::path& path);
std::vector<std::byte> serialize_onnx(const Graph& graph);

}  // namespace intact
