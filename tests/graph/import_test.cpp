// What well-formed files hold, in all the ways the format allows.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <limits>

#include "graph/convert.hpp"
#include "proto_model.hpp"

namespace intact::testing {
namespace {

const Value* find(const Graph& graph, const std::string& name) {
  for (const Value& value : graph.values)
    if (value.name == name) return &value;
  return nullptr;
}

TEST(Import, ReadsNodesInputsAndOutputs) {
  onnx::ModelProto model = relu_model(17);
  model.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->add_dim()
      ->set_dim_param("batch");
  auto& entry = *model.add_metadata_props();
  entry.set_key("author");
  entry.set_value("somebody");
  const Graph graph = parse(model);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.nodes[0].op, "Relu");
  EXPECT_EQ(graph.nodes[0].version, 17);
  EXPECT_EQ(graph.nodes[0].sources, std::vector<std::string>{"relu"});
  ASSERT_EQ(graph.inputs.size(), 1u);
  const Value& x = graph.value(graph.inputs[0]);
  EXPECT_EQ(x.type, ElementType::f32);
  ASSERT_EQ(x.declared->size(), 2u);
  EXPECT_EQ(x.declared->at(0).value, 2);
  EXPECT_EQ(x.declared->at(1).value, -1);
  EXPECT_EQ(x.declared->at(1).symbol, "batch");
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "y");
  EXPECT_EQ(graph.metadata.at("author"), "somebody");
  EXPECT_EQ(graph.file_bytes, encode(model).size());
}

TEST(Import, OperatorSets1To25) {
  EXPECT_EQ(parse_error(relu_model(1)), "");
  EXPECT_EQ(parse(relu_model(6)).nodes.at(0).version, 7);
  EXPECT_EQ(parse_error(relu_model(25)), "");
  EXPECT_EQ(parse_error(relu_model(0)),
            "the model: operator set 0 is not supported; Intact reads 1 to 25");
  EXPECT_EQ(parse_error(relu_model(26)),
            "the model: operator set 26 is not supported; Intact reads 1 to 25");
}

TEST(Import, VersionsOfOtherDomainsAreNumbersOfSets) {
  onnx::ModelProto model = relu_model();
  onnx::OperatorSetIdProto& import = *model.add_opset_import();
  import.set_domain("org.example");
  import.set_version(2147483647);
  EXPECT_EQ(parse_error(model), "");
  for (const std::int64_t version : {std::int64_t{-1}, std::int64_t{1} << 32}) {
    import.set_version(version);
    EXPECT_EQ(parse_error(model), "the model: version " + std::to_string(version) +
                                      " of the operator set 'org.example' must lie in 0 to "
                                      "2147483647");
  }
}

TEST(Import, UnknownOperatorIsNamed) {
  onnx::ModelProto model = relu_model();
  model.mutable_graph()->mutable_node(0)->set_op_type("Frobnicate");
  model.mutable_graph()->mutable_node(0)->set_domain("org.example");
  const std::string error = parse_error(model);
  for (const char* part : {"Frobnicate", "org.example", "relu"})
    EXPECT_NE(error.find(part), std::string::npos) << error;
  EXPECT_THROW(parse(model), Unsupported);
}

TEST(Import, NamesOfNodesAreUnique) {
  onnx::ModelProto model = relu_model();
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.mutable_node(0)->set_name("Relu_2");
  for (int i = 1; i < 4; ++i) {
    onnx::NodeProto& node = *graph.add_node();
    node.set_op_type("Relu");
    node.add_input("x");
    node.add_output("y" + std::to_string(i));
    if (i == 3) node.set_name("Relu_2");
  }
  const Graph read = parse(model);
  EXPECT_EQ(read.nodes[0].name, "Relu_2");
  EXPECT_EQ(read.nodes[1].name, "Relu_1");
  EXPECT_EQ(read.nodes[2].name, "Relu_2#2");
  EXPECT_EQ(read.nodes[3].name, "Relu_2#3");
}

