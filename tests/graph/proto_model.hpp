// Models as protobuf messages, for tests of what no graph of ours would be written as.
#pragma once

#include <onnx/onnx_pb.h>

#include <span>
#include <string>
#include <vector>

#include "graph/onnx/onnx.hpp"
#include "intact/error.hpp"

namespace intact::testing {

/// One Relu from input "x" to output "y", both f32 of extent 2.
inline onnx::ModelProto relu_model(int opset = 13) {
  onnx::ModelProto model;
  model.set_ir_version(7);
  model.add_opset_import()->set_version(opset);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("test");
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type("Relu");
  node.set_name("relu");
  node.add_input("x");
  node.add_output("y");
  for (onnx::ValueInfoProto* info : {graph.add_input(), graph.add_output()}) {
    auto& type = *info->mutable_type()->mutable_tensor_type();
    type.set_elem_type(1);
    type.mutable_shape()->add_dim()->set_dim_value(2);
  }
  graph.mutable_input(0)->set_name("x");
  graph.mutable_output(0)->set_name("y");
  return model;
}

/// An initializer without data.
inline onnx::TensorProto& add_initializer(onnx::ModelProto& model, const std::string& name,
                                          int type, const std::vector<std::int64_t>& dims) {
  onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (const std::int64_t extent : dims) tensor.add_dims(extent);
  return tensor;
}

inline std::string encode(const onnx::ModelProto& model) {
  return model.SerializeAsString();
}

inline Graph parse(const std::string& bytes) {
  return parse_onnx(std::as_bytes(std::span(bytes)));
}
inline Graph parse(const onnx::ModelProto& model) {
  return parse(encode(model));
}

/// The text of the Error that parsing throws; empty when it succeeds.
template <class Model>
std::string parse_error(const Model& model) {
  try {
    parse(model);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace intact::testing
