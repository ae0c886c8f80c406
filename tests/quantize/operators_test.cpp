// Each rule of the selection on a small model: what is written, that it runs in integers, and that
// its outputs are those of the float model up to the steps of its grids.
#include <gtest/gtest.h>

#include <limits>

#include "quantized.hpp"

namespace intact::testing {
namespace {

Samples images(const Shape& shape, int number = 4, float low = -1, float high = 1) {
  Samples samples;
  for (int i = 0; i < number; ++i)
    samples.push_back({random_floats(shape, static_cast<unsigned>(100 + i), low, high)});
  return samples;
}

ValueId conv(ModelBuilder& model, const std::string& name, ValueId x, std::int64_t in,
             std::int64_t out, std::int64_t kernel = 1) {
  const auto seed = static_cast<unsigned>(name[0]);
  const float size = 1 / std::sqrt(static_cast<float>(in * kernel * kernel));
  const ValueId w =
      model.constant(name + ".w", random_floats({out, in, kernel, kernel}, seed, -size, size));
  const ValueId b = model.constant(name + ".b", random_floats({out}, seed + 1, -0.2f, 0.2f));
  const std::int64_t pad = kernel / 2;
  return model.node("Conv", name, {x, w, b},
                    {{"pads", std::vector<std::int64_t>{pad, pad, pad, pad}}});
}

/// Every operator of these models has gains around one, so a handful of roundings of grids with
/// ranges of at most 4 stays below this.
constexpr double few_steps = 8 * 4.0 / 255;

TEST(Quantize, ConvHasIntegerWeightsAndFloatOutput) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {-1, 3, 6, 6});
  const Graph graph = model.build({conv(model, "conv", x, 3, 4, 3)});
  const Samples samples = images({1, 3, 6, 6});
  const Pair pair(graph, samples);
  const Graph quantized = pair.graph();
  EXPECT_EQ(count(quantized, "QuantizeLinear"), 1u);
  EXPECT_EQ(count(quantized, "DequantizeLinear"), 3u);
  const Node& node = node_named(quantized, "conv");
  EXPECT_EQ(quantized.value(node.outputs[0]).name, "conv.0");
  EXPECT_TRUE(quantized.is_output(node.outputs[0]));
  const Node& weights = *writer(quantized, node.inputs[1]);
  EXPECT_EQ(quantized.value(node.inputs[1]).name, "conv.w");
  EXPECT_EQ(weights.attributes.integer("axis", 1), 0);
  EXPECT_EQ(quantized.value(weights.inputs[0]).constant.type(), ElementType::s8);
  EXPECT_EQ(quantized.value(weights.inputs[1]).constant.shape(), (Shape{4}));
  const Node& bias = *writer(quantized, node.inputs[2]);
  EXPECT_EQ(quantized.value(bias.inputs[0]).constant.type(), ElementType::s32);
  EXPECT_EQ(pair.report.quantized, std::vector<std::string>{"conv"});
  // 27 products: half a step of x times |w| <= 0.2, half a step of w times |x| <= 1; the bias's
  // steps are far smaller.
  expect_integer_and_close(pair, samples, 27 * (0.2 / 255 + 0.5 * 0.2 / 127) + 1e-3);
}

