// BatchNormalization becomes part of the operator before it.
#include <gtest/gtest.h>

#include "canonical.hpp"
#include "graph/passes/passes.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

TEST(FoldBatchNormalization, IntoFloatConvolution) {
  for (const bool on_grid : {false, true}) {
    ModelBuilder model;
    const ValueId x = model.input("x", ElementType::f32, {1, 2, 5, 5});
    const ValueId w =
        on_grid ? model.dequantize(
                      "w.dq", model.constant("w", random_integers<std::int8_t>({3, 2, 3, 3}, 1)),
                      0.01f, std::int8_t{0})
                : model.constant("w", random_floats({3, 2, 3, 3}, 1));
    const ValueId b = model.constant("b", random_floats({3}, 2));
    const ValueId conv = model.node("Conv", "conv", {x, w, b});
    const ValueId y = model.node("BatchNormalization", "bn",
                                 {conv, model.constant("gamma", random_floats({3}, 3, 0.5f, 2)),
                                  model.constant("beta", random_floats({3}, 4)),
                                  model.constant("mean", random_floats({3}, 5)),
                                  model.constant("variance", random_floats({3}, 6, 0.5f, 2))});
    const Graph raw = model.build({model.node("Relu", "relu", {y})});
    const Graph graph = canonical(raw);
    ASSERT_EQ(operators(graph), "Conv Relu");
    EXPECT_EQ(graph.nodes[0].sources, (std::vector<std::string>{"conv", "bn"}));
    const Value& weights = graph.value(graph.nodes[0].inputs[1]);
    EXPECT_EQ(weights.grid.has_value(), on_grid);
    if (on_grid) {
      EXPECT_EQ(weights.grid->scale.size(), 3u);
    }
    expect_same_meaning(raw, graph, {random_floats({1, 2, 5, 5}, 7)}, 1e-5);
  }
}

TEST(FoldBatchNormalization, IntoTransposedConvolutionAndGemm) {
  ModelBuilder model;
  const auto normalize = [&](const std::string& name, ValueId x) {
    return model.node("BatchNormalization", name,
                      {x, model.constant(name + ".g", random_floats({3}, 3, 0.5f, 2)),
                       model.constant(name + ".b", random_floats({3}, 4)),
                       model.constant(name + ".m", random_floats({3}, 5)),
                       model.constant(name + ".v", random_floats({3}, 6, 0.5f, 2))});
  };
  const ValueId x = model.input("x", ElementType::f32, {1, 2, 5, 5});
  const ValueId a =
      normalize("bn1", model.node("ConvTranspose", "conv",
                                  {x, model.constant("w", random_floats({2, 3, 3, 3}, 1))}));
  const ValueId r = model.input("r", ElementType::f32, {4, 5});
  const ValueId b = normalize("bn2", model.node("Gemm", "gemm",
                                                {r, model.constant("k", random_floats({3, 5}, 8)),
                                                 model.constant("c", random_floats({3}, 9))},
                                                {{"transB", std::int64_t{1}}}));
  const Graph raw = model.build({a, b});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "ConvTranspose Gemm");
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "bn1.0");
  expect_same_meaning(raw, graph, {random_floats({1, 2, 5, 5}, 7), random_floats({4, 5}, 8)}, 1e-5);
}

TEST(FoldBatchNormalization, NotWhenTheConvolutionHasOtherReaders) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 2, 5, 5});
  const ValueId conv =
      model.node("Conv", "conv", {x, model.constant("w", random_floats({2, 2, 1, 1}, 1))});
  const ValueId one = model.vector<float>("one", {1.0f, 2.0f});
  const ValueId y = model.node("BatchNormalization", "bn", {conv, one, one, one, one});
  EXPECT_EQ(operators(canonical(model.build({conv, y}))), "Conv BatchNormalization");
}

}  // namespace
}  // namespace intact::testing
