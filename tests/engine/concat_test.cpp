// Concat: producers write where its output lies.
#include "model_run.hpp"

namespace intact::testing {
namespace {

struct Branches {
  ModelBuilder builder;
  ValueId input = builder.input("x", ElementType::f32, {-1, 8, 6, 6});
  ValueId x = builder.round("x.round", input, 0.01f, std::uint8_t{120});

  ValueId conv(const std::string& name, std::int64_t out, unsigned seed) {
    return builder.node("Conv", name,
                        {x, grid_weights(builder, name + ".w", {out, 8, 1, 1}, seed)});
  }
  ValueId concat(std::vector<ValueId> inputs, std::int64_t axis = 1) {
    return builder.node("Concat", "concat", std::move(inputs), {{"axis", axis}});
  }
  Flow check(const std::vector<ValueId>& outputs, double tolerance) {
    return expect_consistent(builder.build(outputs), {random_floats({2, 8, 6, 6}, 7)}, tolerance);
  }
};

int copies(const Flow& flow) {
  int count = 0;
  for (const FlowNode& node : flow.nodes) count += node.kernel.starts_with("copy");
  return count;
}

TEST(Concat, EqualGridsNeedNoCopy) {
  Branches m;
  const ValueId a = m.builder.round("a", m.conv("conv_a", 5, 1), 0.03f, std::uint8_t{128});
  const ValueId b = m.builder.round("b", m.conv("conv_b", 9, 2), 0.03f, std::uint8_t{128});
  const ValueId y = m.builder.round("y", m.concat({a, b}), 0.03f, std::uint8_t{128});
  const ValueId last = m.builder.round(
      "last",
      m.builder.node("MaxPool", "pool", {y}, {{"kernel_shape", std::vector<std::int64_t>{2, 2}}}),
      0.03f, std::uint8_t{128});
  const Flow flow = m.check({last}, 0.0301);
  EXPECT_EQ(count_of(flow, "Concat"), 0);
  EXPECT_EQ(flow.float_nodes, 0);
}

TEST(Concat, DifferentGridsAreRescaledByTables) {
  Branches m;
  const ValueId a = m.builder.round("a", m.conv("conv_a", 5, 1), 0.03f, std::uint8_t{128});
  const ValueId b = m.builder.round("b", m.conv("conv_b", 9, 2), 0.02f, std::int8_t{5});
  const ValueId y = m.builder.round("y", m.concat({a, b}), 0.04f, std::uint8_t{100});
  const ValueId pool =
      m.builder.node("MaxPool", "pool", {y}, {{"kernel_shape", std::vector<std::int64_t>{2, 2}}});
  const Flow flow = m.check({m.builder.round("last", pool, 0.04f, std::uint8_t{100})}, 0.0401);
  EXPECT_EQ(flow.float_nodes, 0);
  EXPECT_EQ(flow.float_round_trips, 0);
  EXPECT_EQ(count_of(flow, "Concat"), 0);
}

TEST(Concat, OperandsWithOtherConsumersAreCopied) {
  Branches m;
  const ValueId a = m.builder.round("a", m.conv("conv_a", 5, 1), 0.03f, std::uint8_t{128});
  const ValueId b = m.builder.round("b", m.conv("conv_b", 9, 2), 0.02f, std::uint8_t{3});
  const ValueId y = m.builder.round("y", m.concat({a, b, a}), 0.04f, std::uint8_t{100});
  const ValueId z =
      m.builder.round("z", m.builder.node("Sigmoid", "sigmoid", {a}), 1.0f / 255, std::uint8_t{0});
  const Flow flow = m.check({y, z, b}, 0.0401);
  EXPECT_EQ(flow.float_nodes, 0);
  EXPECT_GE(copies(flow), 2);
}

TEST(Concat, OperandsWithoutGrids) {
  Branches m;
  const ValueId y = m.builder.round("y", m.concat({m.conv("conv_a", 5, 1), m.conv("conv_b", 9, 2)}),
                                    0.04f, std::uint8_t{100});
  EXPECT_EQ(m.check({y}, 0.0401).float_nodes, 0);
}

TEST(Concat, AlongAnyAxisAndOfConstants) {
  for (const std::int64_t axis : {1, 2, 3, -1}) {
    Branches m;
    const ValueId a = m.builder.round("a", m.conv("conv_a", 8, 1), 0.03f, std::uint8_t{128});
    const ValueId b = m.builder.round("b", m.conv("conv_b", 8, 2), 0.02f, std::uint8_t{3});
    const ValueId c = m.builder.constant("c", random_floats({2, 8, 6, 6}, 9));
    const ValueId y = m.concat({a, b, c}, axis);
    const ValueId z = m.builder.node("Concat", "second", {a, m.x}, {{"axis", axis}});
    m.check({y, m.builder.round("y", y, 0.04f, std::uint8_t{100}),
             m.builder.round("z", z, 0.04f, std::uint8_t{100})},
            0.0401);
  }
}

/// What moves into a slot is itself a copy: Slice, Transpose, Pad, Split.
TEST(Concat, OfMovedTensors) {
  for (const std::int64_t axis : {1, 3}) {
    Branches m;
    const auto list = [&](const std::string& name, std::int64_t value) {
      return m.builder.vector<std::int64_t>(name, {value});
    };
    const ValueId even = m.builder.node(
        "Slice", "even", {m.x, list("s0", 0), list("e0", 6), list("a0", 3), list("t0", 2)});
    const ValueId odd = m.builder.node(
        "Slice", "odd", {m.x, list("s1", 1), list("e1", 6), list("a1", 3), list("t1", 2)});
    const ValueId padded = m.builder.node(
        "Pad", "pad",
        {odd, m.builder.vector<std::int64_t>(
                  "pads", {0, axis == 1 ? 2 : 0, 0, 0, 0, 0, 0, axis == 1 ? 0 : 1})});
    const ValueId turned =
        m.builder.node("Transpose", "turn",
                       {m.builder.node("Transpose", "back", {even},
                                       {{"perm", std::vector<std::int64_t>{0, 1, 3, 2}}})},
                       {{"perm", std::vector<std::int64_t>{0, 1, 3, 2}}});
    const ValueId sizes = m.builder.vector<std::int64_t>("sizes", {1, 2});
    const ValueId part =
        m.builder.node("Split", "split", {odd, sizes}, {{"axis", std::int64_t{3}}}, "", 2);
    const ValueId joined =
        m.builder.node("Concat", "joined", {part + 1, part}, {{"axis", std::int64_t{3}}});
    const ValueId y =
        m.builder.node("Concat", "y", {even, padded, turned, joined}, {{"axis", axis}});
    m.check({m.builder.round("y.round", y, 0.02f, std::uint8_t{128}), y}, 0.0201);
  }
}

TEST(Concat, OfDequantizedTensorsInRowsFirst) {
  Branches m;
  const ValueId a = m.builder.round("a", m.conv("conv_a", 8, 1), 0.03f, std::uint8_t{128});
  const ValueId floats = m.builder.input("y", ElementType::f32, {-1, 8, 6, 6});
  const ValueId y = m.builder.node("Concat", "y", {floats, a}, {{"axis", std::int64_t{3}}});
  expect_consistent(m.builder.build({y}),
                    {random_floats({2, 8, 6, 6}, 7), random_floats({2, 8, 6, 6}, 8)}, 0.0301);
}

/// What RotaryEmbedding leaves alone is nothing where all channels are turned.
TEST(Concat, OfAPartWithoutElements) {
  Branches m;
  for (const bool on_grid : {false, true}) {
    const std::string name = on_grid ? "grid" : "float";
    const ValueId sizes = m.builder.vector<std::int64_t>(name + ".sizes", {6, 0});
    const ValueId part = m.builder.node("Split", name + ".split", {on_grid ? m.x : m.input, sizes},
                                        {{"axis", std::int64_t{3}}}, "", 2);
    const ValueId turned = m.builder.node("Relu", name + ".relu", {part});
    const ValueId y =
        m.builder.node("Concat", name + ".concat", {turned, part + 1}, {{"axis", std::int64_t{3}}});
    m.builder.graph().outputs.push_back(y);
  }
  const std::vector<ValueId> outputs = m.builder.graph().outputs;
  m.check(outputs, 0.0101);
}

}  // namespace
}  // namespace intact::testing