TEST(Quantize, ActivationsAndWeightsInOtherFormats) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 6, 6});
  const ValueId y = model.node("Sigmoid", "sigmoid", {conv(model, "first", x, 3, 8, 3)});
  const ValueId sum = model.node("Add", "add", {y, conv(model, "side", y, 8, 8)});
  const Graph graph = model.build({conv(model, "last", sum, 8, 4)});
  const Samples samples = images({1, 3, 6, 6});
  for (const ActivationFormat format : {ActivationFormat{ElementType::u8, true},
                                        {ElementType::s8, true},
                                        {ElementType::s8, false}}) {
    QuantizeOptions options;
    options.activations = format;
    options.narrow_weights = true;
    const Pair pair(graph, samples, options);
    expect_integer_and_close(pair, samples, 4 * few_steps);
    for (const TensorReport& tensor : pair.report.tensors) {
      EXPECT_EQ(tensor.type, format.type);
      if (format.symmetric) {
        EXPECT_EQ(tensor.zero_point, format.type == ElementType::s8 ? 0 : 128);
      }
    }
    const Graph quantized = pair.graph();
    EXPECT_NE(quantized.metadata.at("intact.options").find("narrow per-channel weights"),
              std::string::npos);
    const Node& weights = *writer(quantized, node_named(quantized, "first").inputs[1]);
    for (const std::int8_t q : quantized.value(weights.inputs[0]).constant.data<std::int8_t>())
      EXPECT_LE(std::abs(int{q}), 63);
  }
}

TEST(Quantize, PerTensorWeightsHaveOneScale) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 4, 4});
  const Graph graph = model.build({conv(model, "conv", x, 3, 4)});
  QuantizeOptions options;
  options.per_channel = false;
  const Samples samples = images({1, 3, 4, 4});
  const Pair pair(graph, samples, options);
  const Graph quantized = pair.graph();
  for (const std::size_t operand : {1, 2}) {
    const Node& dequantize = *writer(quantized, node_named(quantized, "conv").inputs[operand]);
    EXPECT_EQ(quantized.value(dequantize.inputs[1]).constant.size(), 1);
  }
  expect_integer_and_close(pair, samples, few_steps);
}

TEST(Quantize, GridLiesBehindTheActivation) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 6, 6});
  const ValueId relu = model.node("Relu", "relu", {conv(model, "a", x, 3, 4, 3)});
  const ValueId low = model.scalar("low", 0.0f), high = model.scalar("high", 0.5f);
  const ValueId clip = model.node("Clip", "clip", {conv(model, "b", relu, 4, 4), low, high});
  const Graph graph = model.build({conv(model, "c", clip, 4, 2)});
  const Samples samples = images({1, 3, 6, 6});
  const Pair pair(graph, samples);
  const Graph quantized = pair.graph();
  EXPECT_EQ(count(quantized, "QuantizeLinear"), 3u);
  for (const char* name : {"relu", "clip"}) {
    const Node& node = node_named(quantized, name);
    EXPECT_EQ(writer(quantized, node.inputs[0])->op, "Conv");
    const Node* next =
        writer(quantized, node_named(quantized, std::string(name) == "relu" ? "b" : "c").inputs[0]);
    const Node* grid = writer(quantized, next->inputs[0]);
    EXPECT_EQ(grid->inputs[0], node.outputs[0]);
    EXPECT_EQ(quantized.value(grid->inputs[2]).constant.data<std::uint8_t>()[0], 0);
  }
  expect_integer_and_close(pair, samples, few_steps);
}

TEST(Quantize, BatchNormalizationIsFolded) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 6, 6});
  const ValueId y = conv(model, "conv", x, 3, 4, 3);
  const ValueId normalized = model.node(
      "BatchNormalization", "norm",
      {y, model.constant("gamma", random_floats({4}, 1, 0.5f, 1.5f)),
       model.constant("beta", random_floats({4}, 2)), model.constant("mean", random_floats({4}, 3)),
       model.constant("variance", random_floats({4}, 4, 0.5f, 2))});
  const Graph graph =
      model.build({conv(model, "next", model.node("Relu", "relu", {normalized}), 4, 2)});
  const Samples samples = images({1, 3, 6, 6});
  const Pair pair(graph, samples);
  EXPECT_EQ(count(pair.graph(), "BatchNormalization"), 0u);
  expect_integer_and_close(pair, samples, few_steps);
}