TEST(Import, ManyEqualNamesTakeLinearTime) {
  onnx::ModelProto model = relu_model();
  constexpr int count = 100000;
  for (int i = 0; i < count; ++i) {
    onnx::NodeProto& node = *model.mutable_graph()->add_node();
    node = model.graph().node(0);
    node.set_output(0, "y" + std::to_string(i));
  }
  const Graph read = parse(model);
  EXPECT_EQ(read.nodes.back().name, "relu#" + std::to_string(count + 1));
}

TEST(Import, RestoresTopologicalOrder) {
  onnx::ModelProto model = relu_model();
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.mutable_node(0)->set_input(0, "between");
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type("Relu");
  node.add_input("x");
  node.add_output("between");
  const Graph read = parse(model);
  EXPECT_EQ(read.nodes[0].name, "Relu_1");
  EXPECT_EQ(read.nodes[1].name, "relu");
}

TEST(Import, EmptyPermutationsAreNone) {
  onnx::ModelProto model = relu_model();
  onnx::NodeProto& node = *model.mutable_graph()->mutable_node(0);
  node.set_op_type("Transpose");
  onnx::AttributeProto& perm = *node.add_attribute();
  perm.set_name("perm");
  perm.set_type(onnx::AttributeProto::INTS);
  EXPECT_FALSE(parse(model).nodes[0].attributes.has("perm"));
  perm.add_ints(0);
  EXPECT_TRUE(parse(model).nodes[0].attributes.has("perm"));
}

TEST(Import, InitializersThatAreInputsAreConstants) {
  onnx::ModelProto model = relu_model();
  add_initializer(model, "x", 1, {2}).set_raw_data(std::string(8, '\0'));
  const Graph graph = parse(model);
  EXPECT_TRUE(graph.inputs.empty());
  EXPECT_TRUE(graph.is_constant(graph.nodes[0].inputs[0]));
}

TEST(Import, AbsentOperandsKeepTheirPlace) {
  onnx::ModelProto model = relu_model();
  onnx::NodeProto& node = *model.mutable_graph()->mutable_node(0);
  node.set_op_type("Clip");
  node.add_input("");
  node.add_input("high");
  add_initializer(model, "high", 1, {}).add_float_data(6);
  const Graph graph = parse(model);
  ASSERT_EQ(graph.nodes[0].inputs.size(), 3u);
  EXPECT_EQ(graph.nodes[0].inputs[1], no_value);
  node.set_input(2, "");
  EXPECT_EQ(parse(model).nodes[0].inputs.size(), 1u);
}

TEST(Import, FieldsOfNewerFormatsAreIgnored) {
  std::string bytes = encode(relu_model());
  bytes += std::string("\xfa\x3f\x03new", 6);  // field 1023, a string
  bytes += std::string("\xf0\x3f\x05", 3);     // field 1022, a number
  EXPECT_EQ(parse_error(bytes), "");
}

TEST(Import, Attributes) {
  onnx::ModelProto model = relu_model();
  onnx::NodeProto& node = *model.mutable_graph()->mutable_node(0);
  const auto add = [&](const char* name, onnx::AttributeProto::AttributeType type) -> auto& {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  };
  add("int", onnx::AttributeProto::INT).set_i(-3);
  add("float", onnx::AttributeProto::FLOAT).set_f(0.5f);
  add("string", onnx::AttributeProto::STRING).set_s("text");
  add("ints", onnx::AttributeProto::INTS).add_ints(4);
  add("floats", onnx::AttributeProto::FLOATS).add_floats(1.5f);
  add("strings", onnx::AttributeProto::STRINGS).add_strings("a");
  onnx::TensorProto& tensor = *add("tensor", onnx::AttributeProto::TENSOR).mutable_t();
  tensor.set_data_type(7);
  tensor.add_int64_data(11);
  const Attributes read = parse(model).nodes[0].attributes;
  EXPECT_EQ(read.integer("int", 0), -3);
  EXPECT_EQ(read.number("float", 0), 0.5f);
  EXPECT_EQ(read.text("string", ""), "text");
  EXPECT_EQ(read.integers("ints"), std::vector<std::int64_t>{4});
  EXPECT_EQ(read.numbers("floats"), std::vector<float>{1.5f});
  EXPECT_EQ(read.tensor("tensor").data<std::int64_t>()[0], 11);
  add("int", onnx::AttributeProto::INT).set_i(1);
  EXPECT_EQ(parse_error(model),
            "the model: attribute 'int' of Relu 'relu' (opset 13) is given twice");
}

