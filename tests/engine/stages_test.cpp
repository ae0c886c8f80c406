// Data-dependent shapes and control flow: the engine's stages against the interpreter.
#include <gtest/gtest.h>

#include "graph/convert.hpp"
#include "tests/engine/model_run.hpp"
#include "tests/graph/subgraph_builder.hpp"

namespace intact::testing {
namespace {

Tensor floats(const Shape& shape, const std::vector<float>& values) {
  return Tensor::from<float>(shape, values);
}
Tensor number(std::int64_t value) {
  return Tensor::scalar(value);
}

/// Both give the same, with one and with two threads; returns it.
Tensors expect_same(const Graph& graph, const Tensors& inputs, double tolerance = 1e-6) {
  const Tensors expected = reference_of(graph).run(inputs);
  for (const int threads : {1, 2}) {
    const Session session = session_of(graph, threads);
    for (int run = 0; run < 2; ++run) {
      const Tensors given = session.run(inputs);
      EXPECT_EQ(given.size(), expected.size());
      for (std::size_t i = 0; i < given.size(); ++i) {
        EXPECT_EQ(given[i].type(), expected[i].type()) << "output " << i;
        EXPECT_EQ(given[i].shape(), expected[i].shape()) << "output " << i;
        if (given[i].shape() != expected[i].shape()) continue;
        const Tensor a = convert(given[i], ElementType::f64);
        const Tensor e = convert(expected[i], ElementType::f64);
        for (std::int64_t k = 0; k < a.size(); ++k)
          EXPECT_NEAR(a.data<double>()[static_cast<std::size_t>(k)],
                      e.data<double>()[static_cast<std::size_t>(k)], tolerance);
      }
    }
  }
  return expected;
}

Graph typed(ModelBuilder& model, const std::vector<ValueId>& outputs,
            ElementType type = ElementType::f32) {
  for (const ValueId id : outputs) model.graph().value(id).type = type;
  return model.build(outputs);
}

// --- Shapes that depend on data

Graph nonzero_gather() {
  ModelBuilder model(16);
  const ValueId x = model.input("x", ElementType::f32, {-1, 4});
  const ValueId hits = model.node("NonZero", "hits", {model.node("Relu", "relu", {x})});
  const ValueId rows = model.node("Transpose", "rows", {hits});
  return typed(model, {model.node("Neg", "neg", {model.node("GatherND", "found", {x, rows})})});
}

TEST(Stages, NonZeroAndWhatReadsIt) {
  const Graph graph = nonzero_gather();
  const Tensors found = expect_same(graph, {floats({2, 4}, {1, -1, 2, -2, 0, 3, -3, 4})});
  EXPECT_EQ(found[0].shape(), (Shape{4}));
  // Other data, another shape, none at all.
  const Session session = session_of(graph);
  EXPECT_EQ(session.run(Tensors{floats({1, 4}, {1, 1, 1, 1})})[0].shape(), (Shape{4}));
  EXPECT_EQ(session.run(Tensors{floats({1, 4}, {1, 0, 1, 0})})[0].shape(), (Shape{2}));
  EXPECT_EQ(session.run(Tensors{floats({1, 4}, {0, 0, 0, 0})})[0].shape(), (Shape{0}));
}

TEST(Stages, NonMaxSuppressionBetweenPlans) {
  ModelBuilder model(16);
  const ValueId boxes = model.input("boxes", ElementType::f32, {1, 4, 4});
  const ValueId logits = model.input("logits", ElementType::f32, {1, 1, 4});
  const ValueId scores = model.node("Sigmoid", "scores", {logits});
  const ValueId picked = model.node(
      "NonMaxSuppression", "nms",
      {boxes, scores, model.vector<std::int64_t>("most", {3}),
       model.vector("iou", std::vector{0.5f}), model.vector("threshold", std::vector{0.3f})});
  const ValueId index =
      model.node("Squeeze", "index",
                 {model.node("Gather", "column", {picked, model.vector<std::int64_t>("two", {2})},
                             {{"axis", std::int64_t{1}}}),
                  model.vector<std::int64_t>("one", {1})});
  const ValueId best = model.node("Gather", "best", {boxes, index}, {{"axis", std::int64_t{1}}});
  const Tensors result = expect_same(
      typed(model, {best}), {floats({1, 4, 4}, {0, 0, 1, 1, 0, 0, 1, 1.1f, 2, 2, 3, 3, 5, 5, 6, 6}),
                             floats({1, 1, 4}, {1, 2, 0.5f, -3})});
  EXPECT_EQ(result[0].shape(), (Shape{1, 2, 4}));
}

TEST(Stages, UniqueGivesPositionsAndCounts) {
  ModelBuilder model(16);
  const ValueId x = model.input("x", ElementType::f32, {-1});
  const ValueId first = model.node("Unique", "unique", {x}, {}, "", 4);
  std::vector<ValueId> outputs = {first, first + 1, first + 2, first + 3};
  for (int i = 1; i < 4; ++i) model.graph().value(first + i).type = ElementType::s64;
  const Tensors result = expect_same(model.build(outputs), {floats({6}, {2, 1, 1, 3, 4, 3})});
  EXPECT_EQ(numbers(convert(result[1], ElementType::f32)), (std::vector<double>{1, 0, 3, 4}));
  EXPECT_EQ(numbers(convert(result[3], ElementType::f32)), (std::vector<double>{2, 1, 2, 1}));
}

TEST(Stages, RangeOfAComputedLimitIsPlannedPerLimit) {
  ModelBuilder model(16);
  const ValueId x = model.input("x", ElementType::f32, {-1});
  const ValueId limit = model.node(
      "Cast", "limit", {model.node("ReduceMax", "max", {x}, {{"keepdims", std::int64_t{0}}})},
      {{"to", std::int64_t{7}}});
  const ValueId range = model.node(
      "Range", "range",
      {model.scalar<std::int64_t>("zero", 0), limit, model.scalar<std::int64_t>("one", 1)});
  const Graph graph = typed(model, {model.node("Mul", "square", {range, range})}, ElementType::s64);
  EXPECT_EQ(expect_same(graph, {floats({3}, {1, 5, 2})})[0].shape(), (Shape{5}));
  EXPECT_EQ(expect_same(graph, {floats({2}, {1, 2})})[0].shape(), (Shape{2}));
}

TEST(Stages, SliceAndReshapeByComputedNumbersAreNotPlannedPerValue) {
  ModelBuilder model(16);
  const ValueId x = model.input("x", ElementType::f32, {8});
  const ValueId n = model.input("n", ElementType::f32, {1});
  const ValueId count =
      model.node("Cast", "count", {model.node("Abs", "abs", {n})}, {{"to", std::int64_t{7}}});
  const ValueId part =
      model.node("Slice", "part", {x, model.vector<std::int64_t>("zero", {0}), count});
  const Graph graph = typed(model, {model.node("Exp", "exp", {part})});
  EXPECT_EQ(expect_same(graph, {random_floats({8}, 1), floats({1}, {-3})})[0].shape(), (Shape{3}));
}

/// On a grid a moving operator takes the integers, and what follows stays on integers.
TEST(Stages, CompressOnAGridKeepsBytes) {
  ModelBuilder model(16);
  const ValueId x = model.input("x", ElementType::f32, {6, 8});
  const ValueId score = model.input("score", ElementType::f32, {6});
  const ValueId rounded = model.round("in", x, 0.02f, std::uint8_t{128});
  const ValueId keep = model.node("Greater", "keep", {score, model.scalar("half", 0.5f)});
  const ValueId kept = model.node("Compress", "kept", {rounded, keep}, {{"axis", std::int64_t{0}}});
  const ValueId product = model.node("MatMul", "product", {kept, grid_weights(model, "w", {8, 5})});
  const ValueId y = model.round("out", product, 0.05f, std::uint8_t{120});
  const Graph graph = typed(model, {y});
  const Tensors inputs = {random_floats({6, 8}, 1, -2, 2),
                          floats({6}, {1, 0, 0.7f, 0.2f, 0.9f, 0})};
  const Tensors result = expect_same(graph, inputs, 0.0501);
  EXPECT_EQ(result[0].shape(), (Shape{3, 5}));
  const Flow flow = session_of(graph).flow();
  EXPECT_EQ(flow.float_round_trips, 0);
  bool on_bytes = false;
  for (const FlowNode& node : flow.nodes) {
    if (node.op == "MatMul") {
      EXPECT_EQ(node.precision, "int8");
    }
    if (node.op == "Compress") on_bytes = node.precision == "int8";
  }
  EXPECT_TRUE(on_bytes);
}

// --- If

/// then: a + captured, else: a * captured.
Attribute branch(const char* op, const std::string& name) {
  SubgraphBuilder branch;
  const ValueId a = branch.captured("a"), b = branch.captured("b");
  return branch.subgraph({branch.node(op, name, {a, b})});
}

TEST(Stages, IfRunsTheBranchThatDataChoose) {
  ModelBuilder model(16);
  const ValueId x = model.input("x", ElementType::f32, {4});
  const ValueId a = model.node("Abs", "a", {x});
  const ValueId b = model.node("Neg", "b", {x});
  const ValueId sum = model.node("ReduceSum", "sum", {x}, {{"keepdims", std::int64_t{0}}});
  const ValueId positive = model.node("Greater", "positive", {sum, model.scalar("zero", 0.0f)});
  const ValueId y =
      control_node(model, "If", "if", {positive}, {a, b},
                   {{"then_branch", branch("Add", "add")}, {"else_branch", branch("Mul", "mul")}});
  const Graph graph = typed(model, {model.node("Exp", "exp", {y})});
  expect_same(graph, {floats({4}, {1, 2, 3, -1})});
  expect_same(graph, {floats({4}, {-1, -2, 3, -1})});
  const Flow flow = session_of(graph).flow();
  EXPECT_EQ(count_of(flow, "If"), 1);
  std::vector<std::string> sources;
  for (const FlowNode& node : flow.nodes)
    sources.insert(sources.end(), node.onnx_nodes.begin(), node.onnx_nodes.end());
  for (const char* name : {"add", "mul", "if", "exp", "positive"})
    EXPECT_EQ(std::count(sources.begin(), sources.end(), name), 1) << name;
}

TEST(Stages, IfThatAShapeDecidesLeavesOnePlan) {
  ModelBuilder model(16);
  const ValueId x = model.input("x", ElementType::f32, {-1, 4});
  const ValueId a = model.node("Abs", "a", {x}), b = model.node("Neg", "b", {x});
  const ValueId rows = model.node(
      "Gather", "rows", {model.node("Shape", "shape", {x}), model.scalar<std::int64_t>("at", 0)});
  const ValueId many = model.node("Greater", "many", {rows, model.scalar<std::int64_t>("two", 2)});
  const ValueId y =
      control_node(model, "If", "if", {many}, {a, b},
                   {{"then_branch", branch("Add", "add")}, {"else_branch", branch("Mul", "mul")}});
  const Graph graph = typed(model, {y});
  for (const std::int64_t extent : {2, 3}) {
    expect_same(graph, {random_floats({extent, 4}, 1)});
    const std::vector<Shape> shapes = {{extent, 4}};
    const Flow flow = session_of(graph).flow(shapes);
    EXPECT_EQ(count_of(flow, "If"), 0);
    EXPECT_EQ(count_of(flow, extent == 3 ? "Add" : "Mul"), 1);
  }
}

// --- Loop and Scan

/// sum = sum + captured step, collected each time, while sum < captured limit.
Graph counting_loop(bool with_trips, bool with_condition) {
  ModelBuilder model(16);
  const ValueId start = model.input("start", ElementType::f32, {2});
  const ValueId step = model.input("step", ElementType::f32, {2});
  const ValueId trips = model.input("trips", ElementType::s64, {});
  const ValueId limit = model.scalar("limit", 5.0f);
  SubgraphBuilder body;
  body.own("iteration");
  const ValueId condition = body.own("condition");
  const ValueId sum = body.own("sum");
  const ValueId inner_step = body.captured("step"), inner_limit = body.captured("limit");
  const ValueId next = body.node("Add", "next", {sum, inner_step});
  const ValueId total = body.node("ReduceMax", "total", {next}, {{"keepdims", std::int64_t{0}}});
  const ValueId proceed = with_condition ? body.node("Less", "less", {total, inner_limit})
                                         : body.node("Identity", "same", {condition});
  const ValueId doubled = body.node("Add", "doubled", {next, next});
  const ValueId y = control_node(
      model, "Loop", "loop", {with_trips ? trips : no_value, model.scalar("true", true), start},
      {step, limit}, {{"body", body.subgraph({proceed, next, doubled})}}, 2);
  return typed(model, {model.node("Neg", "neg", {y}), y + 1});
}

TEST(Stages, LoopCarriesCollectsAndEnds) {
  const Tensors inputs = {floats({2}, {0, 1}), floats({2}, {1, 0.5f}), number(3)};
  const Tensors counted = expect_same(counting_loop(true, false), inputs);
  EXPECT_EQ(counted[1].shape(), (Shape{3, 2}));
  const Tensors ended = expect_same(counting_loop(false, true), inputs);
  EXPECT_EQ(ended[1].shape(), (Shape{5, 2}));
  EXPECT_EQ(numbers(ended[0])[0], -5);
}

TEST(Stages, LoopWithoutIterationsHandsItsInputsThrough) {
  const Tensors result = expect_same(counting_loop(true, false),
                                     {floats({2}, {4, 1}), floats({2}, {1, 1}), number(0)});
  EXPECT_EQ(numbers(result[0])[0], -4);
  EXPECT_EQ(result[1].shape()[0], 0);
}

/// Every iteration has another shape, and reads another slice of a captured tensor.
TEST(Stages, LoopMayGrowWhatItCarries) {
  ModelBuilder model(16);
  const ValueId x = model.input("x", ElementType::f32, {5, 3});
  const ValueId trips = model.input("trips", ElementType::s64, {});
  const ValueId empty = model.constant("empty", Tensor(ElementType::f32, {0, 3}));
  SubgraphBuilder body;
  const ValueId i = body.own("i"), condition = body.own("condition"), grown = body.own("grown");
  const ValueId all = body.captured("x");
  const ValueId zero = body.vector<std::int64_t>("zero", {0});
  const ValueId from = body.node("Unsqueeze", "from", {i, zero});
  const ValueId to = body.node("Add", "to", {from, body.vector<std::int64_t>("one", {1})});
  const ValueId row = body.node("Slice", "row", {all, from, to, zero});
  const ValueId longer = body.node("Concat", "longer", {grown, row}, {{"axis", std::int64_t{0}}});
  const ValueId y =
      control_node(model, "Loop", "loop", {trips, no_value, empty}, {x},
                   {{"body", body.subgraph({body.node("Identity", "c", {condition}), longer})}});
  const Tensors result = expect_same(typed(model, {y}), {random_floats({5, 3}, 3), number(4)});
  EXPECT_EQ(result[0].shape(), (Shape{4, 3}));
}

TEST(Stages, LoopsNestAndCaptureThroughLevels) {
  ModelBuilder model(16);
  const ValueId x = model.input("x", ElementType::f32, {3});
  const ValueId start = model.node("Neg", "start", {x});
  SubgraphBuilder inner;
  inner.own("k");
  const ValueId c = inner.own("c"), sum = inner.own("sum");
  const ValueId far = inner.captured("x");
  const Attribute inner_body =
      inner.subgraph({inner.node("Identity", "ic", {c}), inner.node("Add", "add", {sum, far})});
  SubgraphBuilder outer;
  outer.own("i");
  const ValueId oc = outer.own("oc"), carried = outer.own("carried");
  const ValueId through = outer.captured("x");
  const ValueId added = control_node(outer, "Loop", "inner",
                                     {outer.scalar<std::int64_t>("three", 3), no_value, carried},
                                     {through}, {{"body", inner_body}});
  const ValueId scaled = outer.node("Mul", "scaled", {added, outer.scalar("half", 0.5f)});
  const ValueId y =
      control_node(model, "Loop", "outer", {model.scalar<std::int64_t>("two", 2), no_value, start},
                   {x}, {{"body", outer.subgraph({outer.node("Identity", "oc2", {oc}), scaled})}});
  expect_same(typed(model, {y}), {random_floats({3}, 5)});
}

TEST(Stages, ScanWalksAxesInBothDirections) {
  ModelBuilder model(16);
  const ValueId state = model.input("state", ElementType::f32, {2});
  const ValueId x = model.input("x", ElementType::f32, {2, 4});
  const ValueId z = model.input("z", ElementType::f32, {4, 2});
  SubgraphBuilder body;
  const ValueId s = body.own("s"), a = body.own("xa"), b = body.own("zb");
  const ValueId next = body.node("Sub", "next", {body.node("Add", "sum", {s, a}), b});
  const ValueId y = control_node(model, "Scan", "scan", {state, x, z}, {},
                                 {{"body", body.subgraph({next, body.node("Neg", "out", {next})})},
                                  {"num_scan_inputs", std::int64_t{2}},
                                  {"scan_input_axes", std::vector<std::int64_t>{1, 0}},
                                  {"scan_input_directions", std::vector<std::int64_t>{1, 0}},
                                  {"scan_output_axes", std::vector<std::int64_t>{1}},
                                  {"scan_output_directions", std::vector<std::int64_t>{1}}},
                                 2);
  const Tensors result =
      expect_same(typed(model, {y, y + 1}),
                  {random_floats({2}, 1), random_floats({2, 4}, 2), random_floats({4, 2}, 3)});
  EXPECT_EQ(result[1].shape(), (Shape{2, 4}));
}

/// A tensor on a grid that a body captures reaches it as bytes.
TEST(Stages, ABodyComputesOnIntegers) {
  ModelBuilder model(16);
  const ValueId x = model.input("x", ElementType::f32, {4, 8});
  const ValueId trips = model.input("trips", ElementType::s64, {});
  const ValueId rounded = model.round("in", x, 0.02f, std::uint8_t{128});
  const ValueId start = model.constant("start", Tensor(ElementType::f32, {4, 6}));
  SubgraphBuilder body(13);
  body.own("i");
  const ValueId c = body.own("c"), sum = body.own("sum");
  const ValueId inner = body.captured(model.graph().value(rounded).name);
  const ValueId product =
      body.round("p", body.node("MatMul", "product", {inner, grid_weights(body, "w", {8, 6})}),
                 0.05f, std::uint8_t{128});
  const ValueId y =
      control_node(model, "Loop", "loop", {trips, no_value, start}, {rounded},
                   {{"body", body.subgraph({body.node("Identity", "same", {c}),
                                            body.node("Add", "add", {sum, product})})}});
  const Graph graph = typed(model, {y});
  expect_same(graph, {random_floats({4, 8}, 7, -2, 2), number(2)}, 0.1001);
  int products = 0;
  for (const FlowNode& node : session_of(graph).flow().nodes)
    if (node.op.starts_with("MatMul")) {
      ++products;
      EXPECT_EQ(node.precision, "int8") << node.reason;
    }
  EXPECT_EQ(products, 1);
}

TEST(Stages, ProfileAndThreadsCoverSubgraphs) {
  const Graph graph = counting_loop(true, false);
  std::vector<StepTime> profile;
  session_of(graph, 2).run(Tensors{floats({2}, {0, 1}), floats({2}, {1, 1}), number(3)}, &profile);
  const auto runs = std::count_if(profile.begin(), profile.end(),
                                  [](const StepTime& step) { return step.op == "Add"; });
  EXPECT_EQ(runs, 6);
  for (std::size_t i = 1; i < profile.size(); ++i)
    EXPECT_LE(profile[i - 1].end_us, profile[i].end_us);
}

}  // namespace
}  // namespace intact::testing
