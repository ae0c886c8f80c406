// Functions that a model defines for itself: the same graph as if their nodes stood in it.
#include <gtest/gtest.h>

#include "canonical.hpp"
#include "proto_model.hpp"

namespace intact::testing {
namespace {

onnx::NodeProto& add_node(google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes,
                          const char* op, std::vector<std::string> inputs,
                          std::vector<std::string> outputs, const char* domain = "") {
  onnx::NodeProto& node = *nodes.Add();
  node.set_op_type(op);
  node.set_domain(domain);
  for (const std::string& input : inputs) node.add_input(input);
  for (const std::string& output : outputs) node.add_output(output);
  return node;
}

onnx::FunctionProto& add_function(onnx::ModelProto& model, const char* name,
                                  std::vector<std::string> inputs,
                                  std::vector<std::string> outputs) {
  onnx::FunctionProto& function = *model.add_functions();
  function.set_name(name);
  function.set_domain("own");
  for (const std::string& input : inputs) function.add_input(input);
  for (const std::string& output : outputs) function.add_output(output);
  onnx::OperatorSetIdProto& import = *function.add_opset_import();
  import.set_domain("");
  import.set_version(13);
  return function;
}

/// y = call(x) with the function `name` in the place of the Relu.
onnx::ModelProto calling(const char* name) {
  onnx::ModelProto model = relu_model();
  onnx::OperatorSetIdProto& import = *model.add_opset_import();
  import.set_domain("own");
  import.set_version(1);
  onnx::NodeProto& node = *model.mutable_graph()->mutable_node(0);
  node.set_op_type(name);
  node.set_domain("own");
  node.set_name("call");
  return model;
}

void add_number(onnx::NodeProto& node, const char* name, float value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}

/// The attribute `name` of the node is the call's attribute `of_call`.
void refer(onnx::NodeProto& node, const char* name, const char* of_call) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_ref_attr_name(of_call);
}

/// leaky(x, slope) = LeakyRelu; twice(x) = leaky(leaky(x)) + optional operand.
onnx::ModelProto nested() {
  onnx::ModelProto model = calling("twice");
  onnx::FunctionProto& leaky = add_function(model, "leaky", {"x"}, {"y"});
  refer(add_node(*leaky.mutable_node(), "LeakyRelu", {"x"}, {"y"}), "alpha", "slope");
  onnx::FunctionProto& twice = add_function(model, "twice", {"x", "unused"}, {"y", "inner"});
  add_number(add_node(*twice.mutable_node(), "leaky", {"x"}, {"inner"}, "own"), "slope", 0.5f);
  add_node(*twice.mutable_node(), "leaky", {"inner"}, {"y"}, "own");
  return model;
}

TEST(Functions, BecomeTheirNodes) {
  const Graph graph = parse(nested());
  EXPECT_EQ(operators(graph), "LeakyRelu LeakyRelu");
  EXPECT_EQ(graph.nodes[0].name, "call/leaky/LeakyRelu");
  EXPECT_EQ(graph.nodes[0].attributes.number("alpha", 0), 0.5f);
  EXPECT_FALSE(graph.nodes[1].attributes.has("alpha")) << "the call gives none: ONNX's default";
  EXPECT_EQ(graph.value(graph.nodes[0].outputs[0]).name, "call/inner");
  EXPECT_EQ(graph.value(graph.nodes[1].outputs[0]).name, "y");
  EXPECT_NE(graph.nodes[0].name, graph.nodes[1].name);
}

TEST(Functions, NamesThatAreTakenDoNotMeet) {
  onnx::ModelProto model = nested();
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.mutable_node(0)->set_output(0, "call/inner");
  add_node(*graph.mutable_node(), "twice", {"call/inner"}, {"y"}, "own").set_name("call");
  const Graph read = parse(model);
  EXPECT_EQ(operators(read), "LeakyRelu LeakyRelu LeakyRelu LeakyRelu");
  EXPECT_EQ(read.value(read.nodes[0].outputs[0]).name, "call_2/inner");
}

TEST(Functions, DefaultsOfAttributes) {
  onnx::ModelProto model = calling("leaky");
  onnx::FunctionProto& leaky = add_function(model, "leaky", {"x"}, {"y"});
  refer(add_node(*leaky.mutable_node(), "LeakyRelu", {"x"}, {"y"}), "alpha", "slope");
  onnx::NodeProto preset;
  add_number(preset, "slope", 0.25f);
  constexpr int attribute_proto = 11;  // newer than the packaged classes
  leaky.GetReflection()->MutableUnknownFields(&leaky)->AddLengthDelimited(
      attribute_proto, preset.attribute(0).SerializeAsString());
  EXPECT_EQ(parse(model).nodes[0].attributes.number("alpha", 0), 0.25f);
}

TEST(Functions, RefusesBrokenDefaults) {
  onnx::ModelProto model = calling("f");
  onnx::FunctionProto& f = add_function(model, "f", {"x"}, {"y"});
  add_node(*f.mutable_node(), "Relu", {"x"}, {"y"});
  constexpr int attribute_proto = 11;
  f.GetReflection()->MutableUnknownFields(&f)->AddLengthDelimited(attribute_proto, "\x0a\x7f");
  EXPECT_EQ(parse_error(model),
            "the model: the function 'f' has the default of an attribute whose protobuf encoding "
            "is broken");
}

/// The calls stand in branches, and the function has an If of its own.
TEST(Functions, InSubgraphs) {
  onnx::ModelProto model = relu_model();
  onnx::GraphProto& graph = *model.mutable_graph();
  onnx::OperatorSetIdProto& import = *model.add_opset_import();
  import.set_domain("own");
  import.set_version(1);
  onnx::TensorProto& condition = add_initializer(model, "condition", 9, {});
  condition.set_raw_data(std::string(1, 1));
  const auto add_branches = [](onnx::NodeProto& node, const char* op, const char* input,
                               const char* domain) {
    for (const char* name : {"then_branch", "else_branch"}) {
      onnx::AttributeProto& branch = *node.add_attribute();
      branch.set_name(name);
      branch.set_type(onnx::AttributeProto::GRAPH);
      branch.mutable_g()->set_name(name);
      add_node(*branch.mutable_g()->mutable_node(), op, {input}, {"result"}, domain);
      branch.mutable_g()->add_output()->set_name("result");
    }
  };
  graph.mutable_node()->Clear();
  add_branches(add_node(*graph.mutable_node(), "If", {"condition"}, {"y"}), "chosen", "x", "own");
  onnx::FunctionProto& chosen = add_function(model, "chosen", {"a"}, {"b"});
  onnx::NodeProto& constant = add_node(*chosen.mutable_node(), "Constant", {}, {"yes"});
  onnx::AttributeProto& value = *constant.add_attribute();
  value.set_name("value");
  value.set_type(onnx::AttributeProto::TENSOR);
  *value.mutable_t() = condition;
  value.mutable_t()->clear_name();
  add_branches(add_node(*chosen.mutable_node(), "If", {"yes"}, {"b"}), "Neg", "a", "");
  const Graph read = parse(model);
  const Tensor x = Tensor::from<float>({2}, std::vector<float>{1, -2});
  const Tensor y = interpret(read, std::vector<Tensor>{x})[0];
  EXPECT_EQ(y.data<float>()[0], -1);
  EXPECT_EQ(y.data<float>()[1], 2);
}

TEST(Functions, RefusesWhatDoesNotFit) {
  onnx::ModelProto model = calling("f");
  onnx::FunctionProto& f = add_function(model, "f", {"x"}, {"y"});
  add_node(*f.mutable_node(), "f", {"x"}, {"y"}, "own");
  EXPECT_EQ(parse_error(model), "the model: the function 'f' calls itself");
  f.clear_input();
  EXPECT_EQ(parse_error(model),
            "the model: the function 'f' is called with 1 inputs and 1 outputs, but has 0 and 1");
  f.add_input("x");
  f.mutable_opset_import(0)->set_version(12);
  EXPECT_EQ(parse_error(model),
            "the model: the function 'f' is written for version 12 of the operator set 'ai.onnx', "
            "the model for 13; convert them to the same version");
}

/// Each function calls the one before it eight times.
TEST(Functions, RefusesModelsWithoutEnd) {
  onnx::ModelProto model = calling("f9");
  for (int i = 0; i < 10; ++i) {
    const std::string name = "f" + std::to_string(i), before = "f" + std::to_string(i - 1);
    onnx::FunctionProto& f = add_function(model, name.c_str(), {"x"}, {"y"});
    if (i == 0)
      add_node(*f.mutable_node(), "Relu", {"x"}, {"y"});
    else
      for (int k = 0; k < 8; ++k)
        add_node(*f.mutable_node(), before.c_str(), {"x"}, {k == 0 ? "y" : "y" + std::to_string(k)},
                 "own");
  }
  EXPECT_NE(parse_error(model).find("stand for more than 200000 nodes"), std::string::npos);
}

TEST(Functions, ManyCallsOfOneNameTakeLinearTime) {
  onnx::ModelProto model = calling("twice");
  onnx::FunctionProto& twice = add_function(model, "twice", {"x"}, {"y"});
  add_node(*twice.mutable_node(), "Relu", {"x"}, {"inner"});
  add_node(*twice.mutable_node(), "Relu", {"inner"}, {"y"});
  constexpr int count = 50'000;
  for (int i = 1; i < count; ++i) {
    onnx::NodeProto& node = *model.mutable_graph()->add_node();
    node = model.graph().node(0);
    node.set_output(0, "y" + std::to_string(i));
  }
  EXPECT_EQ(parse(model).nodes.back().name, "call_" + std::to_string(count) + "/Relu#2");
}

/// f stands for a node with 1 MiB, own or the call's, and is called often.
TEST(Functions, RefusesTooManyBytes) {
  const std::string long_text(std::size_t{1} << 20, 'a');
  for (const bool of_call : {false, true}) {
    onnx::ModelProto model = calling("g");
    onnx::FunctionProto& f = add_function(model, "f", {"x"}, {"y"});
    onnx::NodeProto& node = add_node(*f.mutable_node(), "Relu", {"x"}, {"y"});
    onnx::FunctionProto& g = add_function(model, "g", {"x"}, {"y"});
    for (int i = 0; i < 300; ++i)
      refer(add_node(*g.mutable_node(), "f", {"x"}, {"y" + std::to_string(i)}, "own"), "text",
            "text");
    onnx::AttributeProto& text =
        *(of_call ? *model.mutable_graph()->mutable_node(0) : node).add_attribute();
    text.set_name("text");
    text.set_type(onnx::AttributeProto::STRING);
    text.set_s(long_text);
    const std::string error = parse_error(model);
    EXPECT_NE(error.find(of_call ? "the function 'g'" : "the function 'f'"), std::string::npos);
    EXPECT_NE(error.find("and others stand for more than 2"), std::string::npos) << error;
    EXPECT_NE(error.find(" bytes"), std::string::npos) << error;
  }
}

/// Names count as well: each of the function's gets the call's in front.
TEST(Functions, RefusesTooLongNames) {
  onnx::ModelProto model = calling("f");
  model.mutable_graph()->mutable_node(0)->set_name(std::string(std::size_t{1} << 17, 'a'));
  onnx::FunctionProto& f = add_function(model, "f", {"x"}, {"y"});
  for (int i = 0; i < 1500; ++i)
    add_node(*f.mutable_node(), "Relu", {"x"}, {"y" + std::to_string(i)});
  const std::string error = parse_error(model);
  EXPECT_NE(error.find("the function 'f' and others stand for more than 2"), std::string::npos);
  EXPECT_NE(error.find(" bytes"), std::string::npos) << error;
}

/// Each of 1000 calls stands for an If with 300 nodes in a branch.
TEST(Functions, CountsNodesInSubgraphs) {
  onnx::ModelProto model = calling("f");
  onnx::FunctionProto& f = add_function(model, "f", {"x"}, {"y"});
  onnx::NodeProto& node = add_node(*f.mutable_node(), "If", {"x"}, {"y"});
  onnx::AttributeProto& branch = *node.add_attribute();
  branch.set_name("then_branch");
  branch.set_type(onnx::AttributeProto::GRAPH);
  for (int i = 0; i < 300; ++i)
    add_node(*branch.mutable_g()->mutable_node(), "Relu", {"x"}, {"y" + std::to_string(i)});
  for (int i = 1; i < 1000; ++i) {
    onnx::NodeProto& call = *model.mutable_graph()->add_node();
    call = model.graph().node(0);
    call.set_output(0, "y" + std::to_string(i));
  }
  EXPECT_EQ(parse_error(model),
            "the model: the function 'f' and others stand for more than 200000 nodes");
}

/// Each function calls the one before it.
onnx::ModelProto chained(int functions) {
  onnx::ModelProto model = calling(("f" + std::to_string(functions - 1)).c_str());
  for (int i = 0; i < functions; ++i) {
    onnx::FunctionProto& f = add_function(model, ("f" + std::to_string(i)).c_str(), {"x"}, {"y"});
    if (i == 0)
      add_node(*f.mutable_node(), "Relu", {"x"}, {"y"});
    else
      add_node(*f.mutable_node(), ("f" + std::to_string(i - 1)).c_str(), {"x"}, {"y"}, "own");
  }
  return model;
}

TEST(Functions, RefusesChainsThatAreTooDeep) {
  EXPECT_EQ(operators(parse(chained(64))), "Relu");
  for (const int functions : {65, 60'000})
    EXPECT_EQ(parse_error(chained(functions)),
              "the model: the function 'f" + std::to_string(functions - 65) +
                  "' is called more than 64 functions and subgraphs deep");
}

}  // namespace
}  // namespace intact::testing