TEST(Import, OnlyControlFlowHasSubgraphs) {
  onnx::ModelProto model = relu_model();
  onnx::AttributeProto& attribute = *model.mutable_graph()->mutable_node(0)->add_attribute();
  attribute.set_name("then_branch");
  attribute.set_type(onnx::AttributeProto::GRAPH);
  attribute.mutable_g()->add_output()->set_name("x");
  EXPECT_NE(parse_error(model).find("'then_branch' of Relu 'relu'"), std::string::npos);
}

TEST(Import, OtherThanTensorsIsUnsupported) {
  onnx::ModelProto model = relu_model();
  model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_map_type();
  EXPECT_THROW(parse(model), Unsupported);
  model = relu_model();
  model.mutable_graph()->add_sparse_initializer()->mutable_values()->set_name("s");
  EXPECT_THROW(parse(model), Unsupported);
  model = relu_model();
  add_initializer(model, "s", 8, {1}).add_string_data("text");
  EXPECT_EQ(parse_error(model), "the model: initializer 's': strings are not supported");
  model = relu_model();
  add_initializer(model, "f4", 23, {1}).set_raw_data("x");
  EXPECT_EQ(parse_error(model),
            "the model: initializer 'f4': ONNX element type 23 is not supported");
}

/// Reads one initializer.
Tensor read(const std::function<void(onnx::TensorProto&)>& fill, int type,
            const std::vector<std::int64_t>& dims) {
  onnx::ModelProto model = relu_model();
  fill(add_initializer(model, "t", type, dims));
  return find(parse(model), "t")->constant;
}

template <class T>
std::vector<T> elements(const Tensor& tensor) {
  return {tensor.data<T>().begin(), tensor.data<T>().end()};
}

TEST(ImportTensors, TypedFields) {
  using Proto = onnx::TensorProto;
  const auto f32 = read([](Proto& t) { t.add_float_data(1.5f); }, 1, {1});
  EXPECT_EQ(elements<float>(f32), std::vector<float>{1.5f});
  const auto f64 = read([](Proto& t) { t.add_double_data(1.5); }, 11, {1});
  EXPECT_EQ(elements<double>(f64), std::vector<double>{1.5});
  const auto s64 = read([](Proto& t) { t.add_int64_data(-1LL << 40); }, 7, {});
  EXPECT_EQ(elements<std::int64_t>(s64), std::vector<std::int64_t>{-1LL << 40});
  const auto u64 = read([](Proto& t) { t.add_uint64_data(~0ULL); }, 13, {1});
  EXPECT_EQ(elements<std::uint64_t>(u64), std::vector<std::uint64_t>{~0ULL});
  const auto u32 = read([](Proto& t) { t.add_uint64_data(~0U); }, 12, {1});
  EXPECT_EQ(elements<std::uint32_t>(u32), std::vector<std::uint32_t>{~0U});
  const auto narrow = [](std::int32_t value) {
    return [value](Proto& t) { t.add_int32_data(value); };
  };
  EXPECT_EQ(elements<std::int32_t>(read(narrow(-70000), 6, {1}))[0], -70000);
  EXPECT_EQ(elements<std::int16_t>(read(narrow(-300), 5, {1}))[0], -300);
  EXPECT_EQ(elements<std::uint16_t>(read(narrow(60000), 4, {1}))[0], 60000);
  EXPECT_EQ(elements<std::int8_t>(read(narrow(-5), 3, {1}))[0], -5);
  EXPECT_EQ(elements<std::uint8_t>(read(narrow(200), 2, {1}))[0], 200);
  EXPECT_EQ(elements<bool>(read(narrow(2), 9, {1}))[0], true);
  EXPECT_EQ(elements<std::uint16_t>(read(narrow(0x3c00), 10, {1}))[0], 0x3c00);
  EXPECT_EQ(read(narrow(0x3f80), 16, {1}).type(), ElementType::bf16);
}