TEST(Quantize, ResidualWithSliceAndPadShortcut) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {-1, 4, 8, 8});
  const ValueId stem = model.node("Relu", "relu", {conv(model, "stem", x, 4, 4, 3)});
  const ValueId w = model.constant("down.w", random_floats({8, 4, 3, 3}, 7, -0.2f, 0.2f));
  const ValueId down = model.node("Conv", "down", {stem, w},
                                  {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}},
                                   {"strides", std::vector<std::int64_t>{2, 2}}});
  const auto both = [&](const std::string& name, std::int64_t value) {
    return model.vector<std::int64_t>(name, {value, value});
  };
  const ValueId slice = model.node("Slice", "slice",
                                   {stem, both("starts", 0), both("ends", 8),
                                    model.vector<std::int64_t>("axes", {2, 3}), both("steps", 2)});
  const ValueId pad = model.node(
      "Pad", "pad", {slice, model.vector<std::int64_t>("pads", {0, 2, 0, 0, 0, 2, 0, 0})});
  const ValueId sum = model.node("Relu", "sum.relu", {model.node("Add", "sum", {down, pad})});
  const ValueId mean =
      model.node("ReduceMean", "mean", {sum},
                 {{"axes", std::vector<std::int64_t>{2, 3}}, {"keepdims", std::int64_t{0}}});
  const ValueId fc = model.constant("fc.w", random_floats({5, 8}, 9, -0.3f, 0.3f));
  const ValueId fb = model.constant("fc.b", random_floats({5}, 10));
  const Graph graph =
      model.build({model.node("Gemm", "fc", {mean, fc, fb}, {{"transB", std::int64_t{1}}})});
  const Samples samples = images({2, 4, 8, 8});
  const Pair pair(graph, samples);
  EXPECT_TRUE(pair.report.kept_float.empty());
  const Graph quantized = pair.graph();
  // The shortcut keeps the grid of the tensor that it moves.
  const auto scale_behind = [&](const std::string& value) {
    for (const Node& node : quantized.nodes)
      if (node.op == "QuantizeLinear" && quantized.value(node.inputs[0]).name == value)
        return node.inputs[1];
    return no_value;
  };
  EXPECT_NE(scale_behind("relu.0"), no_value);
  EXPECT_EQ(scale_behind("relu.0"), scale_behind("slice.0"));
  EXPECT_EQ(scale_behind("relu.0"), scale_behind("pad.0"));
  expect_integer_and_close(pair, samples, few_steps);
}

TEST(Quantize, ConcatSharesOneGrid) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 4, 6, 6});
  const ValueId squeeze = model.node("Relu", "squeeze.relu", {conv(model, "squeeze", x, 4, 4)});
  const ValueId a = model.node("Relu", "a.relu", {conv(model, "a", squeeze, 4, 4)});
  const ValueId b = conv(model, "b", squeeze, 4, 4, 3);
  const ValueId joined = model.node("Concat", "join", {a, b}, {{"axis", std::int64_t{1}}});
  const ValueId pooled = model.node("MaxPool", "pool", {joined},
                                    {{"kernel_shape", std::vector<std::int64_t>{2, 2}},
                                     {"strides", std::vector<std::int64_t>{2, 2}}});
  const ValueId last = conv(model, "last", pooled, 8, 3);
  const Graph graph = model.build({model.node("GlobalAveragePool", "mean", {last})});
  const Samples samples = images({1, 4, 6, 6});
  const Pair pair(graph, samples);
  const Graph quantized = pair.graph();
  const Node& join = node_named(quantized, "join");
  const Node* first = writer(quantized, join.inputs[0]);
  const Node* second = writer(quantized, join.inputs[1]);
  EXPECT_EQ(first->inputs[1], second->inputs[1]);
  EXPECT_EQ(first->inputs[1],
            writer(quantized, node_named(quantized, "last").inputs[0])->inputs[1]);
  EXPECT_TRUE(pair.report.kept_float.empty());
  expect_integer_and_close(pair, samples, few_steps);
}

