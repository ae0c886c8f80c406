// Writing models: the canonical form as standard operators, older operator sets raised, and files
// that are complete or not there.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "canonical.hpp"
#include "evaluate.hpp"
#include "graph/onnx/upgrade.hpp"
#include "intact/error.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

namespace fs = std::filesystem;

Graph written(const Graph& graph) {
  return parse_onnx(serialize_onnx(graph));
}

const Node* find_node(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes)
    if (node.name == name) return &node;
  return nullptr;
}

TEST(Export, CanonicalFormBecomesQuantizeAndDequantize) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 2, 4, 4});
  const ValueId w = model.constant("w", random_integers<std::int8_t>({3, 2, 3, 3}, 1));
  const ValueId s = model.vector<float>("s", {0.01f, 0.02f, 0.03f});
  const ValueId z = model.vector<std::int8_t>("z", {0, 0, 0});
  const ValueId bias = model.vector<std::int32_t>("bias", {100, -5000, 7});
  const ValueId bs = model.vector<float>("bs", {0.0002f, 0.0004f, 0.0006f});
  const AttributeList channels = {{"axis", std::int64_t{0}}};
  const ValueId conv = model.node("Conv", "conv",
                                  {model.round("x", x, 0.02f, std::uint8_t{128}),
                                   model.node("DequantizeLinear", "w.dq", {w, s, z}, channels),
                                   model.node("DequantizeLinear", "b.dq", {bias, bs}, channels)});
  const Graph raw = model.build({model.round("y", conv, 0.3f, std::uint8_t{120})});
  const Graph graph = canonical(raw);
  const Graph again = written(graph);
  EXPECT_EQ(operators(again),
            "QuantizeLinear DequantizeLinear DequantizeLinear DequantizeLinear Conv QuantizeLinear "
            "DequantizeLinear");
  EXPECT_EQ(again.value(again.inputs[0]).name, "x");
  EXPECT_EQ(again.value(again.outputs[0]).name, "y.dq.0");
  EXPECT_NE(find_node(again, "conv"), nullptr);
  const std::vector<Tensor> inputs = {random_floats({1, 2, 4, 4}, 2)};
  expect_same_meaning(raw, again, inputs, 0);
  EXPECT_EQ(operators(canonical(again)), operators(graph));
}

TEST(Export, IntegersBetweenRoundAndOutput) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::u8, {1, 8});
  const ValueId relu =
      model.node("Relu", "relu", {model.dequantize("x.dq", x, 0.5f, std::uint8_t{3})});
  const ValueId y = model.quantize("y", relu, 0.25f, std::int8_t{-5});
  const ValueId moved = model.node("Transpose", "transpose", {y});
  const ValueId other = model.dequantize("other", y, 0.125f, std::int8_t{7});
  model.graph().value(y).type = ElementType::s8;
  model.graph().value(moved).type = ElementType::s8;
  const Graph raw = model.build({y, moved, other});
  const Graph again = written(canonical(raw));
  // The second QuantizeLinear returns the integers of what was transposed on its grid.
  EXPECT_EQ(operators(again),
            "DequantizeLinear Relu QuantizeLinear DequantizeLinear Transpose QuantizeLinear "
            "DequantizeLinear");
  EXPECT_EQ(again.value(again.outputs[0]).name, "y.0");
  expect_same_meaning(raw, again, {random_integers<std::uint8_t>({1, 8}, 2)}, 0);
}

TEST(Export, ChannelGridsNeedOpset13) {
  ModelBuilder model(11);
  const ValueId x = model.input("x", ElementType::f32, {2, 3});
  const ValueId clipped = model.node("Clip", "clip", {x, no_value, model.scalar("high", 0.5f)});
  const ValueId wide =
      model.node("Unsqueeze", "unsqueeze", {clipped}, {{"axes", std::vector<std::int64_t>{0}}});
  Graph graph = canonical(model.build({wide}));
  EXPECT_EQ(written(graph).opsets.at(""), 11);
  const Grid grid{ElementType::s8, {0.5f, 0.25f}, {0, 0}, 0};
  const ValueId w = graph.add_constant("w", random_integers<std::int8_t>({2, 3}, 1));
  graph.value(w).grid = grid;
  graph.value(w).type = ElementType::f32;
  Node add;
  add.op = "Add";
  add.version = 11;
  add.name = "add";
  add.inputs = {graph.outputs[0], w};
  add.outputs = {graph.add_value("sum", ElementType::f32)};
  graph.outputs = add.outputs;
  graph.nodes.push_back(add);
  const Graph again = written(graph);
  EXPECT_EQ(again.opsets.at(""), 13);
  EXPECT_EQ(find_node(again, "unsqueeze")->inputs.size(), 2u);
  expect_same_meaning(graph, again, {random_floats({2, 3}, 2)}, 0);
}

