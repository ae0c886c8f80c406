// The canonical form, row by row of what can be in a file, and that its meaning is the file's.
#include "graph/passes/passes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "canonical.hpp"
#include "graph/definition.hpp"
#include "graph/passes/invariants.hpp"
#include "intact/error.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

const Grid u8_grid{ElementType::u8, {0.02f}, {128}, std::nullopt};

TEST(ImportQuantization, PairBecomesRound) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 2, 4, 4});
  const ValueId w = model.constant("w", random_integers<std::int8_t>({3, 2, 3, 3}, 1));
  const ValueId y = model.node("Conv", "conv",
                               {model.round("x", x, 0.02f, std::uint8_t{128}),
                                model.dequantize("w.dq", w, 0.01f, std::int8_t{0})});
  const Graph raw = model.build({y});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "Round Conv");
  const Node& round = graph.nodes[0];
  EXPECT_EQ(round.grid, u8_grid);
  EXPECT_EQ(round.sources, (std::vector<std::string>{"x.q", "x.dq"}));
  EXPECT_EQ(graph.value(round.outputs[0]).grid, u8_grid);
  EXPECT_EQ(graph.nodes[1].inputs[0], round.outputs[0]);
  expect_same_meaning(raw, graph, {random_floats({1, 2, 4, 4}, 2)}, 0);
}

TEST(ImportQuantization, IntegerInitializerBecomesConstantOnGrid) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 2});
  const ValueId w = model.constant("w", random_integers<std::int8_t>({2, 3}, 1));
  const ValueId s = model.vector<float>("s", {0.5f, 0.25f, 0.125f});
  const ValueId z = model.vector<std::int8_t>("z", {0, 0, 0});
  const ValueId y = model.node(
      "MatMul", "matmul",
      {x, model.node("DequantizeLinear", "dq", {w, s, z}, {{"axis", std::int64_t{-1}}})});
  const Graph raw = model.build({y});
  const Graph graph = canonical(raw);
  ASSERT_EQ(operators(graph), "MatMul");
  const Value& weights = graph.value(graph.nodes[0].inputs[1]);
  ASSERT_TRUE(weights.grid.has_value());
  EXPECT_EQ(weights.grid->axis, 1);
  EXPECT_EQ(weights.grid->scale, (std::vector<float>{0.5f, 0.25f, 0.125f}));
  EXPECT_EQ(weights.constant.type(), ElementType::s8);
  EXPECT_EQ(weights.type, ElementType::f32);
  EXPECT_EQ(graph.removed.at(0).sources, std::vector<std::string>{"dq"});
  expect_same_meaning(raw, graph, {random_floats({1, 2}, 2)}, 0);
}

TEST(ImportQuantization, FloatWeightBehindPairBecomesConstantOnGrid) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 2});
  const ValueId w = model.constant("w", random_floats({2, 3}, 1));
  const ValueId y = model.node("MatMul", "matmul", {x, model.round("w", w, 0.01f, std::int8_t{0})});
  const Graph raw = model.build({y});
  const Graph graph = canonical(raw);
  ASSERT_EQ(operators(graph), "MatMul");
  const Value& weights = graph.value(graph.nodes[0].inputs[1]);
  ASSERT_TRUE(weights.grid.has_value());
  EXPECT_EQ(weights.constant.type(), ElementType::s8);
  expect_same_meaning(raw, graph, {random_floats({1, 2}, 2)}, 0);
}

TEST(ImportQuantization, MovedWeightsKeepTheirChannels) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 6});
  const ValueId w = model.constant("w", random_integers<std::int8_t>({3, 2, 3}, 1));
  const ValueId s = model.vector<float>("s", {0.5f, 0.25f, 0.125f});
  const ValueId z = model.vector<std::int8_t>("z", {0, 0, 0});
  const ValueId dq = model.node("DequantizeLinear", "dq", {w, s, z}, {{"axis", std::int64_t{0}}});
  const ValueId shape = model.vector<std::int64_t>("shape", {3, 6});
  const ValueId reshaped = model.node("Reshape", "reshape", {dq, shape});
  const ValueId transposed =
      model.node("Transpose", "transpose", {reshaped}, {{"perm", std::vector<std::int64_t>{1, 0}}});
  const Graph raw = model.build({model.node("MatMul", "matmul", {x, transposed})});
  const Graph graph = canonical(raw);
  ASSERT_EQ(operators(graph), "MatMul");
  const Value& weights = graph.value(graph.nodes[0].inputs[1]);
  ASSERT_TRUE(weights.grid.has_value());
  EXPECT_EQ(weights.grid->axis, 1);
  EXPECT_EQ(weights.constant.shape(), (Shape{6, 3}));
  expect_same_meaning(raw, graph, {random_floats({1, 6}, 2)}, 0);
}