TEST(Quantize, UnaryFunctionsBecomeTables) {
  for (const char* op : {"Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid", "HardSwish", "Relu", "Elu",
                         "Celu", "Selu", "Softplus", "Softsign", "ThresholdedRelu"}) {
    ModelBuilder model(14);
    const ValueId x = model.input("x", ElementType::f32, {1, 3, 5, 5});
    const ValueId first = conv(model, "first", x, 3, 4);
    const ValueId y = model.node(op, "function", {first});
    // A second reader keeps Relu from joining the convolution.
    const ValueId product = model.node("Mul", "product", {first, y});
    const Graph graph = model.build({conv(model, "last", product, 4, 2)});
    const Samples samples = images({1, 3, 5, 5});
    const Pair pair(graph, samples);
    EXPECT_TRUE(pair.report.kept_float.empty()) << op;
    SCOPED_TRACE(op);
    expect_integer_and_close(pair, samples, few_steps);
  }
}

TEST(Quantize, ExtremesOfTwoTensors) {
  for (const char* op : {"Max", "Min"}) {
    ModelBuilder model;
    const ValueId x = model.input("x", ElementType::f32, {1, 3, 5, 5});
    const ValueId y =
        model.node(op, "extreme", {conv(model, "a", x, 3, 4), conv(model, "b", x, 3, 4)});
    const Samples samples = images({1, 3, 5, 5});
    const Pair pair(model.build({conv(model, "last", y, 4, 2)}), samples);
    SCOPED_TRACE(op);
    EXPECT_TRUE(pair.report.kept_float.empty());
    expect_integer_and_close(pair, samples, few_steps);
  }
}

TEST(Quantize, ExtremesOfBoundsStayFloat) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 5, 5});
  const ValueId bound = model.scalar("bound", -std::numeric_limits<float>::infinity());
  const ValueId y = model.node("Max", "max", {conv(model, "a", x, 3, 4), bound});
  const Samples samples = images({1, 3, 5, 5});
  const Pair pair(model.build({conv(model, "last", y, 4, 2)}), samples);
  EXPECT_EQ(kept_reason(pair.report, "max"), "one of its operands is constant");
  expect_close(pair, samples, few_steps);
}

/// The result has the operand's grid, as its numbers are the operand's.
TEST(Quantize, ExtremesAlongAxes) {
  for (const char* op : {"ReduceMax", "ReduceMin"}) {
    for (const std::vector<std::int64_t>& axes : {std::vector<std::int64_t>{2}, {1}, {2, 3}}) {
      ModelBuilder model;
      const ValueId x = model.input("x", ElementType::f32, {1, 3, 5, 5});
      const ValueId y = model.node(op, "reduce", {conv(model, "a", x, 3, 4)}, {{"axes", axes}});
      const std::int64_t channels = axes[0] == 1 ? 1 : 4;
      const Samples samples = images({1, 3, 5, 5});
      const Pair pair(model.build({conv(model, "last", y, channels, 2)}), samples);
      SCOPED_TRACE(op);
      EXPECT_TRUE(pair.report.kept_float.empty());
      EXPECT_EQ(pair.report.tensors.back().shares_with, "a.0");
      expect_integer_and_close(pair, samples, few_steps);
    }
  }
}

/// Its grid is its own: it leaves the range of its operand.
TEST(Quantize, CubicResize) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 5, 5});
  const ValueId y =
      model.node("Resize", "up",
                 {conv(model, "a", x, 3, 4), no_value, model.vector<float>("scales", {1, 1, 2, 2})},
                 {{"mode", std::string("cubic")}});
  const Samples samples = images({1, 3, 5, 5});
  const Pair pair(model.build({conv(model, "last", y, 4, 2)}), samples);
  EXPECT_TRUE(pair.report.kept_float.empty());
  EXPECT_EQ(pair.report.tensors.back().shares_with, "");
  expect_integer_and_close(pair, samples, few_steps);
}