TEST(Export, SixteenAndFourBitsNeedOpset21) {
  ModelBuilder model(13);
  const ValueId x = model.input("x", ElementType::f32, {8});
  Graph graph = model.build({model.node("Relu", "relu", {x})});
  for (const ElementType type : {ElementType::u16, ElementType::s4}) {
    Graph changed = graph;
    Node round;
    round.op = "Round";
    round.domain = "intact";
    round.version = 1;
    round.name = "round";
    round.grid = Grid{type, {0.1f}, {2}, std::nullopt};
    round.inputs = {changed.outputs[0]};
    round.outputs = {changed.add_value("rounded", ElementType::f32)};
    changed.value(round.outputs[0]).grid = round.grid;
    changed.outputs = round.outputs;
    changed.nodes.push_back(round);
    const Graph again = written(changed);
    EXPECT_EQ(again.opsets.at(""), 21);
    expect_same_meaning(changed, again, {random_floats({8}, 2)}, 0);
    EXPECT_EQ(canonical(again).nodes[1].grid, round.grid);
  }
}

TEST(Export, AttributesMetadataAndSymbolsSurvive) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {-1, 3});
  model.graph().value(x).declared->at(0).symbol = "batch";
  model.graph().metadata["author"] = "somebody";
  const ValueId y = model.node("Relu", "relu", {x},
                               {{"int", std::int64_t{3}},
                                {"float", 0.5f},
                                {"string", std::string("text")},
                                {"ints", std::vector<std::int64_t>{1, 2}},
                                {"floats", std::vector<float>{1.5f}},
                                {"strings", std::vector<std::string>{"a", "b"}},
                                {"tensor", Tensor::scalar(2.5f)}});
  const Graph graph = model.build({y});
  EXPECT_EQ(graph.value(graph.inputs[0]).declared->at(0).symbol, "batch");
  EXPECT_EQ(graph.metadata.at("author"), "somebody");
  const Attributes& read = graph.nodes[0].attributes;
  EXPECT_EQ(read.integer("int", 0), 3);
  EXPECT_EQ(read.number("float", 0), 0.5f);
  EXPECT_EQ(read.text("string", ""), "text");
  EXPECT_EQ(read.integers("ints"), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(read.numbers("floats"), std::vector<float>{1.5f});
  EXPECT_EQ(std::get<std::vector<std::string>>(read.all().at("strings")),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(read.tensor("tensor").data<float>()[0], 2.5f);
}

TEST(Export, ReplacesTheFileAndLeavesNothingElse) {
  const fs::path folder =
      fs::path(::testing::TempDir()) / ("intact_export_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {2});
  const Graph graph = model.build({model.node("Relu", "relu", {x})});
  std::ofstream(folder / "model.onnx") << "old";
  save_onnx(graph, folder / "model.onnx");
  EXPECT_EQ(operators(load_onnx(folder / "model.onnx")), "Relu");
  fs::create_directories(folder / "taken.onnx");
  EXPECT_THROW(save_onnx(graph, folder / "taken.onnx"), Error);
  EXPECT_THROW(save_onnx(graph, folder / "nowhere" / "model.onnx"), Error);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 2);
  fs::remove_all(folder);
}

/// Constants above and below the size from which they are kept in another file.
Graph with_constants() {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {16, 40});
  const ValueId w = model.constant("w", random_integers<std::int8_t>({40, 40}, 1));
  const ValueId real =
      model.node("DequantizeLinear", "dq", {w, model.vector<float>("scale", {0.01f})});
  const ValueId y =
      model.node("MatMul", "matmul", {model.round("x", x, 0.02f, std::uint8_t{128}), real});
  const ValueId floats = model.constant("floats", random_floats({16, 40}, 2));
  return model.build({model.node("Add", "add", {y, floats}),
                      model.node("Mul", "mul", {floats, model.vector<float>("two", {2})})});
}