TEST(ImportQuantization, JoinedChannelsRepeatTheirScales) {
  const auto weights = [](std::int64_t axis, const Shape& to) {
    ModelBuilder model;
    const ValueId x = model.input("x", ElementType::f32, {1, to[0]});
    const ValueId w = model.constant("w", random_integers<std::int8_t>({2, 3, 2}, 1));
    const std::vector<float> scales = {0.5f, 0.25f, 0.125f};
    const auto count = axis == 1 ? 3 : 2;
    const ValueId s =
        model.vector<float>("s", std::vector<float>(scales.begin(), scales.begin() + count));
    const ValueId dq = model.node("DequantizeLinear", "dq", {w, s}, {{"axis", axis}});
    const ValueId reshaped =
        model.node("Reshape", "reshape", {dq, model.vector<std::int64_t>("shape", to)});
    const Graph raw = model.build({model.node("MatMul", "matmul", {x, reshaped})});
    const Graph graph = canonical(raw);
    expect_same_meaning(raw, graph, {random_floats({1, to[0]}, 2)}, 0);
    return graph.value(graph.nodes.at(0).inputs[1]).grid;
  };
  using Scales = std::vector<float>;
  const auto inner = weights(2, {2, 6}), middle = weights(1, {2, 6}), outer = weights(0, {6, 2});
  ASSERT_TRUE(inner && middle && outer);
  EXPECT_EQ(inner->axis, 1);
  EXPECT_EQ(inner->scale, (Scales{0.5f, 0.25f, 0.5f, 0.25f, 0.5f, 0.25f}));
  EXPECT_EQ(middle->axis, 1);
  EXPECT_EQ(middle->scale, (Scales{0.5f, 0.5f, 0.25f, 0.25f, 0.125f, 0.125f}));
  EXPECT_EQ(outer->axis, 0);
  EXPECT_EQ(outer->scale, (Scales{0.5f, 0.5f, 0.5f, 0.25f, 0.25f, 0.25f}));
  // The channels are taken apart.
  EXPECT_FALSE(weights(1, {4, 3}));
}

TEST(ImportQuantization, OtherParametersStay) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {8});
  const ValueId q = model.quantize("q", x, 0.02f, std::uint8_t{128});
  const Graph raw =
      model.build({model.node("Relu", "relu", {model.dequantize("dq", q, 0.5f, std::uint8_t{3})})});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "Round Bytes FromBytes Relu");
  expect_same_meaning(raw, graph, {random_floats({8}, 2)}, 0);
}

TEST(ImportQuantization, IntegerInputAndOutput) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::u8, {8});
  const ValueId y = model.quantize(
      "q", model.node("Relu", "relu", {model.dequantize("dq", x, 0.5f, std::uint8_t{3})}), 0.25f,
      std::int8_t{-5});
  model.graph().value(y).type = ElementType::s8;
  const Graph raw = model.build({y});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "FromBytes Relu Round Bytes");
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "q.0");
  EXPECT_EQ(graph.value(graph.outputs[0]).type, ElementType::s8);
  expect_same_meaning(raw, graph, {random_integers<std::uint8_t>({8}, 2)}, 0);
}

TEST(ImportQuantization, RealOutputKeepsItsName) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {8});
  const Graph raw = model.build({model.round("y", x, 0.02f, std::uint8_t{128})});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "Round");
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "y.dq.0");
}

TEST(ImportQuantization, ScaleOfAConstantNode) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {8});
  const ValueId s = model.node("Constant", "s", {}, {{"value", Tensor::scalar(0.5f)}});
  const ValueId z = model.node("Constant", "z", {}, {{"value", Tensor::scalar(std::uint8_t{7})}});
  const ValueId q = model.node("QuantizeLinear", "q", {x, s, z});
  const Graph graph = canonical(model.build({model.node("DequantizeLinear", "dq", {q, s, z})}));
  EXPECT_EQ(operators(graph), "Round");
}

TEST(ImportQuantization, RunTimeScaleStays) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {8});
  const ValueId s = model.input("s", ElementType::f32, {});
  const ValueId z = model.scalar("z", std::uint8_t{7});
  const ValueId q = model.node("QuantizeLinear", "q", {x, s, z});
  const Graph graph = canonical(model.build({model.node("DequantizeLinear", "dq", {q, s, z})}));
  EXPECT_EQ(operators(graph), "QuantizeLinear DequantizeLinear");
}

