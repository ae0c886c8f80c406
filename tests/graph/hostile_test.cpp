// Broken and malicious models: each is refused with a reason, none crashes or takes memory that the
// file does not hold.
#include <gtest/gtest.h>

#include <random>

#include "graph/passes/passes.hpp"
#include "model_builder.hpp"
#include "proto_model.hpp"

namespace intact::testing {
namespace {

TEST(Hostile, EmptyAndGarbage) {
  EXPECT_EQ(parse_error(std::string()), "the model is not an ONNX model (it is empty)");
  EXPECT_EQ(parse_error(std::string("not a model at all")),
            "the model is not an ONNX model (its protobuf encoding is broken or cut off)");
  onnx::ModelProto empty;
  empty.set_ir_version(7);
  EXPECT_EQ(parse_error(empty), "the model is not an ONNX model (it has no graph)");
  std::mt19937 generator(1);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(1 + generator() % 60, '\0');
    for (char& byte : bytes) byte = static_cast<char>(generator());
    EXPECT_NE(parse_error(bytes), "");
  }
}

std::string sample_model() {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 2, 8, 8});
  const ValueId w = model.constant("w", random_integers<std::int8_t>({4, 2, 3, 3}, 1));
  const ValueId y = model.node("Conv", "conv",
                               {model.round("x", x, 0.02f, std::uint8_t{128}),
                                model.dequantize("w.dq", w, 0.01f, std::int8_t{0})},
                               {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  const Graph graph = model.build({y});
  const std::vector<std::byte> bytes = serialize_onnx(graph);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Hostile, TruncatedAnywhere) {
  const std::string bytes = sample_model();
  ASSERT_EQ(parse_error(bytes), "");
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_NE(parse_error(bytes.substr(0, size)), "") << size << " of " << bytes.size();
}

TEST(Hostile, FlippedBytesAreReadOrRefused) {
  const std::string bytes = sample_model();
  std::mt19937 generator(7);
  for (int i = 0; i < 3000; ++i) {
    std::string changed = bytes;
    for (int k = 0; k < 3; ++k)
      changed[generator() % changed.size()] = static_cast<char>(generator());
    try {
      Graph graph = parse(changed);
      canonicalize(graph);
    } catch (const Error&) {
      // Refused: fine. Anything else fails the test.
    }
  }
}

TEST(Hostile, SizesThatDoNotFitTheData) {
  const auto error = [](const std::vector<std::int64_t>& dims, int type = 1) {
    onnx::ModelProto model = relu_model();
    add_initializer(model, "w", type, dims).set_raw_data(std::string(8, 'x'));
    return parse_error(model);
  };
  EXPECT_EQ(error({2}), "");
  EXPECT_EQ(error({3}),
            "the model: initializer 'w': shape [3] of f32 needs 12 bytes, but the file holds 8");
  EXPECT_EQ(error({1LL << 40}),
            "the model: initializer 'w': shape [1099511627776] of f32 needs 4398046511104 bytes, "
            "but the file holds 8");
  EXPECT_EQ(error({-1, -2}), "the model: initializer 'w': shape [-1,-2] has a negative extent");
  EXPECT_EQ(
      error({1LL << 40, 1LL << 40}),
      "the model: initializer 'w': shape [1099511627776,1099511627776] has more elements than "
      "fit into 64 bits");
  EXPECT_NE(error({1LL << 62}, 11), "");
  EXPECT_NE(error({17}, 21), "");
}

TEST(Hostile, TypedDataOfTheWrongSize) {
  onnx::ModelProto model = relu_model();
  onnx::TensorProto& tensor = add_initializer(model, "w", 1, {3});
  tensor.add_float_data(1);
  EXPECT_EQ(parse_error(model),
            "the model: initializer 'w': shape [3] of f32 needs 3 elements, but the file holds 1");
  tensor.clear_float_data();
  tensor.add_int64_data(1);
  EXPECT_NE(parse_error(model), "");
}

TEST(Hostile, Cycles) {
  onnx::ModelProto model = relu_model();
  onnx::NodeProto& node = *model.mutable_graph()->add_node();
  node.set_op_type("Relu");
  node.set_name("back");
  node.add_input("y");
  node.add_output("z");
  model.mutable_graph()->mutable_node(0)->set_input(0, "z");
  EXPECT_NE(parse_error(model).find("acyclic"), std::string::npos) << parse_error(model);
  model = relu_model();
  model.mutable_graph()->mutable_node(0)->set_input(0, "y");
  EXPECT_NE(parse_error(model).find("acyclic"), std::string::npos);
}

TEST(Hostile, NamesThatDoNotResolve) {
  onnx::ModelProto model = relu_model();
  model.mutable_graph()->mutable_node(0)->set_input(0, "nowhere");
  EXPECT_EQ(
      parse_error(model),
      "the model: input 'nowhere' of Relu 'relu' (opset 13) is no graph input, no initializer "
      "and no node's output");
  model = relu_model();
  model.mutable_graph()->mutable_output(0)->set_name("nowhere");
  EXPECT_EQ(parse_error(model), "the model: graph output 'nowhere' is produced by no node");
  model = relu_model();
  model.mutable_graph()->clear_output();
  EXPECT_EQ(parse_error(model), "the model: the graph has no outputs; it must have at least one");
}

TEST(Hostile, TwoProducersOfOneTensor) {
  onnx::ModelProto model = relu_model();
  *model.mutable_graph()->add_node() = model.graph().node(0);
  EXPECT_EQ(parse_error(model),
            "the model: tensor 'y' is defined twice, the second time by Relu 'relu#2' (opset 13)");
  model = relu_model();
  model.mutable_graph()->mutable_node(0)->set_output(0, "x");
  EXPECT_NE(parse_error(model), "");
  model = relu_model();
  for (int i = 0; i < 2; ++i) add_initializer(model, "w", 1, {1}).add_float_data(1);
  EXPECT_NE(parse_error(model), "");
  model = relu_model();
  *model.mutable_graph()->add_input() = model.graph().input(0);
  EXPECT_NE(parse_error(model), "");
}

TEST(Hostile, OurOwnDomainIsNotForFiles) {
  onnx::ModelProto model = relu_model();
  model.mutable_graph()->mutable_node(0)->set_op_type("Round");
  model.mutable_graph()->mutable_node(0)->set_domain("intact");
  EXPECT_THROW(parse(model), Unsupported);
}

TEST(Hostile, NoOperatorSet) {
  onnx::ModelProto model = relu_model();
  model.clear_opset_import();
  EXPECT_EQ(parse_error(model), "the model: the model names no operator set; it must import one");
  model.add_opset_import()->set_domain("com.microsoft");
  model.mutable_opset_import(0)->set_version(1);
  EXPECT_EQ(
      parse_error(model),
      "the model: node 'relu' uses ONNX operators, but the model imports no ONNX operator set");
}

TEST(Hostile, GraphGivenTwiceIsMergedAsProtobufSays) {
  // Initializers of both parts keep their own data.
  onnx::ModelProto first = relu_model(), second;
  add_initializer(first, "a", 2, {1}).set_raw_data("A");
  add_initializer(second, "b", 2, {1}).set_raw_data("B");
  const Graph graph = parse(encode(first) + encode(second));
  for (const Value& value : graph.values) {
    if (!value.is_constant()) continue;
    EXPECT_EQ(value.constant.data<std::uint8_t>()[0], value.name == "a" ? 'A' : 'B');
  }
}

TEST(Hostile, MissingFilesAndFolders) {
  EXPECT_THROW(load_onnx("/nonexistent/model.onnx"), Error);
  EXPECT_THROW(load_onnx("/"), Error);
  EXPECT_THROW(load_onnx("/dev/null"), Error);
}

}  // namespace
}  // namespace intact::testing
