// Reads one graph of a file: the model's own, or a subgraph of a control flow node.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/graph.hpp"
#include "graph/onnx/proto.hpp"

namespace intact {

/// What the graphs of one file share.
struct ModelFile {
  std::string label;  ///< for messages
  ExternalData external;
  std::map<std::string, int> opsets;
  /// Taken so far, with the last number behind each: every node of a file has a name of its own.
  std::map<std::string, int> node_names;
};

/// raw_data of each initializer, where it was cut out of the encoding.
using LiftedData = std::vector<std::optional<std::span<const std::byte>>>;

/// Names of a subgraph that it does not define are those of the graphs around it. Such a value
/// becomes an input of the subgraph behind its own.
class GraphReader {
 public:
  explicit GraphReader(ModelFile& file, GraphReader* around = nullptr)
      : file_(file), around_(around), depth_(around == nullptr ? 0 : around->depth_ + 1) {}

  /// Throws Error or Unsupported with the label of the file. Call once.
  Graph read(const onnx::GraphProto& proto, const LiftedData& lifted = {});

 private:
  struct ReadSubgraph {
    std::string attribute;
    Graph graph;
    std::map<ValueId, ValueId> captured;  ///< by value of the graph around it: its own input
  };

  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void fail_unsupported(const std::string& what) const;
  void read_initializers(const onnx::GraphProto& proto, const LiftedData& lifted);
  void read_inputs(const onnx::GraphProto& proto);
  void read_outputs(const onnx::GraphProto& proto);
  void read_type(const onnx::ValueInfoProto& info, Value& value);
  void name_nodes(const onnx::GraphProto& proto);
  void read_node(const onnx::NodeProto& proto, Node& node);
  void read_attribute(const onnx::AttributeProto& proto, Node& node);
  void resolve_inputs(const onnx::NodeProto& proto, Node& node);
  void read_subgraphs(const onnx::NodeProto& proto, Node& node);
  ReadSubgraph read_subgraph(const onnx::AttributeProto& proto);
  void restore_order();
  std::map<ValueId, int> declared_ranks(const onnx::GraphProto& proto) const;
  void check_operators(const onnx::GraphProto& proto);
  ValueId define(const std::string& name, const std::string& by);
  ValueId find(const std::string& name);

  ModelFile& file_;
  GraphReader* around_;
  int depth_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> ids_;
  std::map<ValueId, ValueId> captured_;  ///< by value around this graph: its input here
};

/// A model without external data. Throws Error or Unsupported.
Graph read_model(const onnx::ModelProto& model, const LiftedData& lifted);

}  // namespace intact