TEST(Export, KeepsConstantsInAFileBesideWhenTheyAreMany) {
  const fs::path folder =
      fs::path(::testing::TempDir()) / ("intact_export_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const Graph graph = with_constants();
  const std::size_t in_one = save_onnx(graph, folder / "one.onnx");
  EXPECT_EQ(in_one, fs::file_size(folder / "one.onnx"));
  EXPECT_FALSE(fs::exists(folder / "one.onnx.data"));
  const std::size_t in_two = save_onnx(graph, folder / "two.onnx", 2000);
  EXPECT_EQ(fs::file_size(folder / "two.onnx.data"), 4096u + 16 * 40 * 4);
  EXPECT_EQ(in_two, fs::file_size(folder / "two.onnx") + fs::file_size(folder / "two.onnx.data"));
  EXPECT_LT(fs::file_size(folder / "two.onnx") + 40 * 40, in_one);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 3);
  const std::vector<Tensor> inputs = {random_floats({16, 40}, 3)};
  for (const char* name : {"one.onnx", "two.onnx"}) {
    const Graph read = load_onnx(folder / name);
    EXPECT_EQ(read.file_bytes, name[0] == 'o' ? in_one : in_two);
    expect_same_meaning(graph, read, inputs, 0);
  }
  fs::remove_all(folder);
}

TEST(Export, RereadsWithoutAFile) {
  for (const Graph& graph : {with_constants(), canonical(with_constants())}) {
    const Graph again = reread(graph), parsed = written(graph);
    EXPECT_EQ(operators(again), operators(parsed));
    EXPECT_EQ(serialize_onnx(again), serialize_onnx(parsed));
  }
}

/// A model of operator set `opset` means the same after raising it to `target`.
struct RaiseCase {
  const char* name;
  int opset, target;
  Shape input;
  ValueId (*build)(ModelBuilder&, ValueId);
  const char* wanted;
};

using Integers = std::vector<std::int64_t>;

