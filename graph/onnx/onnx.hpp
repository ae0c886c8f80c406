// ONNX files in and out. protobuf types never leave this folder.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "intact/datum.hpp"

namespace intact {

/// A file can have 2 GB; this leaves room for everything but constants.
constexpr std::size_t most_constant_bytes = 0x7c000000;

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
/// constant on a grid becomes an integer initializer + DequantizeLinear. Written to a temporary
/// file and renamed, so that an interrupted run leaves no broken file. Models whose constants have
/// more than `most_in_file` bytes have them in a file beside, <path>.data (ONNX's external data).
/// Returns the bytes written.
std::size_t save_onnx(const Graph& graph, const std::filesystem::path& path,
                      std::size_t most_in_file = most_constant_bytes);
std::vector<std::byte> serialize_onnx(const Graph& graph);

/// What load_onnx would read after save_onnx.
Graph reread(const Graph& graph);

}  // namespace intact
