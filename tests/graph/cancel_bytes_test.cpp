// FromBytes undoes Bytes, also behind what moves integers.
#include <gtest/gtest.h>

#include "canonical.hpp"
#include "graph/passes/passes.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

const Grid u8_grid{ElementType::u8, {0.02f}, {128}, std::nullopt};

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

TEST(CancelBytes, ClampsByConstantsOfHigherRankStay) {
  const auto after = [](const Shape& bound) {
    ModelBuilder model;
    const ValueId x = model.input("x", ElementType::f32, {3});
    const ValueId q = model.quantize("q", x, 0.1f, std::uint8_t{100});
    const ValueId c =
        model.constant("c", Tensor::from<std::uint8_t>(bound, std::vector<std::uint8_t>{120}));
    const ValueId y =
        model.dequantize("y", model.node("Max", "max", {q, c}), 0.1f, std::uint8_t{100});
    const Graph raw = model.build({y});
    const Graph graph = canonical(raw);
    expect_same_meaning(raw, graph, {random_floats({3}, 7)}, 0);
    return operators(graph);
  };
  EXPECT_EQ(after({}), "Round Clip Round");
  EXPECT_EQ(after({1, 1}), "Round Bytes Max FromBytes");
}

}  // namespace
}  // namespace intact::testing
