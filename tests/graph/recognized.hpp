// Operators that a chain of others spells out, for tests: built from one tensor x, read, canonical,
// with shapes, and recognized.
#pragma once

#include <functional>

#include "tests/graph/canonical.hpp"
#include "tests/graph/model_builder.hpp"

namespace intact::testing {

inline const Shape recognized_shape = {2, 3, 8};

/// A chain under test: from x to its result.
using Chain = std::function<ValueId(ModelBuilder&, ValueId)>;

/// Builds nodes without naming each of them.
class Writer {
 public:
  explicit Writer(ModelBuilder& model) : model_(model) {}
  ValueId operator()(const std::string& op, std::vector<ValueId> inputs,
                     const AttributeList& attributes = {}) {
    return model_.node(op, "n" + std::to_string(count_++), std::move(inputs), attributes);
  }
  ValueId number(double value) {
    return model_.scalar("c" + std::to_string(count_++), static_cast<float>(value));
  }
  ValueId row(unsigned seed, float low, float high) {
    return model_.constant("r" + std::to_string(count_++), random_floats({8}, seed, low, high));
  }
  ValueId mean(ValueId x, std::int64_t axis = -1, std::int64_t keepdims = 1) {
    return (*this)("ReduceMean", {x},
                   {{"axes", std::vector<std::int64_t>{axis}}, {"keepdims", keepdims}});
  }

 private:
  ModelBuilder& model_;
  int count_ = 0;
};

/// What the chain becomes; the meaning stays and every source node is accounted for.
inline Graph recognized(const Chain& chain, int opset = 13, const Shape& shape = recognized_shape) {
  ModelBuilder model(opset);
  const ValueId x = model.input("x", ElementType::f32, shape);
  const Graph raw = model.build({chain(model, x)});
  Graph graph = canonical(raw);
  const std::vector<std::string> sources = all_sources(graph);
  graph.value(graph.inputs[0]).shape = shape;
  infer_shapes(graph);
  recognize_operators(graph);
  EXPECT_NO_THROW(graph.check(&sources));
  expect_same_meaning(raw, graph, {random_floats(shape, 7, -6, 6)}, 2e-5);
  return graph;
}

inline std::string operators_of(const Chain& chain, int opset = 13) {
  return operators(recognized(chain, opset));
}

}  // namespace intact::testing
