// QLinearConv and its relatives: the real operator between grids, with the meaning of the original.
#include <gtest/gtest.h>

#include "canonical.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

/// An integer tensor with its scale and zero point as a node reads them.
struct Quantized {
  ValueId integers, scale, zero_point;
};

template <class T>
Quantized quantized(ModelBuilder& model, const std::string& name, ValueId integers, float scale,
                    T zero_point) {
  return {integers, model.scalar(name + ".scale", scale), model.scalar(name + ".zero", zero_point)};
}

struct Case {
  ModelBuilder model;
  Quantized x;
  std::vector<Tensor> inputs;

  explicit Case(const Shape& shape, int opset = 13) : model(opset) {
    const ValueId id = model.input("x", ElementType::u8, shape);
    x = quantized(model, "x", id, 0.02f, std::uint8_t{120});
    inputs.push_back(random_integers<std::uint8_t>(shape, 1));
  }
  ValueId scale(float value) { return model.scalar(model.graph().unique_name("scale"), value); }
  ValueId zero(std::uint8_t value) {
    return model.scalar(model.graph().unique_name("zero"), value);
  }

  /// The canonical form of the model with output `y` of type u8 (or float).
  void expect(ValueId y, const std::string& wanted, double tolerance = 0,
              ElementType type = ElementType::u8) {
    model.graph().value(y).type = type;
    const Graph raw = model.build({y});
    const Graph graph = canonical(raw);
    EXPECT_EQ(operators(graph), wanted);
    expect_same_meaning(raw, graph, inputs, tolerance);
  }
};