TEST(ImportTensors, RawData) {
  const auto raw = [](std::string bytes) {
    return [bytes](onnx::TensorProto& t) { t.set_raw_data(bytes); };
  };
  const Tensor floats = read(raw(std::string("\0\0\x80\x3f\0\0\0\xc0", 8)), 1, {2, 1});
  EXPECT_EQ(elements<float>(floats), (std::vector<float>{1.0f, -2.0f}));
  EXPECT_EQ(floats.shape(), (Shape{2, 1}));
  EXPECT_EQ(elements<bool>(read(raw(std::string("\0\x07", 2)), 9, {2})),
            (std::vector<bool>{false, true}));
  EXPECT_EQ(read(raw(""), 1, {0, 5}).size(), 0);
}

TEST(ImportTensors, FourBitsAreOnePerByte) {
  const auto raw = [](onnx::TensorProto& t) { t.set_raw_data(std::string("\x81\x7f\x0a", 3)); };
  EXPECT_EQ(elements<std::uint8_t>(read(raw, 21, {5})),
            (std::vector<std::uint8_t>{1, 8, 15, 7, 10}));
  EXPECT_EQ(elements<std::int8_t>(read(raw, 22, {5})),
            (std::vector<std::int8_t>{1, -8, -1, 7, -6}));
  const auto typed = [](onnx::TensorProto& t) {
    t.add_int32_data(0x81);
    t.add_int32_data(0x07);
  };
  EXPECT_EQ(elements<std::int8_t>(read(typed, 22, {3})), (std::vector<std::int8_t>{1, -8, 7}));
}

TEST(ImportTensors, TwoBitsAreOnePerByte) {
  const auto raw = [](onnx::TensorProto& t) { t.set_raw_data(std::string("\xe4\x02", 2)); };
  EXPECT_EQ(elements<std::uint8_t>(read(raw, 25, {5})), (std::vector<std::uint8_t>{0, 1, 2, 3, 2}));
  EXPECT_EQ(elements<std::int8_t>(read(raw, 26, {5})),
            (std::vector<std::int8_t>{0, 1, -2, -1, -2}));
}

TEST(ImportTensors, EightBitFloats) {
  const auto value = [](std::uint8_t bits, int type) {
    const auto raw = [bits](onnx::TensorProto& t) {
      t.set_raw_data(std::string(1, static_cast<char>(bits)));
    };
    return convert(read(raw, type, {1}), ElementType::f32).data<float>()[0];
  };
  EXPECT_EQ(value(0x38, 17), 1.0f);
  EXPECT_EQ(value(0x7e, 17), 448.0f);
  EXPECT_EQ(value(0x81, 17), -1.0f / 512);
  EXPECT_TRUE(std::isnan(value(0xff, 17)));
  EXPECT_EQ(value(0x7f, 18), 240.0f);
  EXPECT_TRUE(std::isnan(value(0x80, 18)));
  EXPECT_EQ(value(0x3c, 19), 1.0f);
  EXPECT_EQ(value(0xfb, 19), -57344.0f);
  EXPECT_EQ(value(0x7c, 19), std::numeric_limits<float>::infinity());
  EXPECT_EQ(value(0x7f, 20), 57344.0f);
}

TEST(ImportTensors, FileOfItsOwn) {
  onnx::TensorProto proto;
  proto.set_name("weights");
  proto.set_data_type(1);
  proto.add_dims(1);
  proto.add_float_data(2.5f);
  const auto path = std::filesystem::path(::testing::TempDir()) / "intact_tensor.pb";
  std::FILE* file = std::fopen(path.c_str(), "wb");
  const std::string bytes = proto.SerializeAsString();
  ASSERT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
  std::fclose(file);
  std::string name;
  EXPECT_EQ(load_tensor_proto(path, &name).data<float>()[0], 2.5f);
  EXPECT_EQ(name, "weights");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace intact::testing
