// Dynamic quantization: what is written, and that it computes what the float model does.
#include <limits>

#include "quantized.hpp"
#include "tests/graph/evaluate.hpp"

namespace intact::testing {
namespace {

/// Conv with bias and padding, Relu, depthwise Conv, two products of one tensor, and their sum.
Graph convolutions() {
  ModelBuilder b;
  const ValueId x = b.input("x", ElementType::f32, {2, 6, 9, 9});
  const ValueId first = b.node("Conv", "first",
                               {x, b.constant("w1", random_floats({12, 6, 3, 3}, 1)),
                                b.constant("b1", random_floats({12}, 2))},
                               {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  const ValueId relu = b.node("Relu", "relu", {first});
  const ValueId deep =
      b.node("Conv", "deep", {relu, b.constant("w2", random_floats({12, 1, 3, 3}, 3))},
             {{"group", std::int64_t{12}}, {"strides", std::vector<std::int64_t>{2, 2}}});
  const ValueId left =
      b.node("Conv", "left", {deep, b.constant("w3", random_floats({8, 12, 1, 1}, 4))});
  const ValueId right =
      b.node("Conv", "right", {deep, b.constant("w4", random_floats({8, 12, 1, 1}, 5))});
  return b.build({b.node("Add", "sum", {left, right})});
}

TEST(QuantizeDynamic, Convolutions) {
  const DynamicPair pair(convolutions());
  const Graph graph = pair.graph();
  EXPECT_EQ(count(graph, "ConvInteger"), 4u);
  EXPECT_EQ(count(graph, "DynamicQuantizeLinear"), 3u) << "one per tensor";
  EXPECT_EQ(count(graph, "Conv"), 0u);
  EXPECT_EQ(pair.report.quantized, (std::vector<std::string>{"first", "deep", "left", "right"}));
  EXPECT_TRUE(pair.report.kept_float.empty());
  ASSERT_EQ(pair.report.notes.size(), 1u);
  EXPECT_GT(pair.report.int8_bytes, 0u);
  const Node& deep = node_named(graph, "deep");
  EXPECT_EQ(deep.attributes.integer("group", 1), 12);
  const Value& weights = graph.value(deep.inputs[1]);
  EXPECT_EQ(weights.constant.type(), ElementType::s8);
  EXPECT_EQ(graph.metadata.at("intact.method"), "dynamic");
  EXPECT_LT(pair.difference({random_floats({2, 6, 9, 9}, 7)}), 0.05);
  const Flow flow = Session::load(pair.int8_path()).flow(std::vector<Shape>{{2, 6, 9, 9}});
  EXPECT_EQ(flow.int8_macs, flow.total_macs);
  EXPECT_GT(flow.total_macs, 0);
}

TEST(QuantizeDynamic, Matrices) {
  ModelBuilder b;
  const ValueId x = b.input("x", ElementType::f32, {3, 24});
  const ValueId shared = b.constant("w", random_floats({24, 24}, 1));
  const ValueId first = b.node("MatMul", "first", {x, shared});
  const ValueId biased = b.node("Add", "biased", {first, b.constant("b", random_floats({24}, 2))});
  const ValueId second = b.node("MatMul", "second", {b.node("Relu", "relu", {biased}), shared});
  const ValueId gemm = b.node("Gemm", "gemm",
                              {second, b.constant("g", random_floats({10, 24}, 3)),
                               b.constant("c", random_floats({10}, 4))},
                              {{"transB", std::int64_t{1}}, {"alpha", 0.5f}, {"beta", 2.0f}});
  const DynamicPair pair(b.build({gemm}));
  const Graph graph = pair.graph();
  EXPECT_EQ(count(graph, "MatMulInteger"), 3u);
  EXPECT_EQ(node_named(graph, "first").inputs[1], node_named(graph, "second").inputs[1])
      << "tied weights stay one tensor";
  EXPECT_EQ(graph.value(node_named(graph, "gemm").inputs[1]).constant.shape(), (Shape{24, 10}));
  EXPECT_TRUE(pair.report.notes.empty());
  EXPECT_LT(pair.difference({random_floats({3, 24}, 7)}), 0.05);
}

TEST(QuantizeDynamic, GemmOfEveryForm) {
  ModelBuilder b;
  const ValueId x = b.input("x", ElementType::f32, {6, 6});
  const ValueId first = b.node(
      "Gemm", "first",
      {x, b.constant("w", random_floats({6, 6}, 1)), b.constant("c", random_floats({6, 6}, 2))},
      {{"transA", std::int64_t{1}}, {"alpha", 0.5f}, {"beta", 2.0f}});
  const DynamicPair pair(b.build({b.node(
      "Gemm", "second", {first, b.constant("v", random_floats({6, 6}, 3)), x}, {{"beta", 0.5f}})}));
  EXPECT_EQ(count(pair.graph(), "MatMulInteger"), 2u);
  EXPECT_TRUE(pair.report.kept_float.empty());
  EXPECT_LT(pair.difference({random_floats({6, 6}, 7)}), 0.05);
}

/// Two directions with a bias, and a product behind them.
Graph lstm() {
  ModelBuilder b(14);
  const ValueId x = b.input("x", ElementType::f32, {6, 2, 10});
  const ValueId y = b.node(
      "LSTM", "lstm",
      {x, b.constant("w", random_floats({2, 64, 10}, 1, -0.5f, 0.5f)),
       b.constant("r", random_floats({2, 64, 16}, 2, -0.3f, 0.3f)),
       b.constant("b", random_floats({2, 128}, 3, -0.5f, 0.5f))},
      {{"direction", std::string("bidirectional")}, {"hidden_size", std::int64_t{16}}}, "", 3);
  for (int i = 0; i < 3; ++i) b.graph().value(y + i).type = ElementType::f32;
  return b.build(
      {b.node("MatMul", "head", {y, b.constant("h", random_floats({16, 5}, 4))}), y + 2});
}

TEST(QuantizeDynamic, Lstm) {
  for (const bool per_channel : {true, false}) {
    QuantizeOptions options;
    options.per_channel = per_channel;
    const DynamicPair pair(lstm(), options);
    const Graph graph = pair.graph();
    const Node& node = node_named(graph, "lstm");
    EXPECT_TRUE(node.is("DynamicQuantizeLSTM", "com.microsoft"));
    EXPECT_EQ(graph.opsets.at("com.microsoft"), 1);
    EXPECT_EQ(graph.value(node.inputs[1]).constant.shape(), (Shape{2, 10, 64}));
    EXPECT_EQ(graph.value(node.inputs[2]).constant.type(), ElementType::s8);
    EXPECT_EQ(graph.value(node.inputs[8]).constant.shape(),
              per_channel ? (Shape{2, 64}) : Shape{2});
    EXPECT_EQ(pair.report.quantized, (std::vector<std::string>{"lstm", "head"}));
    EXPECT_LT(pair.difference({random_floats({6, 2, 10}, 7)}), 0.03);
    const Flow flow = Session::load(pair.int8_path()).flow(std::vector<Shape>{{6, 2, 10}});
    EXPECT_EQ(flow.int8_macs, flow.total_macs);
  }
}

TEST(QuantizeDynamic, ScalesPerTensorAndExclusion) {
  QuantizeOptions options;
  options.per_channel = false;
  options.exclude = {"deep"};
  const DynamicPair pair(convolutions(), options);
  const Graph graph = pair.graph();
  EXPECT_EQ(count(graph, "ConvInteger"), 3u);
  EXPECT_EQ(kept_reason(pair.report, "deep"), "excluded");
  EXPECT_EQ(graph.value(node_named(graph, "first/scale").inputs[1]).constant.size(), 1u);
  EXPECT_LT(pair.difference({random_floats({2, 6, 9, 9}, 7)}), 0.08);
  options.exclude = {"none"};
  EXPECT_EQ(error_of([&] { DynamicPair(convolutions(), options); }),
            "no node of the model matches 'none'; `intact flow` lists their names");
}

/// Channels of "narrow" differ a thousandfold; its products and those behind it round for what they
/// read, tied weights and Gemm's of a factor like the nearest integers.
TEST(QuantizeDynamic, SamplesEvenOutChannelsAndRoundWeights) {
  ModelBuilder b;
  const ValueId x = b.input("x", ElementType::f32, {1, 4, 8, 8});
  Tensor narrow = random_floats({4, 4, 1, 1}, 1), wide = random_floats({4, 4, 1, 1}, 2);
  for (std::size_t i = 0; i < 12; ++i) narrow.data<float>()[i] *= 1e-3f;
  for (std::size_t i = 0; i < 16; ++i)
    if (i % 4 < 3) wide.data<float>()[i] *= 1e3f;
  ValueId y = b.node("Conv", "narrow", {x, b.constant("n", narrow)});
  y = b.node("Conv", "wide", {y, b.constant("w", wide), b.constant("b", random_floats({4}, 3))});
  y = b.node("Reshape", "flat", {y, b.vector<std::int64_t>("shape", {64, 4})});
  const ValueId g = b.constant("g", random_floats({4, 4}, 4));
  y = b.node("Gemm", "gemm", {y, g}, {{"transB", std::int64_t{1}}, {"alpha", 0.5f}});
  const ValueId tied = b.constant("t", random_floats({4, 4}, 5));
  y = b.node("MatMul", "first", {y, tied});
  const Graph model = b.build({b.node("Gemm", "second", {y, tied})});
  Samples samples;
  for (unsigned i = 0; i < 8; ++i) samples.push_back({random_floats({1, 4, 8, 8}, 20 + i)});
  QuantizeOptions low;
  low.effort = Effort::low;
  const double alone = DynamicPair(model).difference(samples[0]);
  const DynamicPair evened(model, low, data_of(samples));
  EXPECT_LT(evened.difference(samples[0]), alone / 4);
  const DynamicPair rounded(model, {}, data_of(samples));
  EXPECT_EQ(rounded.report.samples, 8);
  EXPECT_GT(*rounded.report.sqnr_db, *evened.report.sqnr_db + 0.2);
  const Graph graph = rounded.graph();
  EXPECT_EQ(graph.metadata.at("intact.samples"), "8");
  EXPECT_EQ(node_named(graph, "first").inputs[1], node_named(graph, "second").inputs[1]);
  EXPECT_EQ(error_of([&] { DynamicPair(model, {}, data_of({})); }),
            "no calibration sample was given; quantization needs at least one");
}

TEST(QuantizeDynamic, WhatStaysFloatSaysWhy) {
  ModelBuilder b;
  const ValueId x = b.input("x", ElementType::f32, {4, 4});
  const ValueId w = b.constant("w", random_floats({4, 4}, 1));
  const ValueId three = b.constant("three", random_floats({1, 4, 4}, 1));
  Tensor unbounded = random_floats({4, 4}, 2);
  unbounded.data<float>()[3] = std::numeric_limits<float>::infinity();
  const ValueId products[] = {
      b.node("MatMul", "activations", {x, x}),
      b.node("MatMul", "first_constant", {w, x}),
      b.node("MatMul", "batched", {x, three}),
      b.node("MatMul", "infinite", {x, b.constant("infinities", unbounded)}),
  };
  const DynamicPair pair(b.build({products[0], products[1], products[2], products[3]}));
  EXPECT_EQ(kept_reason(pair.report, "activations"), "its weights are not constant");
  EXPECT_EQ(kept_reason(pair.report, "first_constant"), "its first operand is constant");
  EXPECT_EQ(kept_reason(pair.report, "batched"), "its weights are not a matrix");
  EXPECT_EQ(kept_reason(pair.report, "infinite"),
            "its constant 'infinities' holds infinities or NaN, which lie on no grid");
  EXPECT_EQ(count(pair.graph(), "DynamicQuantizeLinear"), 0u);
  const auto quantized = [&] {
    TemporaryFolder folder;
    quantize_dynamic(DynamicPair(convolutions()).int8_path(), folder / "twice.onnx");
  };
  EXPECT_NE(error_of(quantized).find("a model to be quantized has to be float"), std::string::npos);
}

}  // namespace
}  // namespace intact::testing
