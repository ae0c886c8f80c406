// One node of a file on constant operands: what the importer makes of it, interpreted.
#pragma once

#include "tests/graph/evaluate.hpp"
#include "tests/graph/model_builder.hpp"

namespace intact::testing {

/// `FileOp("QGemm").in("com.microsoft").with("alpha", 0.5f)(a, scale, ...)`. An undefined tensor is
/// an absent operand.
class FileOp {
 public:
  explicit FileOp(std::string op, int outputs = 1) : op_(std::move(op)), outputs_(outputs) {}
  FileOp& in(std::string domain) {
    domain_ = std::move(domain);
    return *this;
  }
  FileOp& with(const std::string& name, Attribute value) {
    attributes_.emplace_back(name, std::move(value));
    return *this;
  }
  FileOp& with(const std::string& name, const char* value) {
    return with(name, Attribute(std::string(value)));
  }
  FileOp& with(const std::string& name, int value) {
    return with(name, Attribute(static_cast<std::int64_t>(value)));
  }
  FileOp& with(const std::string& name, float value) { return with(name, Attribute(value)); }

  std::vector<Tensor> all(const std::vector<Tensor>& operands) {
    ModelBuilder model(17);
    std::vector<ValueId> inputs;
    for (const Tensor& operand : operands)
      inputs.push_back(operand.defined()
                           ? model.constant("x" + std::to_string(inputs.size()), operand)
                           : no_value);
    const ValueId first = model.node(op_, "n", inputs, attributes_, domain_, outputs_);
    for (int i = 0; i < outputs_; ++i) model.graph().outputs.push_back(first + i);
    return interpret(parse_onnx(serialize_onnx(model.graph())), {});
  }
  template <class... Tensors>
  Tensor operator()(const Tensors&... operands) {
    return all({operands...}).at(0);
  }

 private:
  std::string op_, domain_;
  int outputs_;
  AttributeList attributes_;
};

}  // namespace intact::testing
