// Products of float activations: the same bits on every instruction set, however they are fused.
#include "model_run.hpp"

namespace intact::testing {
namespace {

Tensor random_floats(const Shape& shape, unsigned seed) {
  Tensor tensor(ElementType::f32, shape);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (float& x : tensor.data<float>()) x = normal(random);
  return tensor;
}

constexpr std::int64_t batch = 2, sequence = 37, heads = 3, width = 20;

/// [batch, sequence, heads * width] taken apart into heads, then transposed by `order`.
ValueId split_heads(ModelBuilder& builder, const std::string& name,
                    const std::vector<std::int64_t>& order) {
  const ValueId x = builder.input(name, ElementType::f32, {batch, sequence, heads * width});
  const ValueId apart = builder.node(
      "Reshape", name + ".apart",
      {x, builder.vector<std::int64_t>(name + ".shape", {batch, sequence, heads, width})});
  return builder.node("Transpose", name + ".transposed", {apart}, {{"perm", order}});
}

struct Attention {
  ModelBuilder builder;
  ValueId scores, weights, result;

  explicit Attention(bool masked = true) {
    const ValueId q = split_heads(builder, "q", {0, 2, 1, 3});
    const ValueId k = split_heads(builder, "k", {0, 2, 3, 1});
    const ValueId v = split_heads(builder, "v", {0, 2, 1, 3});
    scores = builder.node("MatMul", "scores", {q, k});
    ValueId x = builder.node("Div", "scale", {scores, builder.scalar("root", 4.4721f)});
    if (masked)
      x = builder.node("Add", "masked",
                       {x, builder.input("mask", ElementType::f32, {batch, 1, 1, sequence})});
    weights = builder.node("Softmax", "softmax", {x}, {{"axis", std::int64_t{-1}}});
    const ValueId context = builder.node("MatMul", "context", {weights, v});
    const ValueId together = builder.node("Transpose", "together", {context},
                                          {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
    result = builder.node(
        "Reshape", "joined",
        {together, builder.vector<std::int64_t>("joined.shape", {batch, sequence, heads * width})});
  }
};

Tensors attention_inputs(bool masked = true) {
  const Shape shape = {batch, sequence, heads * width};
  Tensors inputs = {random_floats(shape, 1), random_floats(shape, 2), random_floats(shape, 3)};
  if (masked) {
    inputs.push_back(Tensor(ElementType::f32, {batch, 1, 1, sequence}));
    const auto mask = inputs.back().data<float>();
    for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = i % 5 == 0 ? -10000.0f : 0.0f;
  }
  return inputs;
}

TEST(FloatProduct, AttentionIsOneStep) {
  for (const bool masked : {true, false}) {
    Attention attention(masked);
    const Graph graph = attention.builder.build({attention.result});
    const Flow flow = expect_consistent(graph, attention_inputs(masked), 1e-5);
    ASSERT_EQ(flow.nodes.size(), 1u);
    EXPECT_EQ(flow.nodes[0].precision, "float");
    EXPECT_TRUE(flow.nodes[0].kernel.starts_with("product_")) << flow.nodes[0].kernel;
    EXPECT_EQ(flow.nodes[0].onnx_nodes.size(), masked ? 9u : 8u);
  }
}

TEST(FloatProduct, WhatIsReadElsewhereIsStored) {
  for (const bool scores : {true, false}) {
    Attention attention;
    const Graph graph =
        attention.builder.build({attention.result, scores ? attention.scores : attention.weights});
    const Flow flow = expect_consistent(graph, attention_inputs(), 1e-5);
    EXPECT_GT(flow.nodes.size(), 2u);
  }
}

TEST(FloatProduct, OperandsAreBroadcastAndTransposed) {
  struct Case {
    Shape a, b;
  };
  for (const auto& [a, b] : {Case{{2, 3, 7, 33}, {3, 33, 70}}, Case{{3, 1, 5, 9}, {1, 4, 9, 300}},
                             Case{{4, 5, 17}, {17, 6}}, Case{{5, 1}, {1, 3}}}) {
    ModelBuilder builder;
    const ValueId x = builder.input("x", ElementType::f32, a);
    const ValueId y = builder.input("y", ElementType::f32, b);
    expect_consistent(builder.build({builder.node("MatMul", "product", {x, y})}),
                      {random_floats(a, 4), random_floats(b, 5)}, 1e-4);
  }
  for (const std::int64_t transposed : {1, 2, 3}) {
    const Shape a = transposed & 1 ? Shape{19, 5} : Shape{5, 19};
    const Shape b = transposed & 2 ? Shape{21, 19} : Shape{19, 21};
    ModelBuilder builder;
    const ValueId x = builder.input("x", ElementType::f32, a);
    const ValueId y = builder.input("y", ElementType::f32, b);
    const ValueId product = builder.node("Gemm", "product", {x, y},
                                         {{"transA", transposed & 1}, {"transB", transposed >> 1}});
    expect_consistent(builder.build({product}), {random_floats(a, 6), random_floats(b, 7)}, 1e-4);
  }
}

// One matrix for all rows: these would not lie at equal distances where the Transpose reads.
TEST(FloatProduct, RowsOfSeveralMatricesKeepTheirTranspose) {
  const Shape given = {5, 4, 17}, b = {17, 6};
  ModelBuilder builder;
  const ValueId x = builder.input("x", ElementType::f32, given);
  const ValueId turned =
      builder.node("Transpose", "turned", {x}, {{"perm", std::vector<std::int64_t>{1, 0, 2}}});
  const ValueId y = builder.input("y", ElementType::f32, b);
  const Graph graph = builder.build({builder.node("MatMul", "product", {turned, y})});
  const Flow flow = expect_consistent(graph, {random_floats(given, 8), random_floats(b, 9)}, 1e-4);
  EXPECT_EQ(count_of(flow, "Transpose"), 1);
}

// A Slice and the parts of a Concat are copies, too: of less than what the product writes, and to
// less than what is read.
TEST(FloatProduct, PartsOfWhatItWritesAreCopies) {
  const Shape a = {4, 3, 7}, b = {4, 7, 5};
  for (const bool bytes : {false, true}) {
    ModelBuilder builder;
    const auto operand = [&](const std::string& name, const Shape& shape) {
      if (!bytes) return builder.input(name, ElementType::f32, shape);
      return builder.dequantize(name + ".dq", builder.input(name, ElementType::u8, shape), 0.02f,
                                std::uint8_t{117});
    };
    ValueId product = builder.node("MatMul", "product", {operand("x", a), operand("y", b)});
    if (bytes) product = builder.round("r", product, 0.2f, std::uint8_t{128});
    const ValueId part = builder.node(
        "Slice", "part",
        {product, builder.vector<std::int64_t>("begin", {0}),
         builder.vector<std::int64_t>("end", {2}), builder.vector<std::int64_t>("axis", {0})});
    const ValueId joined =
        builder.node("Concat", "joined", {part, part}, {{"axis", std::int64_t{1}}});
    Tensors inputs = {random_floats(a, 1), random_floats(b, 2)};
    if (bytes) inputs = {random_integers<std::uint8_t>(a, 1), random_integers<std::uint8_t>(b, 2)};
    expect_consistent(builder.build({part}), inputs, bytes ? 0.21 : 1e-5);
    expect_consistent(builder.build({joined}), inputs, bytes ? 0.21 : 1e-5);
  }
}

}  // namespace
}  // namespace intact::testing
