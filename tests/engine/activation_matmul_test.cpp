// Products of two activations: which of them stay in float, and why.
#include "model_run.hpp"

namespace intact::testing {
namespace {

/// MatMul, or Gemm with attributes, of two u8 inputs; with a Round of `scale` when that is not 0.
Graph product_of(const Shape& a, const Shape& b, float scale, const std::string& op = "MatMul",
                 const AttributeList& attributes = {}) {
  ModelBuilder builder;
  const ValueId x =
      builder.dequantize("x.dq", builder.input("x", ElementType::u8, a), 0.021f, std::uint8_t{117});
  const ValueId y =
      builder.dequantize("y.dq", builder.input("y", ElementType::u8, b), 0.017f, std::uint8_t{0});
  const ValueId product = builder.node(op, "product", {x, y}, attributes);
  return builder.build(
      {scale == 0 ? product : builder.round("r", product, scale, std::uint8_t{0})});
}

FlowNode product_in(const Graph& graph, const std::vector<Shape>& shapes) {
  for (const FlowNode& node : session_of(graph).flow(shapes).nodes)
    if (node.name == "product") return node;
  ADD_FAILURE() << "no step of that name";
  return {};
}

TEST(ActivationMatMul, ManyTermsThatCouldOverflowRunInFloat) {
  // 2 * 255 * (128 + 128) * 16449 is the first product at or above 2^31.
  const Shape a = {1, 16449}, b = {16449, 2};
  const FlowNode large = product_in(product_of(a, b, 0), {a, b});
  EXPECT_EQ(large.precision, "float");
  EXPECT_EQ(large.reason,
            "the 32-bit accumulator of channel 0 could overflow (16449 terms); fewer terms, or "
            "weights of smaller magnitude and zero point, would fit");
  const Shape c = {1, 16448}, d = {16448, 2};
  const Graph most = product_of(c, d, 0);
  EXPECT_EQ(product_in(most, {c, d}).precision, "int8");
  Tensor ones(ElementType::u8, c), all(ElementType::u8, d);
  for (std::uint8_t& q : ones.data<std::uint8_t>()) q = 255;
  for (std::uint8_t& q : all.data<std::uint8_t>()) q = 255;
  expect_consistent(most, {ones, all}, 1.0);  // 138 * 255 * 16448 terms of 0.000357: 206636
}

TEST(ActivationMatMul, ScalesThatCouldOverflowRunInFloat) {
  const Shape a = {3, 32}, b = {32, 5};
  const FlowNode node = product_in(product_of(a, b, 1e-8f), {a, b});
  EXPECT_EQ(node.precision, "float");
  EXPECT_EQ(
      node.reason,
      "the scales of channel 0 differ so much that the rescaled sum could overflow; scales that "
      "differ less would fit");
}

TEST(ActivationMatMul, FormsWithoutAKernelSayWhy) {
  const Shape a = {32}, b = {32, 5};
  const FlowNode node = product_in(product_of(a, b, 0.1f), {a, b});
  EXPECT_EQ(node.precision, "float");
  EXPECT_EQ(node.reason,
            "this form of MatMul (operands empty or of one dimension) has no integer kernel; a "
            "Reshape in front of it would leave one that has");
}

TEST(ActivationMatMul, MoreMatricesThanCanBeListedRunInFloat) {
  const Shape many = {(1 << 24) + 1, 1, 1};
  const FlowNode node = product_in(product_of(many, many, 0.1f), {many, many});
  EXPECT_EQ(node.precision, "float");
  EXPECT_EQ(node.reason, "MatMul of more than 16777216 matrices has no integer kernel");
}

TEST(ActivationMatMul, TablesBehindItBecomePartOfIt) {
  ModelBuilder builder;
  const Shape a = {2, 3, 20}, b = {2, 20, 70};
  const ValueId x =
      builder.dequantize("x.dq", builder.input("x", ElementType::u8, a), 0.021f, std::uint8_t{117});
  const ValueId y =
      builder.dequantize("y.dq", builder.input("y", ElementType::s8, b), 0.017f, std::int8_t{4});
  const ValueId m =
      builder.round("m", builder.node("MatMul", "product", {x, y}), 0.2f, std::uint8_t{128});
  const ValueId s = builder.node("Sigmoid", "sigmoid", {m});
  const Graph graph = builder.build({builder.round("r", s, 1 / 256.0f, std::uint8_t{0})});
  const Tensors inputs = {random_integers<std::uint8_t>(a, 3), random_integers<std::int8_t>(b, 4)};
  const Flow flow = expect_consistent(graph, inputs, 0.05);
  EXPECT_EQ(count_of(flow, "MatMul+Sigmoid"), 1);
}

// Transposes around the products of attention are the strides of the products.
TEST(ActivationMatMul, TransposesAroundItBecomeStrides) {
  constexpr std::int64_t batch = 2, sequence = 37, heads = 3, width = 20;
  const Shape joined = {batch, sequence, heads * width};
  for (const bool keys_last : {true, false}) {
    ModelBuilder builder;
    const auto split = [&](const std::string& name, const std::vector<std::int64_t>& order) {
      const ValueId x = builder.dequantize(
          name + ".dq", builder.input(name, ElementType::u8, joined), 0.021f, std::uint8_t{117});
      const ValueId apart = builder.node(
          "Reshape", name + ".apart",
          {x, builder.vector<std::int64_t>(name + ".shape", {batch, sequence, heads, width})});
      return builder.node("Transpose", name + ".transposed", {apart}, {{"perm", order}});
    };
    const ValueId q = split("q", {0, 2, 1, 3});
    const ValueId k = keys_last ? split("k", {0, 2, 3, 1}) : split("k", {0, 2, 1, 3});
    const ValueId v = split("v", {0, 2, 1, 3});
    const ValueId turned = keys_last
                               ? k
                               : builder.node("Transpose", "turned", {k},
                                              {{"perm", std::vector<std::int64_t>{0, 1, 3, 2}}});
    const ValueId scores = builder.round("scores.r", builder.node("MatMul", "scores", {q, turned}),
                                         0.2f, std::uint8_t{128});
    const ValueId context = builder.round(
        "context.r", builder.node("MatMul", "context", {scores, v}), 3.0f, std::uint8_t{120});
    const ValueId together = builder.node("Transpose", "together", {context},
                                          {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
    const Graph graph = builder.build({builder.node(
        "Reshape", "whole", {together, builder.vector<std::int64_t>("whole.shape", joined)})});
    const Tensors inputs = {random_integers<std::uint8_t>(joined, 3),
                            random_integers<std::uint8_t>(joined, 4),
                            random_integers<std::uint8_t>(joined, 5)};
    const Flow flow = expect_consistent(graph, inputs, 3.01);
    EXPECT_EQ(count_of(flow, "Transpose"), 0);
    for (const FlowNode& node : flow.nodes)
      if (node.name == "scores" || node.name == "context") {
        EXPECT_EQ(node.precision, "int8");
      }
  }
}

// Heads of keys that several heads of queries share are read where they lie.
TEST(ActivationMatMul, SharedHeadsOfAttentionAreNotCopied) {
  ModelBuilder builder(23);
  const auto operand = [&](const std::string& name, std::int64_t heads) {
    const ValueId x = builder.input(name, ElementType::u8, {2, 37, heads * 20});
    return builder.dequantize(name + ".dq", x, 0.021f, std::uint8_t{117});
  };
  const ValueId y =
      builder.node("Attention", "attention", {operand("q", 6), operand("k", 2), operand("v", 2)},
                   {{"q_num_heads", std::int64_t{6}},
                    {"kv_num_heads", std::int64_t{2}},
                    {"is_causal", std::int64_t{1}}});
  const Graph graph = builder.build({builder.round("y", y, 0.02f, std::uint8_t{120})});
  const Tensors inputs = {random_integers<std::uint8_t>({2, 37, 120}, 3),
                          random_integers<std::uint8_t>({2, 37, 40}, 4),
                          random_integers<std::uint8_t>({2, 37, 40}, 5)};
  const Flow flow = expect_consistent(graph, inputs, 0.021);
  for (const FlowNode& node : flow.nodes)
    if (node.name == "attention/Softmax") {
      EXPECT_EQ(node.precision, "int8");
      EXPECT_EQ(node.op, "Transpose+Expand+Transpose+Transpose+MatMul+Div+Add+Softmax");
      return;
    }
  ADD_FAILURE() << "no step computes the weights of attention";
}

}  // namespace
}  // namespace intact::testing
