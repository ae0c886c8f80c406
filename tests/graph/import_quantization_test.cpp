// QuantizeLinear and DequantizeLinear become Round, Bytes and FromBytes; the errors of their grids.
#include <gtest/gtest.h>

#include <cmath>

#include "canonical.hpp"
#include "graph/passes/passes.hpp"
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
