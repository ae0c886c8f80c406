// The graph's bookkeeping and its invariants; the lookup of definitions.
#include "graph/graph.hpp"

#include "evaluate.hpp"

namespace intact {
namespace {

using intact::testing::error_of;
using intact::testing::floats;

/// x -> Relu "a" -> y -> Neg "b" -> z
struct Chain {
  Graph graph;
  ValueId x, y, z;

  Chain() {
    x = graph.add_value("x", ElementType::f32);
    y = graph.add_value("y");
    z = graph.add_value("z");
    graph.inputs = {x};
    graph.outputs = {z};
    graph.nodes = {node("Relu", "a", x, y), node("Neg", "b", y, z)};
  }
  static Node node(const std::string& op, const std::string& name, ValueId from, ValueId to) {
    Node node;
    node.op = op;
    node.name = name;
    node.version = 13;
    node.inputs = {from};
    node.outputs = {to};
    node.sources = {name};
    return node;
  }
};

TEST(Graph, KnowsProducersAndConsumers) {
  Chain chain;
  chain.graph.nodes[1].inputs = {chain.y, no_value, chain.y};
  EXPECT_EQ(chain.graph.producers(), (std::vector<int>{-1, 0, 1}));
  EXPECT_EQ(chain.graph.consumers(), (std::vector<std::vector<int>>{{0}, {1, 1}, {}}));
}

TEST(Graph, SortsAndKeepsASortedOrder) {
  Chain chain;
  std::swap(chain.graph.nodes[0], chain.graph.nodes[1]);
  EXPECT_THROW(chain.graph.check(), Error);
  chain.graph.sort();
  chain.graph.check();
  EXPECT_EQ(chain.graph.nodes[0].name, "a");
  chain.graph.sort();
  EXPECT_EQ(chain.graph.nodes[0].name, "a");
}

TEST(Graph, NamesANodeOnACycle) {
  Chain chain;
  chain.graph.nodes[0].inputs[0] = chain.z;
  EXPECT_NE(error_of([&] { chain.graph.sort(); }).find("Relu 'a' (opset 13)"), std::string::npos);
}

TEST(Graph, ChecksIdsProducersAndOutputs) {
  Chain chain;
  chain.graph.nodes[1].inputs[0] = 7;
  EXPECT_NE(error_of([&] { chain.graph.check(); }).find("value 7"), std::string::npos);
  chain = Chain();
  chain.graph.nodes[1].outputs[0] = chain.y;
  EXPECT_NE(error_of([&] { chain.graph.check(); }).find("another producer"), std::string::npos);
  chain = Chain();
  chain.graph.nodes.pop_back();
  EXPECT_NE(error_of([&] { chain.graph.check(); }).find("output 'z' is produced by no node"),
            std::string::npos);
}

TEST(Graph, AccountsForEverySourceOnce) {
  const std::vector<std::string> sources = {"a", "b"};
  Chain chain;
  chain.graph.check(&sources);
  chain.graph.removed.push_back({{"a"}, "unused"});
  EXPECT_NE(error_of([&] { chain.graph.check(&sources); }).find("'a' is in 2 places"),
            std::string::npos);
  chain.graph.nodes[0].sources.clear();
  chain.graph.check(&sources);
  chain.graph.removed.clear();
  EXPECT_THROW(chain.graph.check(&sources), Error);
  chain.graph.nodes[0].sources = {"a", "c"};
  EXPECT_NE(error_of([&] { chain.graph.check(&sources); }).find("'c' is no node"),
            std::string::npos);
}

TEST(Graph, ErasesMarkedNodesAndFindsFreeNames) {
  Chain chain;
  chain.graph.nodes[0].op.clear();
  chain.graph.erase_marked();
  ASSERT_EQ(chain.graph.nodes.size(), 1u);
  EXPECT_EQ(chain.graph.nodes[0].name, "b");
  EXPECT_EQ(chain.graph.unique_name("w"), "w");
  EXPECT_EQ(chain.graph.unique_name("x"), "x_1");
  chain.graph.add_value("x_1");
  EXPECT_EQ(chain.graph.unique_name("x"), "x_2");
}

TEST(Graph, AbsentOperandsAreNotConstant) {
  Graph graph;
  const ValueId w = graph.add_constant("w", floats({2}, {1, 2}));
  EXPECT_TRUE(graph.is_constant(w));
  EXPECT_FALSE(graph.is_constant(no_value));
  EXPECT_EQ(graph.value(w).type, ElementType::f32);
  EXPECT_EQ(graph.value(w).shape, Shape{2});
}

TEST(Graph, DescribesNodesOfOtherDomains) {
  Node node = Chain::node("QLinearAdd", "sum", 0, 1);
  node.domain = "com.microsoft";
  node.version = 1;
  EXPECT_EQ(describe(node), "com.microsoft.QLinearAdd 'sum' (opset 1)");
}

TEST(Attributes, RefusesAnotherType) {
  Attributes attributes;
  attributes.set("axis", 1.5f);
  EXPECT_EQ(attributes.integer("absent", 3), 3);
  EXPECT_EQ(attributes.number("axis", 0), 1.5f);
  EXPECT_NE(error_of([&] { attributes.integer("axis", 0); }).find("'axis'"), std::string::npos);
}

TEST(Definitions, AreFoundByOperatorAndDomain) {
  EXPECT_NE(find_definition("Add", ""), nullptr);
  EXPECT_EQ(find_definition("Add", "com.microsoft"), nullptr);
  EXPECT_EQ(find_definition("NoSuchOperator", ""), nullptr);
  const std::string text =
      error_of([] { definition_of(Chain::node("NoSuchOperator", "q", 0, 1)); });
  for (const char* part : {"NoSuchOperator", "'q'", "opset 13", "ai.onnx", "not supported"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  EXPECT_THROW(definition_of(Chain::node("NoSuchOperator", "q", 0, 1)), Unsupported);
}

TEST(Definitions, AreUniqueAndComplete) {
  for (const Definition* definition : all_definitions()) {
    EXPECT_EQ(find_definition(definition->op, definition->domain), definition) << definition->op;
    EXPECT_NE(definition->infer, nullptr) << definition->op;
    EXPECT_LE(definition->first, definition->last) << definition->op;
  }
  EXPECT_GT(all_definitions().size(), 100u);
}

}  // namespace
}  // namespace intact