TEST(Quantize, ConstantOperandsLieOnGrids) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 5, 5});
  const ValueId y = conv(model, "first", x, 3, 4);
  const ValueId sum =
      model.node("Add", "shift", {y, model.constant("shifts", random_floats({1, 4, 1, 1}, 3))});
  const ValueId half = model.node("Mul", "half", {sum, model.scalar("factor", 0.5f)});
  const Graph graph = model.build({conv(model, "last", half, 4, 2)});
  const Samples samples = images({1, 3, 5, 5});
  const Pair pair(graph, samples);
  EXPECT_TRUE(pair.report.kept_float.empty());
  EXPECT_EQ(writer(pair.graph(), node_named(pair.graph(), "shift").inputs[1])->op,
            "DequantizeLinear");
  expect_integer_and_close(pair, samples, few_steps);
}

TEST(Quantize, MatMulTakesItsBias) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {-1, 6});
  const ValueId y = model.node("MatMul", "first",
                               {x, model.constant("w1", random_floats({6, 8}, 1, -0.4f, 0.4f))});
  const ValueId sum = model.node("Add", "bias", {model.constant("b1", random_floats({8}, 2)), y});
  const ValueId relu = model.node("Relu", "relu", {sum});
  const Graph graph = model.build({model.node(
      "MatMul", "last", {relu, model.constant("w2", random_floats({8, 3}, 3, -0.4f, 0.4f))})});
  const Samples samples = images({3, 6});
  const Pair pair(graph, samples);
  const Graph quantized = pair.graph();
  EXPECT_EQ(count(quantized, "QuantizeLinear"), 2u);
  EXPECT_EQ(
      writer(quantized, node_named(quantized, "last").inputs[1])->attributes.integer("axis", 0), 1);
  EXPECT_TRUE(pair.report.kept_float.empty());
  expect_integer_and_close(pair, samples, few_steps);
}

TEST(Quantize, SharedWeightsAreQuantizedForEachReader) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {2, 4});
  const ValueId w = model.constant("w", random_floats({4, 4}, 1, -0.5f, 0.5f));
  const ValueId y = model.node("Tanh", "tanh", {model.node("MatMul", "a", {x, w})});
  const Graph graph = model.build({model.node("MatMul", "b", {y, w})});
  const Samples samples = images({2, 4});
  expect_integer_and_close(Pair(graph, samples), samples, few_steps);
}

TEST(Quantize, OutputThatIsReadOnKeepsItsName) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 5, 5});
  const ValueId features = conv(model, "first", x, 3, 4);
  const Graph graph = model.build({features, conv(model, "last", features, 4, 2)});
  const Samples samples = images({1, 3, 5, 5});
  const Pair pair(graph, samples);
  const Graph quantized = pair.graph();
  EXPECT_EQ(quantized.value(quantized.outputs[0]).name, "first.0");
  EXPECT_EQ(writer(quantized, quantized.outputs[0])->op, "DequantizeLinear");
  expect_integer_and_close(pair, samples, few_steps);
}

TEST(Quantize, TransposedConvolutionRunsOnIntegers) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 5, 5});
  const ValueId w = model.constant("w", random_floats({4, 3, 4, 4}, 1, -0.5f, 0.5f));
  const ValueId up =
      model.node("ConvTranspose", "up",
                 {conv(model, "first", x, 3, 4), w, model.vector<float>("b", {0.3f, -0.2f, 0.1f})},
                 {{"strides", std::vector<std::int64_t>{2, 2}},
                  {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  const Graph graph = model.build({conv(model, "last", up, 3, 2)});
  const Samples samples = images({1, 3, 5, 5});
  const Pair pair(graph, samples);
  EXPECT_TRUE(pair.report.kept_float.empty());
  const Graph quantized = pair.graph();
  EXPECT_EQ(writer(quantized, node_named(quantized, "up").inputs[1])->attributes.integer("axis", 0),
            1);
  expect_integer_and_close(pair, samples, few_steps);
}

TEST(Quantize, FloatOperatorsHaveReasons) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 4, 4});
  const ValueId up = model.node("Erf", "up", {conv(model, "first", x, 3, 4)});
  const ValueId sum = model.node("Add", "sum", {up, up});
  const ValueId flat = model.node("Flatten", "flat", {conv(model, "last", sum, 4, 2)});
  const Graph graph = model.build({model.node("Softmax", "softmax", {flat})});
  const Pair pair(graph, images({1, 3, 4, 4}));
  EXPECT_EQ(kept_reason(pair.report, "up"), "nodes of Erf are not quantized");
  EXPECT_EQ(kept_reason(pair.report, "sum"), "its operand 'up.0' is written by a float operator");
  EXPECT_EQ(kept_reason(pair.report, "flat"), "no integer operator reads its result");
  EXPECT_EQ(kept_reason(pair.report, "softmax"), "no integer operator reads its result");
  EXPECT_EQ(pair.report.quantized, (std::vector<std::string>{"first", "last"}));
}

