// Sums of one number per channel become the bias of a convolution.
#include <gtest/gtest.h>

#include "canonical.hpp"
#include "graph/passes/passes.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

TEST(FoldBias, OneNumberPerChannel) {
  const auto after = [](const Shape& shape, const char* op) {
    ModelBuilder model;
    const ValueId x = model.input("x", ElementType::f32, {1, 3, 5, 5});
    const ValueId conv =
        model.node(op, "conv", {x, model.constant("w", random_floats({3, 3, 3, 3}, 1))});
    const Graph raw = model.build(
        {model.node("Add", "add", {model.constant("b", random_floats(shape, 2)), conv})});
    const Graph graph = canonical(raw);
    expect_same_meaning(raw, graph, {random_floats({1, 3, 5, 5}, 7)}, 1e-5);
    return operators(graph);
  };
  EXPECT_EQ(after({3, 1, 1}, "Conv"), "Conv");
  EXPECT_EQ(after({1, 3, 1, 1}, "ConvTranspose"), "ConvTranspose");
  EXPECT_EQ(after({}, "Conv"), "Conv");
  EXPECT_EQ(after({3}, "Conv"), "Conv Add");
  EXPECT_EQ(after({2, 3, 1, 1}, "Conv"), "Conv Add");
  EXPECT_EQ(after({1, 1, 3, 1, 1}, "Conv"), "Conv Add");
}

}  // namespace
}  // namespace intact::testing
