// What runs with the operator before it: clamps, Rounds, additions; and what must not.
#include <cmath>

#include "model_run.hpp"

namespace intact::testing {
namespace {

/// x on a grid, then a convolution of it.
struct ConvModel {
  ModelBuilder builder;
  Shape shape = {-1, 8, 6, 6};
  ValueId x = builder.round("x.round", builder.input("x", ElementType::f32, shape), 0.01f,
                            std::uint8_t{120});

  ValueId conv(const std::string& name, ValueId from, std::int64_t in, std::int64_t out,
               unsigned seed = 1) {
    const AttributeList pads = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};
    return builder.node("Conv", name,
                        {from, grid_weights(builder, name + ".w", {out, in, 3, 3}, seed)}, pads);
  }
  ValueId clip(const std::string& name, ValueId from, float low, float high) {
    return builder.node(
        "Clip", name,
        {from, builder.scalar(name + ".low", low), builder.scalar(name + ".high", high)});
  }
  Tensors input(std::int64_t batch = 2) { return {random_floats({batch, 8, 6, 6}, 3)}; }
};

TEST(Tails, ClampsAndRoundBelongToTheConvolution) {
  for (const int zero : {0, 100, 128, 255}) {
    ConvModel m;
    const ValueId relu = m.builder.node("Relu", "relu", {m.conv("conv", m.x, 8, 12)});
    const ValueId clip = m.clip("clip", relu, -3, 6);
    const ValueId y = m.builder.round("y", clip, 0.05f, static_cast<std::uint8_t>(zero));
    const Flow flow = expect_consistent(m.builder.build({y}), m.input(), 0.0501);
    EXPECT_EQ(count_of(flow, "Conv+Relu+Clip"), 1);
    EXPECT_EQ(flow.float_nodes, 0);
  }
}

TEST(Tails, SignedGridsToo) {
  ConvModel m;
  const ValueId relu = m.builder.node("Relu", "relu", {m.conv("conv", m.x, 8, 12)});
  const ValueId y = m.builder.round("y", relu, 0.05f, std::int8_t{-128});
  EXPECT_EQ(count_of(expect_consistent(m.builder.build({y}), m.input(), 0.0501), "Conv+Relu"), 1);
}

TEST(Tails, ClipWithOneBoundOrCrossedBounds) {
  ConvModel m;
  const ValueId conv = m.conv("conv", m.x, 8, 12);
  const ValueId open =
      m.builder.node("Clip", "open", {conv, no_value, m.builder.scalar("high", 1.0f)});
  const ValueId crossed = m.clip("crossed", m.conv("other", m.x, 8, 4), 2, -1);
  const ValueId a = m.builder.round("a", open, 0.05f, std::uint8_t{128});
  const ValueId b = m.builder.round("b", crossed, 0.05f, std::uint8_t{128});
  expect_consistent(m.builder.build({a, b}), m.input(), 0.0501);
}

TEST(Tails, FloatOutputIsClampedToo) {
  ConvModel m;
  const ValueId y = m.clip("clip", m.conv("conv", m.x, 8, 12), -0.5f, 0.75f);
  const Flow flow = expect_consistent(m.builder.build({y}), m.input(), 1e-5);
  EXPECT_EQ(count_of(flow, "Conv+Clip"), 1);
}

TEST(Tails, ClampBehindAnAveragePoolWithoutRound) {
  ConvModel m;
  const ValueId pool = m.builder.node("AveragePool", "pool", {m.x},
                                      {{"kernel_shape", std::vector<std::int64_t>{2, 2}}});
  const ValueId global = m.builder.node("GlobalAveragePool", "global", {m.x});
  const Graph graph = m.builder.build(
      {m.clip("clip", pool, -0.1f, 0.2f), m.builder.node("Relu", "relu", {global})});
  expect_consistent(graph, m.input(), 1e-6);
}

TEST(Tails, GraphOutputInFrontOfTheRound) {
  ConvModel m;
  const ValueId conv = m.conv("conv", m.x, 8, 12);
  const ValueId y = m.builder.round("y", conv, 0.05f, std::uint8_t{128});
  const Flow flow = expect_consistent(m.builder.build({conv, y}), m.input(), 0.0501);
  EXPECT_EQ(count_of(flow, "Quantize"), 1);  // of the input: the convolution writes both forms
}

TEST(Tails, TwoRoundsOfOneConvolution) {
  ConvModel m;
  const ValueId conv = m.conv("conv", m.x, 8, 12);
  const ValueId a = m.builder.round("a", conv, 0.05f, std::uint8_t{128});
  const ValueId b = m.builder.round("b", conv, 0.02f, std::int8_t{-30});
  expect_consistent(m.builder.build({a, b}), m.input(), 0.0501);
}

TEST(Residuals, AdditionJoinsTheConvolutionBeforeIt) {
  for (const bool first : {true, false}) {
    ConvModel m;
    const ValueId conv = m.builder.round("a", m.conv("conv", m.x, 8, 8), 0.03f, std::uint8_t{90});
    const ValueId add =
        m.builder.node("Add", "add", first ? std::vector{conv, m.x} : std::vector{m.x, conv});
    const ValueId y =
        m.builder.round("y", m.builder.node("Relu", "relu", {add}), 0.04f, std::uint8_t{0});
    const Flow flow = expect_consistent(m.builder.build({y}), m.input(), 0.0401);
    EXPECT_EQ(count_of(flow, "Conv+Add+Relu"), 1);
    EXPECT_EQ(flow.float_nodes, 0);
  }
}

TEST(Residuals, SumIsTheOnlyThingRounded) {
  for (const bool first : {true, false}) {
    ConvModel m;
    const ValueId conv = m.conv("conv", m.x, 8, 8);
    const ValueId add =
        m.builder.node("Add", "add", first ? std::vector{conv, m.x} : std::vector{m.x, conv});
    const ValueId y =
        m.builder.round("y", m.builder.node("Relu", "relu", {add}), 0.04f, std::uint8_t{0});
    const Graph graph = m.builder.build({y});
    expect_consistent(graph, m.input(), 0.0401);
    // One operation by its arithmetic, which fusion therefore does not change.
    const Flow flow = session_of(graph, 1, false).flow();
    EXPECT_EQ(count_of(flow, "Conv+Add+Relu"), 1);
    EXPECT_EQ(flow.float_nodes, 0);
  }
}

/// The block's input dies in its last convolution, whose own source it is.
TEST(Residuals, InputOfTheConvolutionItself) {
  ConvModel m;
  ValueId x = m.x;
  for (int i = 0; i < 4; ++i) {
    const std::string name = std::to_string(i);
    const ValueId conv = m.builder.round("c" + name, m.conv("conv" + name, x, 8, 8, 10 + i), 0.03f,
                                         std::uint8_t{128});
    x = m.builder.round("r" + name, m.builder.node("Add", "add" + name, {x, conv}), 0.03f,
                        std::uint8_t{128});
  }
  const Flow flow = expect_consistent(m.builder.build({x}), m.input(), 0.5);
  EXPECT_EQ(count_of(flow, "Conv+Add"), 4);
}

TEST(Residuals, SecondOperandWrittenLater) {
  ConvModel m;
  const ValueId a = m.builder.round("a", m.conv("conv_a", m.x, 8, 8, 1), 0.03f, std::uint8_t{128});
  const ValueId b = m.builder.round("b", m.conv("conv_b", m.x, 8, 8, 2), 0.02f, std::uint8_t{10});
  const ValueId y =
      m.builder.round("y", m.builder.node("Add", "add", {a, b}), 0.04f, std::uint8_t{128});
  const ValueId z =
      m.builder.round("z", m.builder.node("Sub", "sub", {a, b}), 0.04f, std::uint8_t{128});
  expect_consistent(m.builder.build({y, z}), m.input(), 0.0401);
}

TEST(Sums, ChainOfAdditionsWithLateRounds) {
  ConvModel m;
  std::vector<ValueId> terms;
  for (int i = 0; i < 4; ++i) {
    const std::string name = std::to_string(i);
    terms.push_back(m.builder.round("t" + name, m.conv("conv" + name, m.x, 8, 8, 20 + i),
                                    0.02f + 0.003f * static_cast<float>(i), std::uint8_t{128}));
  }
  ValueId sum = terms[0];
  std::vector<ValueId> outputs;
  for (int i = 1; i < 4; ++i) {
    const std::string name = std::to_string(i);
    sum = m.builder.node("Add", "add" + name, {sum, terms[static_cast<std::size_t>(i)]});
    outputs.push_back(m.builder.round("y" + name, sum, 0.05f, std::uint8_t{128}));
  }
  const Flow flow = expect_consistent(m.builder.build(outputs), m.input(), 0.0501);
  EXPECT_EQ(flow.float_nodes, 0);
  EXPECT_EQ(flow.float_round_trips, 0);
}

TEST(Sums, ConstantPerChannelAndFloatUse) {
  ConvModel m;
  const ValueId a = m.builder.round("a", m.conv("conv", m.x, 8, 8), 0.03f, std::uint8_t{128});
  const ValueId shift = m.builder.constant("shift", random_floats({8, 1, 1}, 5));
  const ValueId shifted = m.builder.node("Add", "shifted", {a, shift});
  const ValueId sum = m.builder.node("Add", "sum", {shifted, m.x});
  const ValueId y = m.builder.round("y", sum, 0.05f, std::uint8_t{128});
  const ValueId root = m.builder.node("Sqrt", "root", {m.builder.node("Abs", "abs", {sum})});
  expect_consistent(m.builder.build({y, root}), m.input(), 0.0501);
}

TEST(Sums, MoreTermsThanTheKernelTakes) {
  ConvModel m;
  ValueId sum = m.x;
  for (int i = 0; i < 12; ++i) {
    const std::string name = std::to_string(i);
    const ValueId term = m.builder.round("t" + name, m.conv("conv" + name, m.x, 8, 8, 40 + i),
                                         0.02f, std::uint8_t{128});
    sum = m.builder.node("Add", "add" + name, {sum, term});
  }
  const ValueId y = m.builder.round("y", sum, 0.1f, std::uint8_t{128});
  expect_consistent(m.builder.build({y}), m.input(), 0.1001);
}

/// Each addition looks at a bounded number of those before it.
TEST(Sums, LongChainsArePlannedInLinearTime) {
  ModelBuilder builder;
  const auto operand = [&](const char* name) {
    return builder.dequantize(std::string(name) + ".dq", builder.input(name, ElementType::u8, {4}),
                              0.1f, std::uint8_t{10});
  };
  const ValueId a = operand("a"), b = operand("b");
  ValueId sum = a;
  for (int i = 0; i < 50000; ++i) sum = builder.node("Add", "add" + std::to_string(i), {sum, b});
  const Session session = session_of(builder.build({sum}));
  const Tensors inputs = {random_integers<std::uint8_t>({4}, 1),
                          random_integers<std::uint8_t>({4}, 2)};
  EXPECT_EQ(session.run(inputs)[0].shape(), Shape{4});
}

/// Rows of floats of which no groups of any length are made.
TEST(Sums, LongChainsOfFloatRowsArePlannedInLinearTime) {
  ModelBuilder builder;
  const ValueId x = builder.input("x", ElementType::f32, {2, 2});
  const ValueId b = builder.input("b", ElementType::f32, {2, 2});
  ValueId y = x;
  for (int i = 0; i < 4000; ++i) {
    const std::string number = std::to_string(i);
    y = i % 2 == 0 ? builder.node("Relu", "relu" + number, {y})
                   : builder.node("Add", "add" + number, {y, b});
  }
  const Session session = session_of(builder.build({y}));
  const Tensors inputs = {random_floats({2, 2}, 1), random_floats({2, 2}, 2)};
  EXPECT_EQ(session.run(inputs)[0].shape(), (Shape{2, 2}));
}

/// A sum whose scales differ so much that its integers would not fit is computed in float.
TEST(Sums, RescaledValuesThatOverflow) {
  for (const char* op : {"Add", "Mul", "Sub"}) {
    ModelBuilder builder;
    const ValueId a =
        builder.round("a", builder.input("x", ElementType::f32, {4, 8}), 1e12f, std::uint8_t{128});
    const ValueId b =
        builder.round("b", builder.input("y", ElementType::f32, {4, 8}), 1e12f, std::uint8_t{128});
    const ValueId y = builder.round("z", builder.node(op, "op", {a, b}), 1e-3f, std::uint8_t{128});
    const Tensors inputs = {random_floats({4, 8}, 1, -1e14f, 1e14f),
                            random_floats({4, 8}, 2, -1e14f, 1e14f)};
    expect_consistent(builder.build({y}), inputs, 0);
  }
}

/// No product of scales is a float: the operands are multiplied as reals.
TEST(Sums, ProductOfScalesBeyondFloats) {
  ModelBuilder builder;
  const ValueId a =
      builder.round("a", builder.input("x", ElementType::f32, {8}), 1e20f, std::uint8_t{128});
  const ValueId b =
      builder.round("b", builder.input("y", ElementType::f32, {8}), 1e20f, std::uint8_t{128});
  const Tensors inputs = {Tensor(ElementType::f32, {8}), random_floats({8}, 2, -1e22f, 1e22f)};
  const Tensors outputs =
      session_of(builder.build({builder.node("Mul", "product", {a, b})})).run(inputs);
  for (const float y : outputs[0].data<float>()) EXPECT_EQ(y, 0.0f);
}

/// An operator moves in front of the copies of a Concat only where it means the same there.
TEST(Copies, OperatorsBehindAConcatOfFloats) {
  const auto run = [](const Shape& part, std::int64_t axis, const Shape& factors) {
    ModelBuilder builder;
    const ValueId a = builder.input("a", ElementType::f32, part);
    const ValueId b = builder.input("b", ElementType::f32, part);
    const ValueId whole = builder.node("Concat", "concat", {a, b}, {{"axis", axis}});
    const ValueId m = builder.constant("m", random_floats(factors, 3));
    expect_consistent(builder.build({builder.node("Mul", "product", {whole, m})}),
                      {random_floats(part, 1), random_floats(part, 2)}, 0);
  };
  run({1, 4, 6, 6}, 1, {1, 8, 1, 1});
  run({1, 4, 6, 6}, 1, {8, 1, 1});
  run({1, 4, 6, 6}, 1, {1});
  run({1, 4, 6, 6}, 2, {4, 1, 1});
  run({5, 4}, 1, {8});
  run({5, 4}, 0, {4});
}

/// On images of width 1, a product with a window and one without number their axes differently.
TEST(Tails, TwoProductsOnLines) {
  for (const Shape& image : {Shape{2, 8, 6, 1}, Shape{1, 8, 3, 4, 1}})
    for (const bool window_first : {true, false}) {
      ModelBuilder builder;
      const ValueId x = builder.round("x.round", builder.input("x", ElementType::f32, image), 0.01f,
                                      std::uint8_t{120});
      std::vector<ValueId> products;
      for (const bool window : {window_first, !window_first}) {
        const std::string name = window ? "window" : "point";
        Shape weights = {12, 8};
        weights.resize(image.size(), window ? 3 : 1);
        const std::vector<std::int64_t> pads(2 * (image.size() - 2), window ? 1 : 0);
        products.push_back(builder.node(
            "Conv", name, {x, grid_weights(builder, name + ".w", weights, 1)}, {{"pads", pads}}));
      }
      const ValueId sum = builder.node("Add", "sum", products);
      const ValueId swish =
          builder.node("Mul", "swish", {sum, builder.node("Sigmoid", "sigmoid", {sum})});
      expect_consistent(builder.build({builder.round("y", swish, 0.05f, std::uint8_t{10})}),
                        {random_floats(image, 3)}, 0.0501);
    }
}

/// Shapes whose elements lie in the same order in both layouts: [N, C, 1, 1] and [N, 1, H, W].
TEST(Layouts, OperandsOfOnePixelOrOneChannel) {
  for (const std::int64_t out : {1, 5}) {
    ConvModel m;
    ValueId a = m.builder.round("a", m.conv("conv_a", m.x, 8, out, 1), 0.03f, std::uint8_t{128});
    ValueId b = m.builder.round("b", m.conv("conv_b", m.x, 8, out, 2), 0.02f, std::uint8_t{10});
    if (out != 1) {
      a = m.builder.round("ga", m.builder.node("GlobalAveragePool", "pa", {a}), 0.01f,
                          std::uint8_t{128});
      b = m.builder.round("gb", m.builder.node("GlobalAveragePool", "pb", {b}), 0.01f,
                          std::uint8_t{128});
    }
    std::vector<ValueId> outputs;
    for (const char* op : {"Add", "Mul", "Sub", "Div", "Max"}) {
      outputs.push_back(m.builder.node(op, std::string("float") + op, {a, b}));
      outputs.push_back(m.builder.round(op, m.builder.node(op, std::string("byte") + op, {b, a}),
                                        0.05f, std::uint8_t{128}));
    }
    m.builder.graph().outputs = outputs;
    Graph graph = m.builder.build({outputs[0], outputs[1], outputs[2], outputs[3], outputs[4],
                                   outputs[5], outputs[8], outputs[9]});
    expect_consistent(graph, m.input(3), 0.0501);
  }
}

TEST(Layouts, SqueezeAndExcite) {
  ConvModel m;
  const ValueId x = m.builder.round("a", m.conv("conv", m.x, 8, 8), 0.03f, std::uint8_t{128});
  const ValueId mean = m.builder.round("mean", m.builder.node("GlobalAveragePool", "pool", {x}),
                                       0.01f, std::uint8_t{128});
  const ValueId gate = m.builder.round("gate", m.builder.node("HardSigmoid", "sigmoid", {mean}),
                                       1.0f / 255, std::uint8_t{0});
  const ValueId y =
      m.builder.round("y", m.builder.node("Mul", "mul", {x, gate}), 0.03f, std::uint8_t{128});
  const Flow flow = expect_consistent(m.builder.build({y}), m.input(3), 0.0301);
  EXPECT_EQ(flow.float_nodes, 0);
}

/// Bytes come in rows first, a float operator wants channels last.
TEST(Layouts, FloatConvolutionOfABytesInput) {
  ModelBuilder builder;
  const ValueId x = builder.dequantize("dq", builder.input("x", ElementType::u8, {2, 3, 5, 5}),
                                       0.02f, std::uint8_t{7});
  const ValueId y =
      builder.node("Conv", "conv", {x, builder.constant("w", random_floats({4, 3, 3, 3}, 1))});
  const Flow flow =
      expect_consistent(builder.build({y}), {random_integers<std::uint8_t>({2, 3, 5, 5}, 2)}, 1e-4);
  const auto conv = std::find_if(flow.nodes.begin(), flow.nodes.end(),
                                 [](const FlowNode& node) { return node.op == "Conv"; });
  ASSERT_NE(conv, flow.nodes.end());
  EXPECT_EQ(conv->precision, "float");
  EXPECT_NE(conv->reason.find("'w' has no grid"), std::string::npos) << conv->reason;
}

}  // namespace
}  // namespace intact::testing
