// Sessions over graphs that tests build, and what they show.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "intact/session.hpp"
#include "tests/differential/compare.hpp"
#include "tests/graph/model_builder.hpp"

namespace intact::testing {

inline Session session_of(const Graph& graph, int threads = 1, bool fusion = true) {
  SessionOptions options;
  options.threads = threads;
  options.fusion = fusion;
  return Session::parse(serialize_onnx(graph), options);
}

inline Session reference_of(const Graph& graph) {
  SessionOptions options;
  options.reference = true;
  return Session::parse(serialize_onnx(graph), options);
}

/// Operators of all steps: {"Quantize", "Conv+Relu+Add"}.
inline std::vector<std::string> operators_of(const Flow& flow) {
  std::vector<std::string> result;
  for (const FlowNode& node : flow.nodes) result.push_back(node.op);
  return result;
}

inline int count_of(const Flow& flow, const std::string& op) {
  const auto operators = operators_of(flow);
  return static_cast<int>(std::count(operators.begin(), operators.end(), op));
}

/// Fused and not fused give the same bytes on every instruction set with 1 to 4 threads; both are
/// within `tolerance` of the reference. Returns the fused flow.
inline Flow expect_consistent(const Graph& graph, const Tensors& inputs, double tolerance) {
  const auto file = serialize_onnx(graph);
  const Tensors expected = Session::parse(file, options_of(1, Isa::scalar, false)).run(inputs);
  int threads = 1;
  for (const Isa isa : supported_isas())
    for (const bool fusion : {true, false}) {
      const SessionOptions options = options_of(threads, isa, fusion);
      threads = threads % 4 + 1;
      expect_identical(Session::parse(file, options).run(inputs), expected, describe(options));
    }
  const Tensors exact = reference_of(graph).run(inputs);
  for (std::size_t i = 0; i < exact.size(); ++i) {
    EXPECT_EQ(exact[i].shape(), expected[i].shape());
    const auto a = numbers(expected[i]), e = numbers(exact[i]);
    double largest = 0;
    for (std::size_t k = 0; k < std::min(a.size(), e.size()); ++k)
      largest = std::max(largest, std::abs(a[k] - e[k]));
    EXPECT_LE(largest, tolerance) << "output " << i;
  }
  std::vector<Shape> shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  return Session::parse(file, options_of(1, best_isa(), true)).flow(shapes);
}

/// An int8 convolution's weights as a DequantizeLinear of an initializer.
inline ValueId grid_weights(ModelBuilder& builder, const std::string& name, const Shape& shape,
                            unsigned seed = 1, float scale = 0.01f) {
  const ValueId integers = builder.constant(name, random_integers<std::int8_t>(shape, seed));
  return builder.dequantize(name + ".dq", integers, scale, std::int8_t{0});
}

}  // namespace intact::testing