TEST(ImportQuantization, ManyReadersOfOneTensor) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {8});
  const ValueId q = model.quantize("q", x, 0.02f, std::uint8_t{128});
  const ValueId a = model.node("Relu", "a", {model.dequantize("d1", q, 0.02f, std::uint8_t{128})});
  const ValueId b = model.node("Neg", "b", {model.dequantize("d2", q, 0.02f, std::uint8_t{128})});
  const ValueId c = model.node("Abs", "c", {model.round("again", x, 0.02f, std::uint8_t{128})});
  const ValueId d = model.node("Exp", "d", {model.round("other", x, 0.03f, std::uint8_t{128})});
  const Graph raw = model.build({a, b, c, d});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "Round Relu Neg Abs Round Exp");
  expect_same_meaning(raw, graph, {random_floats({8}, 2)}, 0);
}

TEST(CancelBytes, MovesOnIntegersBecomeMovesOnReals) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 2, 4, 4});
  const ValueId q = model.quantize("q", x, 0.02f, std::uint8_t{128});
  const ValueId pooled =
      model.node("MaxPool", "pool", {q}, {{"kernel_shape", std::vector<std::int64_t>{2, 2}}});
  const ValueId both =
      model.node("Concat", "concat", {pooled, pooled}, {{"axis", std::int64_t{1}}});
  const ValueId moved = model.node("Transpose", "transpose", {both},
                                   {{"perm", std::vector<std::int64_t>{0, 2, 3, 1}}});
  const ValueId flat =
      model.node("Reshape", "reshape", {moved, model.vector<std::int64_t>("shape", {1, -1})});
  const Graph raw = model.build(
      {model.node("Relu", "relu", {model.dequantize("dq", flat, 0.02f, std::uint8_t{128})})});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "Round MaxPool Concat Transpose Reshape Relu");
  EXPECT_EQ(graph.value(graph.nodes[4].outputs[0]).grid, u8_grid);
  expect_same_meaning(raw, graph, {random_floats({1, 2, 4, 4}, 2)}, 0);
}

TEST(CancelBytes, ConcatOfDifferentGridsStaysOnIntegers) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {4});
  const ValueId a = model.quantize("a", x, 0.02f, std::uint8_t{128});
  const ValueId b = model.quantize("b", x, 0.03f, std::uint8_t{128});
  const ValueId both = model.node("Concat", "concat", {a, b}, {{"axis", std::int64_t{0}}});
  const Graph raw = model.build({model.dequantize("dq", both, 0.02f, std::uint8_t{128})});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "Round Bytes Round Bytes Concat FromBytes");
  expect_same_meaning(raw, graph, {random_floats({4}, 2)}, 0);
}

TEST(CancelBytes, PaddingOfIntegersIsTheirReal) {
  for (const bool explicit_value : {false, true}) {
    ModelBuilder model;
    const ValueId x = model.input("x", ElementType::f32, {4});
    const ValueId q = model.quantize("q", x, 0.02f, std::uint8_t{100});
    std::vector<ValueId> inputs = {q, model.vector<std::int64_t>("pads", {1, 2})};
    if (explicit_value) inputs.push_back(model.scalar("value", std::uint8_t{17}));
    const ValueId padded = model.node("Pad", "pad", inputs);
    const Graph raw = model.build({model.dequantize("dq", padded, 0.02f, std::uint8_t{100})});
    const Graph graph = canonical(raw);
    EXPECT_EQ(operators(graph), "Round Pad");
    expect_same_meaning(raw, graph, {random_floats({4}, 2)}, 0);
  }
}

TEST(CancelBytes, ClipOfIntegersIsClipOfReals) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {16});
  const ValueId q = model.quantize("q", x, 0.02f, std::uint8_t{100});
  const ValueId clipped = model.node(
      "Clip", "clip",
      {q, model.scalar("low", std::uint8_t{90}), model.scalar("high", std::uint8_t{120})});
  const Graph raw = model.build({model.dequantize("dq", clipped, 0.02f, std::uint8_t{100})});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "Round Clip Round");
  expect_same_meaning(raw, graph, {random_floats({16}, 2)}, 0);
}

TEST(CancelBytes, ArithmeticOnIntegersStays) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {16});
  const ValueId q = model.quantize("q", x, 0.02f, std::uint8_t{100});
  const ValueId cast = model.node("Cast", "cast", {q}, {{"to", std::int64_t{1}}});
  const Graph raw = model.build({model.node("Mul", "mul", {cast, model.scalar("factor", 0.02f)})});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "Round Bytes Cast Mul");
  expect_same_meaning(raw, graph, {random_floats({16}, 2)}, 0);
}