TEST(QuantizedOperators, Convolution) {
  Case c({1, 2, 5, 5});
  const ValueId w = c.model.constant("w", random_integers<std::int8_t>({3, 2, 3, 3}, 2));
  const ValueId ws = c.model.vector<float>("ws", {0.01f, 0.02f, 0.03f});
  const ValueId wz = c.model.vector<std::int8_t>("wz", {0, 0, 0});
  const ValueId bias = c.model.vector<std::int32_t>("bias", {100, -5000, 7});
  const ValueId y = c.model.node(
      "QLinearConv", "conv",
      {c.x.integers, c.x.scale, c.x.zero_point, w, ws, wz, c.scale(0.5f), c.zero(100), bias},
      {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  c.model.graph().value(y).type = ElementType::u8;
  const Graph raw = c.model.build({y});
  const Graph graph = canonical(raw);
  ASSERT_EQ(operators(graph), "FromBytes Conv Round Bytes");
  const Node& conv = graph.nodes[1];
  EXPECT_EQ(conv.name, "conv");
  EXPECT_EQ(conv.sources, std::vector<std::string>{"conv"});
  EXPECT_EQ(graph.value(conv.inputs[1]).grid->axis, 0);
  const Value& folded = graph.value(conv.inputs[2]);
  EXPECT_EQ(folded.constant.type(), ElementType::s32);
  EXPECT_EQ(folded.grid->scale, (std::vector<float>{0.02f * 0.01f, 0.02f * 0.02f, 0.02f * 0.03f}));
  // One step where the rounding of the bias' scale tips a tie.
  expect_same_meaning(raw, graph, c.inputs, 1);
}

TEST(QuantizedOperators, ChainsNeedNoBytes) {
  Case c({1, 2, 5, 5});
  const auto conv = [&](const std::string& name, const Quantized& x) {
    const ValueId w = c.model.constant(name + ".w", random_integers<std::int8_t>({2, 2, 3, 3}, 2));
    const Quantized result{no_value, c.scale(0.5f), c.zero(100)};
    const ValueId y = c.model.node(
        "QLinearConv", name,
        {x.integers, x.scale, x.zero_point, w, c.scale(0.01f),
         c.model.scalar(name + ".wz", std::int8_t{3}), result.scale, result.zero_point});
    return Quantized{y, result.scale, result.zero_point};
  };
  const Quantized second = conv("second", conv("first", c.x));
  const ValueId y =
      c.model.node("DequantizeLinear", "dq", {second.integers, second.scale, second.zero_point});
  c.expect(y, "FromBytes Conv Round Conv Round", 0.5, ElementType::f32);
}

TEST(QuantizedOperators, MatMulWithColumnScales) {
  Case c({4, 6});
  const ValueId w = c.model.constant("w", random_integers<std::uint8_t>({6, 3}, 2));
  const ValueId ws = c.model.vector<float>("ws", {0.01f, 0.02f, 0.03f});
  const ValueId wz = c.model.vector<std::uint8_t>("wz", {128, 127, 126});
  c.expect(c.model.node(
               "QLinearMatMul", "matmul",
               {c.x.integers, c.x.scale, c.x.zero_point, w, ws, wz, c.scale(0.2f), c.zero(128)}),
           "FromBytes MatMul Round Bytes", 1);
}

TEST(QuantizedOperators, MatMulWithRowScales) {
  Case c({2, 6});
  const ValueId xs = c.model.vector<float>("xs", {0.01f, 0.02f});
  const ValueId xz = c.model.vector<std::uint8_t>("xz", {128, 127});
  const ValueId w = c.model.constant("w", random_integers<std::uint8_t>({6, 3}, 2));
  const ValueId y = c.model.node(
      "QLinearMatMul", "matmul",
      {c.x.integers, xs, xz, w, c.scale(0.01f), c.zero(128), c.scale(0.2f), c.zero(128)});
  c.model.graph().value(y).type = ElementType::u8;
  const Graph graph = canonical(c.model.build({y}));
  EXPECT_EQ(operators(graph), "FromBytes MatMul Round Bytes");
  EXPECT_EQ(graph.nodes[0].grid->axis, 0);
}

TEST(QuantizedOperators, Gemm) {
  for (const bool float_result : {false, true}) {
    Case c({4, 6});
    const ValueId w = c.model.constant("w", random_integers<std::int8_t>({3, 6}, 2));
    const ValueId ws = c.model.vector<float>("ws", {0.01f, 0.02f, 0.03f});
    const ValueId wz = c.model.vector<std::int8_t>("wz", {0, 0, 0});
    const ValueId bias = c.model.vector<std::int32_t>("bias", {100, -500, 7});
    std::vector<ValueId> inputs = {c.x.integers, c.x.scale, c.x.zero_point, w, ws, wz, bias};
    if (!float_result) inputs.insert(inputs.end(), {c.scale(0.2f), c.zero(128)});
    const ValueId y = c.model.node("QGemm", "gemm", inputs,
                                   {{"transB", std::int64_t{1}}, {"alpha", 0.5f}}, "com.microsoft");
    if (float_result)
      c.expect(y, "FromBytes Gemm", 1e-4, ElementType::f32);
    else
      c.expect(y, "FromBytes Gemm Round Bytes", 1);
  }
}

TEST(QuantizedOperators, Binary) {
  for (const char* op : {"Add", "Mul"}) {
    Case c({2, 8});
    const ValueId b = c.model.constant("b", random_integers<std::uint8_t>({8}, 2));
    const ValueId y = c.model.node(std::string("QLinear") + op, "node",
                                   {c.x.integers, c.x.scale, c.x.zero_point, b, c.scale(0.03f),
                                    c.zero(100), c.scale(0.05f), c.zero(110)},
                                   {}, "com.microsoft");
    c.expect(y, std::string("FromBytes ") + op + " Round Bytes", 1);
  }
}

TEST(QuantizedOperators, Unary) {
  for (const char* op : {"Sigmoid", "LeakyRelu", "Softmax"}) {
    Case c({2, 8});
    const bool softmax = std::string(op) == "Softmax";
    AttributeList attributes;
    if (softmax) attributes = {{"axis", std::int64_t{-1}}, {"opset", std::int64_t{13}}};
    const ValueId y =
        c.model.node(std::string("QLinear") + op, "node",
                     {c.x.integers, c.x.scale, c.x.zero_point, c.scale(1.0f / 256), c.zero(0)},
                     attributes, "com.microsoft");
    c.expect(y, std::string("FromBytes ") + op + " Round Bytes", 1);
  }
}

TEST(QuantizedOperators, Pooling) {
  for (const std::int64_t channels_last : {0, 1}) {
    Case c({1, 4, 4, 4});
    const ValueId average = c.model.node(
        "QLinearAveragePool", "average",
        {c.x.integers, c.x.scale, c.x.zero_point, c.scale(0.02f), c.zero(120)},
        {{"kernel_shape", std::vector<std::int64_t>{2, 2}}, {"channels_last", channels_last}},
        "com.microsoft");
    const ValueId global =
        c.model.node("QLinearGlobalAveragePool", "global",
                     {average, c.scale(0.02f), c.zero(120), c.scale(0.01f), c.zero(120)},
                     {{"channels_last", channels_last}}, "com.microsoft");
    c.expect(global,
             channels_last != 0
                 ? "Transpose FromBytes AveragePool Round GlobalAveragePool Round Transpose Bytes"
                 : "FromBytes AveragePool Round GlobalAveragePool Round Bytes",
             1);
  }
}

TEST(QuantizedOperators, ReduceMeanOfAnyOperatorSet) {
  for (const int opset : {13, 18}) {
    Case c({2, 4, 4}, opset);
    const ValueId y =
        c.model.node("QLinearReduceMean", "mean",
                     {c.x.integers, c.x.scale, c.x.zero_point, c.scale(0.02f), c.zero(120)},
                     {{"axes", std::vector<std::int64_t>{1, 2}}, {"keepdims", std::int64_t{0}}},
                     "com.microsoft");
    c.expect(y, "FromBytes ReduceMean Round Bytes", 1);
  }
}

TEST(QuantizedOperators, Concat) {
  Case c({2, 4});
  const ValueId b = c.model.constant("b", random_integers<std::uint8_t>({2, 3}, 2));
  const ValueId y = c.model.node("QLinearConcat", "concat",
                                 {c.scale(0.05f), c.zero(110), c.x.integers, c.x.scale,
                                  c.x.zero_point, b, c.scale(0.03f), c.zero(100)},
                                 {{"axis", std::int64_t{1}}}, "com.microsoft");
  c.expect(y, "FromBytes Concat Round Bytes", 1);
}

}  // namespace
}  // namespace intact::testing