// --- encoders

ValueId dense(ModelBuilder& model, const std::string& name, ValueId x, std::int64_t in,
              std::int64_t out) {
  const auto seed = static_cast<unsigned>(name[0]);
  const float size = 1 / std::sqrt(static_cast<float>(in));
  const ValueId w = model.constant(name + ".w", random_floats({in, out}, seed, -size, size));
  const ValueId y = model.node("MatMul", name, {x, w});
  return model.node("Add", name + "_bias",
                    {y, model.constant(name + ".b", random_floats({out}, seed + 1, -0.2f, 0.2f))});
}

/// [1, 6, 16] to two heads, [1, 2, 6, 8].
ValueId heads(ModelBuilder& model, const std::string& name, ValueId x,
              const std::vector<std::int64_t>& order) {
  const ValueId split = model.node("Reshape", name + "_split",
                                   {x, model.vector<std::int64_t>(name + ".shape", {0, 0, 2, 8})});
  return model.node("Transpose", name + "_move", {split}, {{"perm", order}});
}

ValueId gelu(ModelBuilder& model, ValueId x) {
  const ValueId erf =
      model.node("Erf", "erf", {model.node("Div", "div", {x, model.scalar("r", 1.41421356f)})});
  const ValueId gate = model.node("Add", "one", {erf, model.scalar("c1", 1.0f)});
  return model.node("Mul", "half", {model.node("Mul", "gate", {x, gate}), model.scalar("h", 0.5f)});
}

Graph encoder_layer(const std::string& scale) {
  ModelBuilder model(17);
  const ValueId x = model.input("x", ElementType::f32, {1, 6, 16});
  const ValueId q = heads(model, "q", dense(model, "q", x, 16, 16), {0, 2, 1, 3});
  const ValueId k = heads(model, "k", dense(model, "k", x, 16, 16), {0, 2, 3, 1});
  const ValueId v = heads(model, "v", dense(model, "v", x, 16, 16), {0, 2, 1, 3});
  const float factor = scale == "Div" ? 2.8f : 0.36f;
  const ValueId scores = model.node(
      scale, "scale", {model.node("MatMul", "scores", {q, k}), model.scalar("f", factor)});
  const ValueId p = model.node("Softmax", "softmax", {scores}, {{"axis", std::int64_t{-1}}});
  const ValueId context = model.node("MatMul", "context", {p, v});
  const ValueId joined = model.node("Reshape", "join",
                                    {model.node("Transpose", "back", {context},
                                                {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}}),
                                     model.vector<std::int64_t>("joined", {0, 0, 16})});
  const ValueId sum = model.node("Add", "residual", {dense(model, "o", joined, 16, 16), x});
  const ValueId n = model.node("LayerNormalization", "norm",
                               {sum, model.constant("g", random_floats({16}, 9, 0.5f, 1.5f)),
                                model.constant("b", random_floats({16}, 10))});
  return model.build({dense(model, "d", gelu(model, dense(model, "u", n, 16, 32)), 32, 16)});
}

