// Helpers of the operator tests: one node evaluated by hand.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "graph/definition.hpp"
#include "intact/error.hpp"

namespace intact::testing {

inline Tensor floats(Shape shape, std::vector<float> values) {
  return Tensor::from<float>(std::move(shape), values);
}
inline Tensor doubles(Shape shape, std::vector<double> values) {
  return Tensor::from<double>(std::move(shape), values);
}
inline Tensor int64s(Shape shape, std::vector<std::int64_t> values) {
  return Tensor::from<std::int64_t>(std::move(shape), values);
}
/// A list of integers as operators take them: [n].
inline Tensor list(std::vector<std::int64_t> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return int64s({count}, std::move(values));
}
inline Tensor booleans(Shape shape, std::initializer_list<bool> values) {
  return Tensor::from<bool>(std::move(shape), std::span<const bool>(values.begin(), values.size()));
}

template <class T>
std::vector<T> values_of(const Tensor& tensor) {
  const auto data = tensor.data<T>();
  return {data.begin(), data.end()};
}

/// A node to evaluate: `Op("Clip").at(13).with("alpha", 0.5f)(x, low, high)`. An undefined tensor
/// is an absent operand.
class Op {
 public:
  explicit Op(std::string op, int outputs = 1) {
    node_.op = std::move(op);
    node_.name = "n";
    node_.version = 18;
    for (int i = 0; i < outputs; ++i) node_.outputs.push_back(i);
  }
  Op& at(int version) {
    node_.version = version;
    return *this;
  }
  Op& in(std::string domain) {
    node_.domain = std::move(domain);
    return *this;
  }
  Op& with(const std::string& name, Attribute value) {
    node_.attributes.set(name, std::move(value));
    return *this;
  }
  Op& with(const std::string& name, const char* value) {
    return with(name, Attribute(std::string(value)));
  }
  Op& with(const std::string& name, int value) {
    return with(name, Attribute(static_cast<std::int64_t>(value)));
  }
  Op& with(const std::string& name, float value) { return with(name, Attribute(value)); }

  std::vector<Tensor> all(const std::vector<Tensor>& inputs) {
    node_.inputs.clear();
    for (std::size_t i = 0; i < inputs.size(); ++i)
      node_.inputs.push_back(inputs[i].defined() ? 100 + static_cast<int>(i) : no_value);
    return definition_of(node_).evaluate({node_, inputs});
  }
  template <class... Tensors>
  Tensor operator()(const Tensors&... inputs) {
    return all({inputs...}).at(0);
  }
  /// Shape inference with every operand known.
  template <class... Tensors>
  std::vector<TensorType> infer(const Tensors&... inputs) {
    const std::vector<Tensor> operands{inputs...};
    std::vector<TensorType> types;
    node_.inputs.clear();
    for (std::size_t i = 0; i < operands.size(); ++i) {
      types.push_back({operands[i].type(), operands[i].shape()});
      node_.inputs.push_back(operands[i].defined() ? 100 + static_cast<int>(i) : no_value);
    }
    return definition_of(node_).infer({node_, types, operands});
  }

 private:
  Node node_;
};

/// The text of the Error that `body` throws.
template <class Body>
std::string error_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace intact::testing
