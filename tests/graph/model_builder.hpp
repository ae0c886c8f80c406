// Small models for tests: built as a graph, written as ONNX and read again, so that every test goes
// through the file format.
#pragma once

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.hpp"
#include "graph/onnx/onnx.hpp"

namespace intact::testing {

using AttributeList = std::vector<std::pair<std::string, Attribute>>;

class ModelBuilder {
 public:
  explicit ModelBuilder(int opset = 13) {
    graph_.opsets[""] = opset;
    graph_.opsets["com.microsoft"] = 1;
  }

  /// Extents of -1 are unknown.
  ValueId input(const std::string& name, ElementType type, const Shape& shape) {
    const ValueId id = graph_.add_value(name, type);
    graph_.value(id).declared.emplace();
    for (const std::int64_t extent : shape) graph_.value(id).declared->push_back({extent, ""});
    graph_.inputs.push_back(id);
    return id;
  }
  ValueId constant(const std::string& name, Tensor tensor) {
    return graph_.add_constant(name, std::move(tensor));
  }
  template <class T>
  ValueId scalar(const std::string& name, T value) {
    return constant(name, Tensor::scalar(value));
  }
  template <class T>
  ValueId vector(const std::string& name, const std::vector<T>& values) {
    return constant(name, Tensor::from<T>({static_cast<std::int64_t>(values.size())}, values));
  }

  /// The node is called `name` and its outputs "<name>.0", ...; the first is returned.
  ValueId node(const std::string& op, const std::string& name, std::vector<ValueId> inputs,
               const AttributeList& attributes = {}, const std::string& domain = "",
               int outputs = 1) {
    Node node;
    node.op = op;
    node.domain = domain;
    node.version = graph_.opsets[domain];
    node.name = name;
    node.inputs = std::move(inputs);
    for (const auto& [key, value] : attributes) node.attributes.set(key, value);
    for (int i = 0; i < outputs; ++i)
      node.outputs.push_back(graph_.add_value(name + "." + std::to_string(i)));
    const ValueId first = node.outputs[0];
    graph_.nodes.push_back(std::move(node));
    return first;
  }
  template <class T>
  ValueId quantize(const std::string& name, ValueId x, float scale, T zero_point) {
    return node("QuantizeLinear", name,
                {x, scalar(name + ".s", scale), scalar(name + ".z", zero_point)});
  }
  template <class T>
  ValueId dequantize(const std::string& name, ValueId x, float scale, T zero_point) {
    return node("DequantizeLinear", name,
                {x, scalar(name + ".s", scale), scalar(name + ".z", zero_point)});
  }
  /// QuantizeLinear "<name>.q" and DequantizeLinear "<name>.dq" on one grid.
  template <class T>
  ValueId round(const std::string& name, ValueId x, float scale, T zero_point) {
    return dequantize(name + ".dq", quantize(name + ".q", x, scale, zero_point), scale, zero_point);
  }

  Graph& graph() { return graph_; }
  Graph build(const std::vector<ValueId>& outputs) {
    for (const ValueId id : outputs)
      if (graph_.value(id).type == ElementType::undefined) graph_.value(id).type = ElementType::f32;
    graph_.outputs = outputs;
    return parse_onnx(serialize_onnx(graph_));
  }

 private:
  Graph graph_;
};

inline Tensor random_floats(Shape shape, unsigned seed, float low = -1, float high = 1) {
  Tensor tensor(ElementType::f32, std::move(shape));
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> distribution(low, high);
  for (float& x : tensor.data<float>()) x = distribution(generator);
  return tensor;
}

/// Any value of the type, u8 or s8.
template <class T>
Tensor random_integers(Shape shape, unsigned seed) {
  Tensor tensor(element_type_of<T>(), std::move(shape));
  std::mt19937 generator(seed);
  for (T& x : tensor.data<T>()) x = static_cast<T>(generator());
  return tensor;
}

}  // namespace intact::testing
