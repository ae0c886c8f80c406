// Nodes that no output needs go away, by name.
#include <gtest/gtest.h>

#include "canonical.hpp"
#include "graph/passes/passes.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

TEST(RemoveDeadCode, UnusedNodesAreNamed) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {2});
  model.node("Abs", "unused2", {model.node("Exp", "unused", {x})});
  const Graph graph = canonical(model.build({model.node("Relu", "relu", {x})}));
  EXPECT_EQ(operators(graph), "Relu");
  ASSERT_EQ(graph.removed.size(), 2u);
  EXPECT_EQ(graph.removed[0].reason, "unused");
}

}  // namespace
}  // namespace intact::testing