TEST(CancelBytes, ShapeOfIntegersIsShapeOfReals) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {-1, 4});
  const ValueId q = model.quantize("q", x, 0.02f, std::uint8_t{100});
  const ValueId shape = model.node("Shape", "shape", {q});
  model.graph().value(shape).type = ElementType::s64;
  const Graph graph =
      canonical(model.build({shape, model.dequantize("dq", q, 0.02f, std::uint8_t{100})}));
  EXPECT_EQ(operators(graph), "Round Shape");
}

TEST(CancelBytes, RoundOnItsOwnGridIsDropped) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {2, 4});
  const ValueId first = model.round("a", x, 0.02f, std::uint8_t{100});
  const ValueId moved = model.node("Transpose", "transpose", {first});
  const Graph raw = model.build(
      {model.node("Relu", "relu", {model.round("b", moved, 0.02f, std::uint8_t{100})})});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "Round Transpose Relu");
  EXPECT_EQ(graph.nodes[1].sources, (std::vector<std::string>{"transpose", "b.q", "b.dq"}));
  expect_same_meaning(raw, graph, {random_floats({2, 4}, 2)}, 0);
}

TEST(FoldBatchNormalization, IntoFloatConvolution) {
  for (const bool on_grid : {false, true}) {
    ModelBuilder model;
    const ValueId x = model.input("x", ElementType::f32, {1, 2, 5, 5});
    const ValueId w =
        on_grid ? model.dequantize(
                      "w.dq", model.constant("w", random_integers<std::int8_t>({3, 2, 3, 3}, 1)),
                      0.01f, std::int8_t{0})
                : model.constant("w", random_floats({3, 2, 3, 3}, 1));
    const ValueId b = model.constant("b", random_floats({3}, 2));
    const ValueId conv = model.node("Conv", "conv", {x, w, b});
    const ValueId y = model.node("BatchNormalization", "bn",
                                 {conv, model.constant("gamma", random_floats({3}, 3, 0.5f, 2)),
                                  model.constant("beta", random_floats({3}, 4)),
                                  model.constant("mean", random_floats({3}, 5)),
                                  model.constant("variance", random_floats({3}, 6, 0.5f, 2))});
    const Graph raw = model.build({model.node("Relu", "relu", {y})});
    const Graph graph = canonical(raw);
    ASSERT_EQ(operators(graph), "Conv Relu");
    EXPECT_EQ(graph.nodes[0].sources, (std::vector<std::string>{"conv", "bn"}));
    const Value& weights = graph.value(graph.nodes[0].inputs[1]);
    EXPECT_EQ(weights.grid.has_value(), on_grid);
    if (on_grid) {
      EXPECT_EQ(weights.grid->scale.size(), 3u);
    }
    expect_same_meaning(raw, graph, {random_floats({1, 2, 5, 5}, 7)}, 1e-5);
  }
}

TEST(FoldBatchNormalization, IntoTransposedConvolutionAndGemm) {
  ModelBuilder model;
  const auto normalize = [&](const std::string& name, ValueId x) {
    return model.node("BatchNormalization", name,
                      {x, model.constant(name + ".g", random_floats({3}, 3, 0.5f, 2)),
                       model.constant(name + ".b", random_floats({3}, 4)),
                       model.constant(name + ".m", random_floats({3}, 5)),
                       model.constant(name + ".v", random_floats({3}, 6, 0.5f, 2))});
  };
  const ValueId x = model.input("x", ElementType::f32, {1, 2, 5, 5});
  const ValueId a =
      normalize("bn1", model.node("ConvTranspose", "conv",
                                  {x, model.constant("w", random_floats({2, 3, 3, 3}, 1))}));
  const ValueId r = model.input("r", ElementType::f32, {4, 5});
  const ValueId b = normalize("bn2", model.node("Gemm", "gemm",
                                                {r, model.constant("k", random_floats({3, 5}, 8)),
                                                 model.constant("c", random_floats({3}, 9))},
                                                {{"transB", std::int64_t{1}}}));
  const Graph raw = model.build({a, b});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "ConvTranspose Gemm");
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "bn1.0");
  expect_same_meaning(raw, graph, {random_floats({1, 2, 5, 5}, 7), random_floats({4, 5}, 8)}, 1e-5);
}

