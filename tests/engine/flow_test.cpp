// What flow says: every source node once, precision, reasons, round trips.
#include <functional>
#include <map>

#include "model_run.hpp"

namespace intact::testing {
namespace {

/// How often each source node appears, in steps and among the removed.
std::map<std::string, int> places(const Flow& flow) {
  std::map<std::string, int> count;
  for (const FlowNode& node : flow.nodes)
    for (const std::string& source : node.onnx_nodes) ++count[source];
  for (const FlowRemoved& removed : flow.removed)
    for (const std::string& source : removed.onnx_nodes) ++count[source];
  return count;
}

void expect_complete(const Graph& graph, const Flow& flow) {
  std::map<std::string, int> count = places(flow);
  for (const Node& node : graph.nodes) {
    EXPECT_EQ(count[node.name], 1) << node.name;
    count.erase(node.name);
  }
  for (const auto& [name, places] : count)
    ADD_FAILURE() << "'" << name << "' is no node of the file";
  std::map<std::string, int> names;
  for (const FlowNode& node : flow.nodes) EXPECT_EQ(++names[node.name], 1) << node.name;
}

struct FlowModel {
  ModelBuilder builder;
  ValueId x = builder.round("r", builder.input("x", ElementType::f32, {1, 8, 6, 6}), 0.01f,
                            std::uint8_t{128});

