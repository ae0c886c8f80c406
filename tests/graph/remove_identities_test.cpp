// Nodes that return their input go away.
#include <gtest/gtest.h>

#include "canonical.hpp"
#include "graph/passes/passes.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

TEST(RemoveIdentities, BetweenNodesButNotBetweenInputAndOutput) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {2, 3});
  const ValueId direct = model.node("Identity", "direct", {x});
  const ValueId dropped = model.node("Dropout", "dropout", {model.node("Identity", "i", {x})});
  const ValueId same =
      model.node("Transpose", "same", {dropped}, {{"perm", std::vector<std::int64_t>{0, 1}}});
  const Graph raw = model.build({direct, model.node("Relu", "relu", {same})});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "Identity Relu");
  EXPECT_EQ(graph.removed.size(), 3u);
  expect_same_meaning(raw, graph, {random_floats({2, 3}, 7)}, 0);
}

TEST(RemoveIdentities, CastsToTheTypeOfTheirInput) {
  const auto after = [](ElementType type, std::int64_t to) {
    ModelBuilder model;
    const ValueId x = model.input("x", type, {2});
    const ValueId cast = model.node("Cast", "cast", {x}, {{"to", to}});
    return operators(canonical(model.build({model.node("Not", "not", {cast})})));
  };
  EXPECT_EQ(after(ElementType::boolean, 9), "Not");
  EXPECT_EQ(after(ElementType::f32, 9), "Cast Not");
}

}  // namespace
}  // namespace intact::testing
