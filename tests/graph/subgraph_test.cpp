// Subgraphs: names around them, structure, passes, export.
#include <gtest/gtest.h>

#include "graph/passes/invariants.hpp"
#include "graph/passes/passes.hpp"
#include "tests/graph/evaluate.hpp"
#include "tests/graph/proto_model.hpp"
#include "tests/graph/subgraph_builder.hpp"

namespace intact::testing {
namespace {

/// A body that adds the captured "x" to what it carries; `proceed` names its condition.
onnx::GraphProto loop_body(const std::string& proceed, const std::string& captured = "x") {
  onnx::GraphProto body;
  body.set_name("body");
  for (const char* name : {"i", "c", "sum"}) body.add_input()->set_name(name);
  onnx::NodeProto& add = *body.add_node();
  add.set_op_type("Add");
  add.add_input("sum");
  add.add_input(captured);
  add.add_output("next");
  body.add_output()->set_name(proceed);
  body.add_output()->set_name("next");
  return body;
}

/// relu_model with a Loop behind its Relu, whose first operands are `trips` and `condition`.
onnx::ModelProto loop_model(const onnx::GraphProto& body, const std::string& trips,
                            const std::string& condition) {
  onnx::ModelProto model = relu_model(16);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.mutable_node(0)->set_output(0, "r");
  auto& count = add_initializer(model, "count", 7, {});
  count.add_int64_data(2);
  add_initializer(model, "yes", 9, {}).add_int32_data(1);
  onnx::NodeProto& loop = *graph.add_node();
  loop.set_op_type("Loop");
  loop.set_name("loop");
  loop.add_input(trips);
  loop.add_input(condition);
  loop.add_input("r");
  loop.add_output("y");
  onnx::AttributeProto& attribute = *loop.add_attribute();
  attribute.set_name("body");
  attribute.set_type(onnx::AttributeProto::GRAPH);
  *attribute.mutable_g() = body;
  return model;
}

TEST(Subgraph, CapturedValuesAreInputsOfTheNode) {
  const Graph graph = parse(loop_model(loop_body("c"), "count", ""));
  const Node& loop = graph.nodes[1];
  EXPECT_EQ(loop.captured, 1u);
  EXPECT_EQ(graph.value(loop.inputs.back()).name, "x");
  EXPECT_EQ(loop.attributes.graph("body")->inputs.size(), 4u);
  const std::vector<float> x = {1, -2};
  const auto result = interpret(graph, std::vector{Tensor::from<float>({2}, x)});
  EXPECT_EQ(result[0].data<float>()[0], 3);
  EXPECT_EQ(result[0].data<float>()[1], -4);
}

TEST(Subgraph, ExportKeepsIt) {
  const Graph graph = parse(loop_model(loop_body("c"), "count", ""));
  const Graph again = parse_onnx(serialize_onnx(graph));
  const std::vector<float> x = {1, -2};
  const std::vector<Tensor> inputs = {Tensor::from<float>({2}, x)};
  EXPECT_EQ(interpret(again, inputs)[0].data<float>()[1], -4);
  EXPECT_EQ(again.nodes[1].captured, 1u);
}

TEST(Subgraph, RefusesNamesThatNothingDefines) {
  EXPECT_NE(parse_error(loop_model(loop_body("c", "nowhere"), "count", "")).find("'nowhere'"),
            std::string::npos);
  EXPECT_NE(parse_error(loop_model(loop_body("nowhere"), "count", "")).find("'nowhere'"),
            std::string::npos);
  // Its own result does not exist yet.
  EXPECT_NE(parse_error(loop_model(loop_body("c", "y"), "count", "")).find("own output"),
            std::string::npos);
}

TEST(Subgraph, RefusesCountsThatDoNotFit) {
  onnx::GraphProto body = loop_body("c");
  body.mutable_output()->RemoveLast();
  EXPECT_NE(parse_error(loop_model(body, "count", "")).find("has 1 outputs; it must have 2"),
            std::string::npos);
  body = loop_body("c");
  body.add_input()->set_name("more");
  EXPECT_NE(parse_error(loop_model(body, "count", "")).find("has 4 inputs; it must have 3"),
            std::string::npos);
  onnx::ModelProto model = loop_model(loop_body("c"), "count", "");
  model.mutable_graph()->mutable_node(1)->clear_attribute();
  EXPECT_NE(parse_error(model).find("subgraph 'body' is missing"), std::string::npos);
}

TEST(Subgraph, RefusesLoopsThatNeverEnd) {
  for (const char* proceed : {"c", "yes"})
    for (const char* condition : {"", "yes"})
      EXPECT_NE(parse_error(loop_model(loop_body(proceed), "", condition)).find("never end"),
                std::string::npos)
          << proceed << condition;
  EXPECT_EQ(parse_error(loop_model(loop_body("yes"), "count", "")), "");
}

TEST(Subgraph, RefusesDeepNesting) {
  onnx::GraphProto body = loop_body("c");
  for (int depth = 0; depth < 28; ++depth) {
    onnx::GraphProto around = loop_body("c");
    onnx::ModelProto holder = loop_model(body, "i", "");
    onnx::NodeProto& loop = *around.add_node();
    loop = holder.graph().node(1);
    loop.set_input(2, "sum");
    loop.set_output(0, "deep");
    loop.set_name("");
    body = around;
  }
  EXPECT_NE(parse_error(loop_model(body, "count", "")).find("nested more than"), std::string::npos);
}

TEST(Subgraph, AnIfWithAConstantConditionBecomesItsBranch) {
  ModelBuilder model(16);
  const ValueId x = model.input("x", ElementType::f32, {2});
  const auto branch = [](const char* op, const char* name) {
    SubgraphBuilder branch;
    const ValueId inner = branch.captured("x");
    return branch.subgraph({branch.node(op, name, {inner}), inner});
  };
  const ValueId y = control_node(
      model, "If", "if", {model.scalar("no", false)}, {x},
      {{"then_branch", branch("Neg", "neg")}, {"else_branch", branch("Abs", "abs")}}, 2);
  model.graph().value(y + 1).type = ElementType::f32;
  Graph graph = model.build({y, y + 1});
  const std::vector<float> values = {1, -2};
  const std::vector<Tensor> inputs = {Tensor::from<float>({2}, values)};
  const auto wanted = interpret(graph, inputs);
  const auto sources = all_sources(graph);
  EXPECT_EQ(sources.size(), 3u);
  canonicalize(graph);
  graph.check(&sources);
  ASSERT_EQ(graph.nodes.size(), 2u);  // Abs, and Identity for the graph output
  EXPECT_EQ(graph.nodes[0].op, "Abs");
  const auto given = interpret(graph, inputs);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t k = 0; k < 2; ++k)
      EXPECT_EQ(given[i].data<float>()[k], wanted[i].data<float>()[k]);
}

TEST(Subgraph, ConstantsAroundABodyBecomeItsOwn) {
  ModelBuilder model(16);
  const ValueId x = model.input("x", ElementType::f32, {2});
  const ValueId weight =
      model.node("Add", "weight", {model.scalar("a", 1.0f), model.scalar("b", 2.0f)});
  SubgraphBuilder body;
  body.own("i");
  const ValueId c = body.own("c"), sum = body.own("sum"), w = body.captured("weight.0");
  const ValueId y = control_node(
      model, "Loop", "loop", {model.scalar<std::int64_t>("n", 3), no_value, x}, {weight},
      {{"body",
        body.subgraph({body.node("Identity", "same", {c}), body.node("Add", "next", {sum, w})})}});
  Graph graph = model.build({y});
  canonicalize(graph);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.nodes[0].captured, 0u);
  EXPECT_EQ(graph.nodes[0].attributes.graph("body")->inputs.size(), 3u);
}

}  // namespace
}  // namespace intact::testing
