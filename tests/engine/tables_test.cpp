// Unary functions of grids as tables of 256 entries.
#include <cmath>

#include "engine/lower/lowering.hpp"
#include "engine/step.hpp"
#include "model_run.hpp"

namespace intact::testing {
namespace {

struct TableModel {
  ModelBuilder builder = ModelBuilder(17);
  ValueId x = no_value;

  explicit TableModel(int zero = 120, bool is_signed = false) {
    const ValueId input = builder.input("x", ElementType::f32, {2, 300});
    x = is_signed ? builder.round("x.round", input, 0.04f, static_cast<std::int8_t>(zero - 128))
                  : builder.round("x.round", input, 0.04f, static_cast<std::uint8_t>(zero));
  }
  Tensors input() { return {random_floats({2, 300}, 1, -6, 6)}; }
  /// Quantize and one table.
  void expect_one_table(ValueId y, double tolerance) {
    const Flow flow = expect_consistent(builder.build({y}), input(), tolerance);
    EXPECT_EQ(flow.float_nodes, 0);
    int tables = 0;
    for (const FlowNode& node : flow.nodes) tables += node.kernel.starts_with("table");
    EXPECT_EQ(tables, 1);
  }
};

TEST(Tables, ActivationsAtAnyZeroPoint) {
  const std::vector<std::pair<const char*, AttributeList>> functions = {
      {"HardSwish", {}}, {"LeakyRelu", {{"alpha", 0.2f}}},
      {"Sigmoid", {}},   {"Tanh", {}},
      {"Relu", {}},      {"Elu", {}},
      {"Softplus", {}},  {"Erf", {}},
      {"Abs", {}},       {"Neg", {}}};
  for (const auto& [op, attributes] : functions)
    for (const int zero : {0, 37, 128, 255}) {
      SCOPED_TRACE(std::string(op) + std::to_string(zero));
      TableModel m(zero, zero % 2 == 1);
      const ValueId y = m.builder.node(op, "f", {m.x}, attributes);
      m.expect_one_table(m.builder.round("y", y, 0.03f, static_cast<std::uint8_t>(255 - zero)),
                         0.0301);
    }
}

TEST(Tables, ClipAtAnyZeroPoint) {
  for (const int zero : {0, 5, 128, 250, 255}) {
    TableModel m(zero);
    const ValueId clip = m.builder.node(
        "Clip", "clip", {m.x, m.builder.scalar("low", -1.03f), m.builder.scalar("high", 2.57f)});
    m.expect_one_table(m.builder.round("y", clip, 0.02f, std::uint8_t{100}), 0.0201);
  }
}

TEST(Tables, SiluWithoutInnerRound) {
  TableModel m;
  const ValueId gate = m.builder.node("Sigmoid", "sigmoid", {m.x});
  m.expect_one_table(
      m.builder.round("y", m.builder.node("Mul", "mul", {m.x, gate}), 0.03f, std::uint8_t{10}),
      0.0301);
}

TEST(Tables, SiluWithInnerRound) {
  for (const bool first : {true, false}) {
    TableModel m;
    const ValueId gate = m.builder.round("gate", m.builder.node("Sigmoid", "sigmoid", {m.x}),
                                         1.0f / 255, std::uint8_t{0});
    const ValueId mul =
        m.builder.node("Mul", "mul", first ? std::vector{gate, m.x} : std::vector{m.x, gate});
    m.expect_one_table(m.builder.round("y", mul, 0.03f, std::uint8_t{10}), 0.0301);
  }
}

TEST(Tables, ChainsCompose) {
  TableModel m;
  const ValueId a =
      m.builder.round("a", m.builder.node("Sigmoid", "f", {m.x}), 1.0f / 255, std::uint8_t{0});
  const ValueId b =
      m.builder.round("b", m.builder.node("Sqrt", "g", {a}), 1.0f / 255, std::uint8_t{0});
  const ValueId c = m.builder.node("Mul", "h", {b, m.builder.scalar("two", 2.0f)});
  m.expect_one_table(m.builder.round("y", c, 2.0f / 255, std::int8_t{-128}), 0.01);
}

TEST(Tables, RunInTheEpilogueOfTheProducer) {
  ModelBuilder builder;
  const ValueId x = builder.round("x.round", builder.input("x", ElementType::f32, {2, 64}), 0.01f,
                                  std::uint8_t{128});
  const ValueId product =
      builder.node("MatMul", "product", {x, grid_weights(builder, "w", {64, 20})});
  const ValueId a = builder.round("a", product, 0.05f, std::uint8_t{128});
  const ValueId y =
      builder.round("y", builder.node("HardSwish", "f", {a}), 0.03f, std::uint8_t{10});
  const Flow flow = expect_consistent(builder.build({y}), {random_floats({2, 64}, 3)}, 0.0301);
  EXPECT_EQ(count_of(flow, "MatMul+HardSwish"), 1);
}

TEST(Tables, FunctionNeededAsFloatAndAsBytes) {
  TableModel m;
  const ValueId f = m.builder.node("Sigmoid", "f", {m.x});
  const ValueId y = m.builder.round("y", f, 1.0f / 255, std::uint8_t{0});
  const ValueId z =
      m.builder.node("Mul", "mul", {f, m.builder.constant("c", random_floats({2, 300}, 4))});
  expect_consistent(m.builder.build({f, y, z}), m.input(), 0.004);
}

/// Every level uses the one before twice: a walk of all paths would take 2^90 steps.
TEST(Tables, LongWebsTakeNoLongTime) {
  TableModel m;
  ValueId x = m.x;
  for (int i = 0; i < 90; ++i) {
    const std::string name = std::to_string(i);
    x = m.builder.node("Mul", "mul" + name, {m.builder.node("Sigmoid", "s" + name, {x}), x});
  }
  m.expect_one_table(m.builder.round("y", x, 0.03f, std::uint8_t{10}), 0.0301);
}

TEST(Tables, ChainsThatAreTooLongRunInFloat) {
  TableModel m;
  ValueId x = m.x;
  for (int i = 0; i < 400; ++i)
    x = m.builder.node(i % 2 == 0 ? "Neg" : "Abs", "f" + std::to_string(i), {x});
  expect_consistent(m.builder.build({m.builder.round("y", x, 0.04f, std::uint8_t{128})}), m.input(),
                    0.0401);
}

}  // namespace
}  // namespace intact::testing