  ValueId conv(const std::string& name, ValueId from, unsigned seed = 1) {
    return builder.node("Conv", name,
                        {from, grid_weights(builder, name + ".w", {8, 8, 1, 1}, seed)});
  }
};

TEST(Flow, EverySourceNodeIsInOnePlace) {
  FlowModel m;
  const ValueId a = m.builder.round("a", m.conv("conv_a", m.x), 0.03f, std::uint8_t{128});
  const ValueId b = m.builder.round("b", m.conv("conv_b", a, 2), 0.02f, std::uint8_t{128});
  const ValueId sum = m.builder.node("Add", "add", {a, b});
  const ValueId late = m.builder.node("Add", "late", {sum, m.x});
  const ValueId c = m.builder.round("c", sum, 0.04f, std::uint8_t{128});
  const ValueId d = m.builder.round("d", late, 0.04f, std::uint8_t{128});
  const ValueId gate = m.builder.round("gate", m.builder.node("Sigmoid", "sigmoid", {c}),
                                       1.0f / 255, std::uint8_t{0});
  const ValueId silu =
      m.builder.round("silu", m.builder.node("Mul", "mul", {c, gate}), 0.03f, std::uint8_t{10});
  const ValueId joined = m.builder.round(
      "joined", m.builder.node("Concat", "concat", {silu, d}, {{"axis", std::int64_t{1}}}), 0.04f,
      std::uint8_t{128});
  const ValueId flat = m.builder.node("Flatten", "flatten", {joined});
  const Graph graph = m.builder.build({m.builder.node("Identity", "identity", {flat})});
  for (const bool fusion : {true, false})
    expect_complete(graph, session_of(graph, 1, fusion).flow());
}

/// The sum is stored as float for one consumer; the Round reads its terms.
TEST(Flow, SumWithARoundAndAnotherConsumer) {
  FlowModel m;
  const ValueId a = m.builder.round("a", m.conv("conv_a", m.x), 0.03f, std::uint8_t{128});
  const ValueId sum = m.builder.node("Add", "add", {a, m.x});
  const ValueId y = m.builder.round("y", sum, 0.04f, std::uint8_t{128});
  const ValueId z = m.builder.node("Softmax", "softmax", {sum});
  const Graph graph = m.builder.build({y, z});
  expect_complete(graph, session_of(graph).flow());
}

TEST(Flow, IntegerChainHasNoRoundTrip) {
  FlowModel m;
  const ValueId a = m.builder.round("a", m.conv("conv_a", m.x), 0.03f, std::uint8_t{128});
  const ValueId b = m.builder.round("b", m.conv("conv_b", a), 0.03f, std::uint8_t{128});
  const Flow flow = session_of(m.builder.build({b})).flow();
  EXPECT_EQ(flow.float_round_trips, 0);
  EXPECT_EQ(flow.float_nodes, 0);
  EXPECT_EQ(flow.int8_macs, 2 * 8 * 8 * 36);
  EXPECT_EQ(flow.total_macs, flow.int8_macs);
}

TEST(Flow, FloatOperatorBetweenIntegerOnesIsCounted) {
  FlowModel m;
  const ValueId a = m.conv("conv_a", m.x);
  const ValueId norm = m.builder.node("Softmax", "softmax", {a}, {{"axis", std::int64_t{2}}});
  const ValueId b = m.builder.round("b", norm, 0.01f, std::uint8_t{0});
  const ValueId c = m.builder.round("c", m.conv("conv_c", b), 0.03f, std::uint8_t{128});
  const Graph graph = m.builder.build({c});
  const Flow flow = session_of(graph).flow();
  expect_complete(graph, flow);
  EXPECT_GE(flow.float_round_trips, 1);
  EXPECT_GE(flow.float_nodes, 1);
  bool found = false;
  for (const FlowNode& node : flow.nodes)
    if (node.op.starts_with("Softmax")) {
      found = true;
      EXPECT_EQ(node.precision, "float");
      EXPECT_FALSE(node.reason.empty());
    }
  EXPECT_TRUE(found);
}

/// What a plan holds does not grow with shapes that a file only claims.
TEST(Flow, ManyRowsAreAddedApart) {
  const auto nodes = [](std::int64_t rows) {
    ModelBuilder builder;
    const ValueId x = builder.input("x", ElementType::f32, {rows, 4});
    const ValueId mask = builder.constant("mask", random_floats({4}, 1));
    const ValueId sum = builder.node("Add", "add", {x, mask});
    const Graph graph = builder.build({builder.node("Softmax", "softmax", {sum})});
    return session_of(graph).flow().nodes.size();
  };
  EXPECT_EQ(nodes(8), 1u);
  EXPECT_EQ(nodes((std::int64_t{1} << 22) + 1), 2u);
}

/// Float at the edges of the model is no round trip.
TEST(Flow, FloatHeadAndTailAreNoRoundTrips) {
  ModelBuilder builder;
  const ValueId head =
      builder.node("Softplus", "head", {builder.input("x", ElementType::f32, {1, 8})});
  const ValueId x = builder.round("r", head, 0.01f, std::uint8_t{0});
  const ValueId product =
      builder.node("MatMul", "product", {x, grid_weights(builder, "w", {8, 8})});
  const Graph graph = builder.build({builder.node("Softmax", "tail", {product})});
  EXPECT_EQ(session_of(graph).flow().float_round_trips, 0);
}

TEST(Flow, MissingGridIsTheReason) {
  FlowModel m;
  const ValueId a =
      m.conv("conv_a", m.builder.node("Softplus", "softplus",
                                      {m.builder.input("raw", ElementType::f32, {1, 8, 6, 6})}));
  const Graph graph = m.builder.build({a, m.conv("conv_b", m.x)});
  const Flow flow = session_of(graph).flow();
  expect_complete(graph, flow);
  for (const FlowNode& node : flow.nodes) {
    if (node.op != "Conv") continue;
    const bool first = node.onnx_nodes.front() == "conv_a" || node.onnx_nodes.back() == "conv_a";
    EXPECT_EQ(node.precision, first ? "float" : "int8");
    if (first) {
      EXPECT_NE(node.reason.find("'softplus.0' has no grid"), std::string::npos) << node.reason;
    } else {
      EXPECT_TRUE(node.reason.empty()) << node.reason;
    }
  }
}

TEST(Flow, EdgesNameStorageAndGrid) {
  FlowModel m;
  const ValueId a = m.builder.round("a", m.conv("conv_a", m.x), 0.03f, std::int8_t{-5});
  const Flow flow = session_of(m.builder.build({m.conv("conv_b", a)})).flow();
  int on_grid = 0;
  for (const FlowEdge& edge : flow.edges) {
    EXPECT_FALSE(edge.tensor.empty());
    EXPECT_TRUE(!edge.from.empty() || edge.tensor == "x") << edge.tensor;
    if (edge.storage != "u8") continue;
    ++on_grid;
    EXPECT_EQ(edge.grid.front(), '(') << edge.tensor;
    EXPECT_EQ(edge.to.size(), 1u) << edge.tensor;
  }
  EXPECT_EQ(on_grid, 2);
}

TEST(Flow, ReferenceSessionsHaveNone) {
  FlowModel m;
  EXPECT_THROW(reference_of(m.builder.build({m.x})).flow(), Error);
}

/// The reason of the only float step.
std::string float_reason(const Graph& graph) {
  std::string reason;
  for (const FlowNode& node : session_of(graph).flow().nodes)
    if (node.precision == "float") reason += reason.empty() ? node.reason : "\n" + node.reason;
  return reason;
}

TEST(Flow, NamesWhatRunsOnBytesInstead) {
  using Integers = std::vector<std::int64_t>;
  struct {
    const char* op;
    AttributeList attributes;
    const char* reason;
  } const cases[] = {
      {"LRN",
       {{"size", std::int64_t{33}}},
       "LRN has no fast kernel and runs the reference; at most 32 neighbouring channels run on "
       "bytes"},
      {"LpPool",
       {{"kernel_shape", Integers{2, 2}}},
       "LpPool has no fast kernel and runs the reference; an AveragePool or MaxPool in its place "
       "runs on bytes"},
      {"ReduceProd",
       {{"axes", Integers{1}}},
       "ReduceProd has no fast kernel and runs the reference; Log, ReduceSum and Exp, with grids "
       "between them, run on bytes"},
  };
  for (const auto& [op, attributes, reason] : cases) {
    FlowModel m;
    const ValueId y = m.builder.node(op, "op", {m.x}, attributes);
    EXPECT_EQ(float_reason(m.builder.build({m.builder.round("y", y, 0.03f, std::uint8_t{9})})),
              reason);
  }
}

/// Operators of every family on floats that lie on no grid.
TEST(Flow, EveryFloatStepSaysWhatWouldHelp) {
  using Integers = std::vector<std::int64_t>;
  using Build = std::function<ValueId(ModelBuilder&, ValueId)>;
  const auto plain = [](const char* op, const AttributeList& attributes = {}) -> Build {
    return [=](ModelBuilder& b, ValueId x) { return b.node(op, "op", {x}, attributes); };
  };
  const auto with = [](const char* op, const Tensor& other,
                       const AttributeList& attributes = {}) -> Build {
    return [=](ModelBuilder& b, ValueId x) {
      return b.node(op, "op", {x, b.constant("other", other)}, attributes);
    };
  };
  const std::pair<const char*, Build> builds[] = {
      {"Conv", with("Conv", random_floats({4, 8, 1, 1}, 1))},
      {"ConvTranspose", with("ConvTranspose", random_floats({8, 4, 2, 2}, 1))},
      {"MatMul", with("MatMul", random_floats({6, 5}, 1))},
      {"Add", with("Add", random_floats({1, 8, 6, 6}, 1))},
      {"Softmax", plain("Softmax")},
      {"Resize",
       [](ModelBuilder& b, ValueId x) {
         return b.node("Resize", "op", {x, no_value, b.vector<float>("scales", {1, 1, 2, 2})},
                       {{"mode", std::string("linear")}});
       }},
      {"AveragePool", plain("AveragePool", {{"kernel_shape", Integers{2, 2}}})},
      {"ReduceMean", plain("ReduceMean", {{"axes", Integers{1}}})},
      {"Sigmoid", plain("Sigmoid")},
      {"Transpose", plain("Transpose", {{"perm", Integers{0, 3, 1, 2}}})},
      {"Gather", with("Gather", Tensor::from<std::int64_t>({3}, Integers{3, 0, 2}),
                      {{"axis", std::int64_t{1}}})},
      {"CumSum", with("CumSum", Tensor::scalar<std::int64_t>(1))},
      {"Erf", plain("Erf")},
  };
  for (const auto& [op, build] : builds) {
    SCOPED_TRACE(op);
    ModelBuilder builder(17);
    const ValueId x = builder.input("x", ElementType::f32, {1, 8, 6, 6});
    const ValueId y = build(builder, x);
    int floats = 0;
    for (const FlowNode& node : session_of(builder.build({y})).flow().nodes) {
      if (node.precision != "float") continue;
      ++floats;
      EXPECT_NE(node.reason.find("; "), std::string::npos) << node.name << ": " << node.reason;
    }
    EXPECT_GT(floats, 0);
  }
}

}  // namespace
}  // namespace intact::testing