TEST(FoldBatchNormalization, NotWhenTheConvolutionHasOtherReaders) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 2, 5, 5});
  const ValueId conv =
      model.node("Conv", "conv", {x, model.constant("w", random_floats({2, 2, 1, 1}, 1))});
  const ValueId one = model.vector<float>("one", {1.0f, 2.0f});
  const ValueId y = model.node("BatchNormalization", "bn", {conv, one, one, one, one});
  EXPECT_EQ(operators(canonical(model.build({conv, y}))), "Conv BatchNormalization");
}

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

TEST(RemoveDeadCode, UnusedNodesAreNamed) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {2});
  model.node("Abs", "unused2", {model.node("Exp", "unused", {x})});
  const Graph graph = canonical(model.build({model.node("Relu", "relu", {x})}));
  EXPECT_EQ(operators(graph), "Relu");
  ASSERT_EQ(graph.removed.size(), 2u);
  EXPECT_EQ(graph.removed[0].reason, "unused");
}

TEST(PropagateGrids, PaddingOffTheGridLosesIt) {
  const auto grid_after = [](float value) {
    ModelBuilder model;
    const ValueId x = model.input("x", ElementType::f32, {4});
    const ValueId rounded = model.round("x", x, 0.5f, std::uint8_t{100});
    const ValueId padded = model.node(
        "Pad", "pad",
        {rounded, model.vector<std::int64_t>("pads", {1, 2}), model.scalar("value", value)});
    const Graph graph = canonical(model.build({padded}));
    return graph.value(graph.outputs[0]).grid.has_value();
  };
  EXPECT_TRUE(grid_after(0));
  EXPECT_TRUE(grid_after(1.5f));
  EXPECT_FALSE(grid_after(0.3f));
  EXPECT_FALSE(grid_after(1000));
}

TEST(GridErrors, FoundOnFoldedIntegers) {
  // Where the integers come from tells their type and shape only when they are folded.
  ModelBuilder model;
  const ValueId w = model.constant("w", random_floats({2, 3}, 1));
  const ValueId q = model.quantize("q", w, 0.02f, std::uint8_t{128});
  const ValueId reshaped =
      model.node("Reshape", "reshape", {q, model.vector<std::int64_t>("shape", {3, 2})});
  const ValueId s = model.vector<float>("s", {1, 1, 1});
  const ValueId z = model.vector<std::uint8_t>("z", {1, 1, 1});
  Graph graph = model.build(
      {model.node("DequantizeLinear", "dq", {reshaped, s, z}, {{"axis", std::int64_t{1}}})});
  EXPECT_THROW(canonicalize(graph), Error);
}

TEST(GridErrors, NameTheNode) {
  const auto error_of = [](std::vector<float> scales, std::vector<std::uint8_t> zero_points,
                           std::int64_t axis) -> std::string {
    ModelBuilder model;
    const ValueId w = model.input("w", ElementType::u8, {2, 3});
    const ValueId s = scales.size() == 1 ? model.scalar("s", scales[0]) : model.vector("s", scales);
    const ValueId z = zero_points.size() == 1 ? model.scalar("z", zero_points[0])
                                              : model.vector("z", zero_points);
    const ValueId y = model.node("DequantizeLinear", "dq", {w, s, z}, {{"axis", axis}});
    Graph graph = model.build({y});
    try {
      canonicalize(graph);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string prefix = "DequantizeLinear 'dq' (opset 13): ";
  EXPECT_EQ(error_of({1}, {0}, 1), "");
  EXPECT_EQ(error_of({1, 1, 1}, {0, 0, 0}, 1), "");
  EXPECT_EQ(error_of({0}, {0}, 1), prefix + "scale 0 is 0; a scale must be finite and positive");
  EXPECT_EQ(error_of({-1}, {0}, 1), prefix + "scale 0 is -1; a scale must be finite and positive");
  EXPECT_EQ(error_of({1, NAN, 1}, {0, 0, 0}, 1),
            prefix + "scale 1 is nan; a scale must be finite and positive");
  EXPECT_EQ(error_of({1, 1}, {0, 0}, 1),
            prefix +
                "2 scales along axis 1 of a tensor of shape [2,3]; one scale per index of that "
                "axis is needed");
  EXPECT_EQ(error_of({1, 1}, {0, 0, 0}, 0),
            prefix + "2 scales but 3 zero points; their numbers must be equal");
  EXPECT_EQ(error_of({1, 1}, {0, 0}, 2),
            prefix + "quantization axis 2 is out of range for a tensor of rank 2");
  EXPECT_EQ(error_of({1, 1}, {0, 0}, -3),
            prefix + "quantization axis -3 is out of range for a tensor of rank 2");
}

}  // namespace
}  // namespace intact::testing
