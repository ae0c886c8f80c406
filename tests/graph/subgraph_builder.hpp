// Control flow nodes for tests: subgraphs are built like models, and name what they capture.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/graph/model_builder.hpp"

namespace intact::testing {

class SubgraphBuilder : public ModelBuilder {
 public:
  explicit SubgraphBuilder(int opset = 16) : ModelBuilder(opset) {}

  /// A value around the subgraph; captured values come behind the subgraph's own inputs, in the
  /// order of the node's list.
  ValueId captured(const std::string& name) {
    const ValueId id = graph().add_value(name);
    graph().inputs.push_back(id);
    return id;
  }
  /// An own input without a declared type.
  ValueId own(const std::string& name) { return captured(name); }
  Attribute subgraph(const std::vector<ValueId>& outputs) {
    graph().outputs = outputs;
    return std::make_shared<const Graph>(graph());
  }
};

/// A node whose subgraphs, among `attributes`, capture `captured`.
inline ValueId control_node(ModelBuilder& model, const std::string& op, const std::string& name,
                            std::vector<ValueId> inputs, const std::vector<ValueId>& captured,
                            const AttributeList& attributes, int outputs = 1) {
  inputs.insert(inputs.end(), captured.begin(), captured.end());
  const ValueId first = model.node(op, name, std::move(inputs), attributes, "", outputs);
  model.graph().nodes.back().captured = captured.size();
  return first;
}

}  // namespace intact::testing