TEST(Quantize, EncoderLayerMultipliesIntegers) {
  for (const std::string scale : {"Div", "Mul"}) {
    const Samples samples = images({1, 6, 16}, 8);
    const Pair pair(encoder_layer(scale), samples);
    expect_close(pair, samples, 3 * few_steps);
    const std::vector<Shape> shape = {{1, 6, 16}};
    for (const FlowNode& node : Session::load(pair.int8_path()).flow(shape).nodes)
      EXPECT_EQ(node.precision == "float", node.name == "norm") << node.name;
    const Graph quantized = pair.graph();
    EXPECT_EQ(count(quantized, "Erf"), 1u) << "operators stay those of the file";
    const auto& done = pair.report.quantized;
    for (const char* name : {"scores", "softmax", "context", "norm", "erf", "half"})
      EXPECT_NE(std::find(done.begin(), done.end(), name), done.end()) << name;
    EXPECT_EQ(kept_reason(pair.report, "residual"),
              "a Softmax or normalization reads its result, of which a row is float in the cache "
              "anyway");
    EXPECT_EQ(quantized.value(node_named(quantized, "residual").inputs[1]).name, "x");
    // Nothing is rounded between the scores and the softmax, nor from a product to behind Gelu.
    EXPECT_EQ(writer(quantized, node_named(quantized, "softmax").inputs[0])->op, scale);
    EXPECT_EQ(writer(quantized, node_named(quantized, "scale").inputs[0])->op, "MatMul");
    EXPECT_EQ(writer(quantized, node_named(quantized, "one").inputs[0])->op, "Erf");
    EXPECT_EQ(writer(quantized, node_named(quantized, "div").inputs[0])->op, "Add");
  }
}

/// What a normalization writes is float anyway: a sum reads that, products read it rounded.
TEST(Quantize, SumsReadUnroundedNormalizations) {
  ModelBuilder model(17);
  const ValueId x = model.input("x", ElementType::f32, {1, 6, 16});
  const auto norm = [&](const std::string& name, ValueId id) {
    return model.node("LayerNormalization", name,
                      {id, model.constant(name + ".g", random_floats({16}, 9, 0.5f, 1.5f))});
  };
  const ValueId first = norm("first", x);
  const ValueId sum = model.node("Add", "sum", {first, dense(model, "p", first, 16, 16)});
  const Samples samples = images({1, 6, 16}, 8);
  const Pair pair(model.build({dense(model, "q", norm("second", sum), 16, 16)}), samples);
  expect_close(pair, samples, few_steps);
  const Graph quantized = pair.graph();
  EXPECT_EQ(writer(quantized, node_named(quantized, "sum").inputs[0])->name, "first");
  EXPECT_EQ(writer(quantized, node_named(quantized, "p").inputs[0])->op, "DequantizeLinear");
}

TEST(Quantize, ProductIsNotRoundedBeforeItsResidual) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 8, 6, 6});
  const ValueId main = conv(model, "main", x, 8, 8, 1), shortcut = conv(model, "short", x, 8, 8, 1);
  const ValueId sum = model.node("Relu", "relu", {model.node("Add", "add", {main, shortcut})});
  const Samples samples = images({1, 8, 6, 6});
  const Pair pair(model.build({conv(model, "last", sum, 8, 8, 1)}), samples);
  expect_integer_and_close(pair, samples, few_steps);
  const Graph quantized = pair.graph();
  const Node& add = node_named(quantized, "add");
  EXPECT_EQ(writer(quantized, add.inputs[0])->op, "DequantizeLinear");
  EXPECT_EQ(writer(quantized, add.inputs[1])->name, "short") << "written last: in registers";
}

TEST(Quantize, SoftmaxBehindTheLastProductStaysFloat) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 16});
  const ValueId y = model.node("Softmax", "softmax", {dense(model, "d", x, 16, 8)});
  const Samples samples = images({1, 16});
  const Pair pair(model.build({y}), samples);
  EXPECT_EQ(kept_reason(pair.report, "softmax"), "no integer operator reads its result");
}

}  // namespace
}  // namespace intact::testing
