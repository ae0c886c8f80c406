// Pad becomes part of the convolution or pool behind it.
#include <gtest/gtest.h>

#include "canonical.hpp"
#include "graph/passes/passes.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

TEST(FoldPad, IntoConvolutionAndAveragePool) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 2, 5, 5});
  const ValueId pads = model.vector<std::int64_t>("pads", {0, 0, 1, 0, 0, 0, 1, 2});
  const ValueId w = model.constant("w", random_floats({2, 2, 3, 3}, 1));
  const ValueId conv = model.node("Conv", "conv", {model.node("Pad", "p1", {x, pads}), w},
                                  {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  const ValueId pool = model.node("AveragePool", "pool", {model.node("Pad", "p2", {x, pads})},
                                  {{"kernel_shape", std::vector<std::int64_t>{3, 3}}});
  const Graph raw = model.build({conv, pool});
  const Graph graph = canonical(raw);
  ASSERT_EQ(operators(graph), "Conv AveragePool");
  EXPECT_EQ(graph.nodes[0].attributes.integers("pads"), (std::vector<std::int64_t>{2, 1, 2, 3}));
  EXPECT_EQ(graph.nodes[1].attributes.integer("count_include_pad", 0), 1);
  expect_same_meaning(raw, graph, {random_floats({1, 2, 5, 5}, 7)}, 0);
}

TEST(FoldPad, PadsThatValidIgnoresStayIgnored) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 2, 5, 5});
  const ValueId pads = model.vector<std::int64_t>("pads", {0, 0, 1, 0, 0, 0, 1, 2});
  const ValueId w = model.constant("w", random_floats({2, 2, 3, 3}, 1));
  const ValueId conv = model.node(
      "Conv", "conv", {model.node("Pad", "pad", {x, pads}), w},
      {{"auto_pad", std::string("VALID")}, {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  const Graph raw = model.build({conv});
  const Graph graph = canonical(raw);
  ASSERT_EQ(operators(graph), "Conv");
  EXPECT_EQ(graph.nodes[0].attributes.integers("pads"), (std::vector<std::int64_t>{1, 0, 1, 2}));
  expect_same_meaning(raw, graph, {random_floats({1, 2, 5, 5}, 7)}, 0);
}

TEST(FoldPad, NotForChannelsOtherValuesAndMaxPool) {
  const std::vector<std::int64_t> kernel = {3, 3};
  const auto after = [&](const std::vector<std::int64_t>& pads, float value, const char* op) {
    ModelBuilder model;
    const ValueId x = model.input("x", ElementType::f32, {1, 2, 5, 5});
    const ValueId pad = model.node(
        "Pad", "pad", {x, model.vector<std::int64_t>("pads", pads), model.scalar("value", value)});
    return operators(
        canonical(model.build({model.node(op, "pool", {pad}, {{"kernel_shape", kernel}})})));
  };
  EXPECT_EQ(after({0, 0, 1, 1, 0, 0, 1, 1}, 0, "AveragePool"), "AveragePool");
  EXPECT_EQ(after({0, 1, 0, 0, 0, 0, 0, 0}, 0, "AveragePool"), "Pad AveragePool");
  EXPECT_EQ(after({0, 0, 1, 1, 0, 0, 1, 1}, 1, "AveragePool"), "Pad AveragePool");
  EXPECT_EQ(after({0, 0, -1, 0, 0, 0, 0, 0}, 0, "AveragePool"), "Pad AveragePool");
  EXPECT_EQ(after({0, 0, 1, 1, 0, 0, 1, 1}, 0, "MaxPool"), "Pad MaxPool");
}

}  // namespace
}  // namespace intact::testing