const RaiseCase raise_cases[] = {
    {"Clip",
     7,
     13,
     {2, 3},
     [](ModelBuilder& m, ValueId x) {
       return m.node("Clip", "n", {x}, {{"min", -0.5f}, {"max", 0.25f}});
     },
     "Clip"},
    {"Dropout",
     7,
     13,
     {2, 3},
     [](ModelBuilder& m, ValueId x) {
       return m.node("Dropout", "n", {x}, {{"ratio", 0.3f}});
     },
     "Dropout"},
    {"Pad",
     7,
     13,
     {2, 3},
     [](ModelBuilder& m, ValueId x) {
       return m.node("Pad", "n", {x}, {{"pads", Integers{0, 1, 2, 0}}, {"value", 0.5f}});
     },
     "Pad"},
    {"Slice",
     9,
     13,
     {4, 5},
     [](ModelBuilder& m, ValueId x) {
       return m.node("Slice", "n", {x}, {{"starts", Integers{1, 0}}, {"ends", Integers{3, -1}}});
     },
     "Slice"},
    {"Split",
     11,
     18,
     {4, 5},
     [](ModelBuilder& m, ValueId x) {
       return m.node("Split", "n", {x}, {{"split", Integers{1, 3}}}, "", 2) + 1;
     },
     "Split"},
    {"EvenSplit",
     11,
     18,
     {4, 5},
     [](ModelBuilder& m, ValueId x) { return m.node("Split", "n", {x}, {}, "", 2) + 1; },
     "Split"},
    {"Squeeze",
     11,
     13,
     {1, 5},
     [](ModelBuilder& m, ValueId x) {
       return m.node("Squeeze", "n", {x}, {{"axes", Integers{0}}});
     },
     "Squeeze"},
    {"Unsqueeze",
     11,
     13,
     {4, 5},
     [](ModelBuilder& m, ValueId x) {
       return m.node("Unsqueeze", "n", {x}, {{"axes", Integers{0, 2}}});
     },
     "Unsqueeze"},
    {"ReduceSum",
     11,
     13,
     {4, 5},
     [](ModelBuilder& m, ValueId x) {
       return m.node("ReduceSum", "n", {x}, {{"axes", Integers{1}}, {"keepdims", std::int64_t{0}}});
     },
     "ReduceSum"},
    {"ReduceMean",
     13,
     18,
     {4, 5},
     [](ModelBuilder& m, ValueId x) {
       return m.node("ReduceMean", "n", {x}, {{"axes", Integers{1}}});
     },
     "ReduceMean"},
    {"Softmax",
     11,
     13,
     {2, 3, 4},
     [](ModelBuilder& m, ValueId x) { return m.node("Softmax", "n", {x}); },
     "Shape Flatten Softmax Reshape"},
    {"SoftmaxOfTheLastAxis",
     11,
     13,
     {2, 3, 4},
     [](ModelBuilder& m, ValueId x) {
       return m.node("Softmax", "n", {x}, {{"axis", std::int64_t{2}}});
     },
     "Softmax"},
    {"Upsample",
     7,
     13,
     {1, 1, 3, 4},
     [](ModelBuilder& m, ValueId x) {
       return m.node(
           "Upsample", "n", {x},
           {{"mode", std::string("nearest")}, {"scales", std::vector<float>{1, 1, 2, 1.5f}}});
     },
     "Resize"},
    {"Upsample9",
     9,
     13,
     {1, 1, 3, 4},
     [](ModelBuilder& m, ValueId x) {
       return m.node("Upsample", "n", {x, m.vector<float>("scales", {1, 1, 2, 2})},
                     {{"mode", std::string("linear")}});
     },
     "Resize"},
    {"Resize",
     10,
     13,
     {1, 1, 3, 4},
     [](ModelBuilder& m, ValueId x) {
       return m.node("Resize", "n", {x, m.vector<float>("scales", {1, 1, 3, 0.5f})},
                     {{"mode", std::string("linear")}});
     },
     "Resize"},
    {"TopK",
     9,
     13,
     {4, 5},
     [](ModelBuilder& m, ValueId x) {
       return m.node("TopK", "n", {x}, {{"k", std::int64_t{2}}}, "", 2);
     },
     "TopK"},
    {"BatchNormalization",
     7,
     15,
     {1, 2, 3, 4},
     [](ModelBuilder& m, ValueId x) {
       const ValueId one = m.vector<float>("one", {1.0f, 2.0f});
       return m.node("BatchNormalization", "n", {x, one, one, one, one},
                     {{"spatial", std::int64_t{1}}});
     },
     "BatchNormalization"},
};

class RaiseOpset : public ::testing::TestWithParam<RaiseCase> {};

TEST_P(RaiseOpset, KeepsTheMeaning) {
  const RaiseCase& c = GetParam();
  ModelBuilder model(c.opset);
  const ValueId x = model.input("x", ElementType::f32, c.input);
  const Graph before = model.build({c.build(model, x)});
  Graph after = before;
  raise_opset(after, c.target);
  EXPECT_EQ(after.opsets.at(""), c.target);
  for (const Node& node : after.nodes) EXPECT_EQ(node.version, c.target);
  EXPECT_EQ(operators(after), c.wanted);
  after = written(after);
  expect_same_meaning(before, after, {random_floats(c.input, 1)}, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Operators, RaiseOpset, ::testing::ValuesIn(raise_cases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(RaiseOpsetErrors, NameTheNode) {
  ModelBuilder model(7);
  const ValueId x = model.input("x", ElementType::f32, {1, 2});
  const ValueId one = model.vector<float>("one", {1.0f, 2.0f});
  Graph graph = model.build({model.node("BatchNormalization", "bn", {x, one, one, one, one},
                                        {{"spatial", std::int64_t{0}}})});
  try {
    raise_opset(graph, 13);
    FAIL();
  } catch (const Unsupported& error) {
    EXPECT_STREQ(error.what(),
                 "BatchNormalization 'bn' (opset 7) cannot be written for opset 13: spatial is 0");
  }
}

TEST(RaiseOpsetErrors, NodesWithoutOperandsAreRefused) {
  for (const std::string op : {"Resize", "Softmax"}) {
    ModelBuilder model(10);
    model.node(op, "n", {});
    Graph graph = model.graph();
    EXPECT_EQ(error_of([&] { raise_opset(graph, 13); }),
              op + " 'n' (opset 10) cannot be written for opset 13: it has no input 0");
  }
}

}  // namespace
}  // namespace intact::testing
