// Shape inference over graphs: computed shapes, folding and what it leaves, grids of moved data.
#include "canonical.hpp"
#include "evaluate.hpp"
#include "graph/folding.hpp"
#include "model_builder.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;

Graph finish(ModelBuilder& model, std::vector<ValueId> outputs) {
  Graph graph = model.graph();
  graph.outputs = std::move(outputs);
  for (Node& node : graph.nodes) node.sources = {node.name};
  for (const ValueId id : graph.inputs) {
    Value& value = graph.value(id);
    value.shape.emplace();
    for (const Dimension& dimension : *value.declared) value.shape->push_back(dimension.value);
  }
  return graph;
}

std::vector<std::string> removed_constants(const Graph& graph) {
  std::vector<std::string> names;
  for (const Removed& removed : graph.removed)
    if (removed.reason == "constant")
      names.insert(names.end(), removed.sources.begin(), removed.sources.end());
  return names;
}

TEST(InferShapes, FoldsComputedShapes) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {2, 3, 4});
  const ValueId shape = model.node("Shape", "shape", {x});
  const ValueId batch = model.node("Gather", "batch", {shape, model.scalar<std::int64_t>("i", 0)});
  const ValueId list =
      model.node("Unsqueeze", "list", {batch, model.vector<std::int64_t>("axes", {0})});
  const ValueId wanted =
      model.node("Concat", "wanted", {list, model.vector<std::int64_t>("rest", {-1})},
                 {{"axis", std::int64_t{0}}});
  const ValueId y = model.node("Reshape", "reshape", {x, wanted});
  Graph graph = finish(model, {y});
  infer_shapes(graph);
  EXPECT_EQ(graph.value(y).shape, (Shape{2, 12}));
  EXPECT_EQ(graph.value(y).type, ElementType::f32);
  EXPECT_EQ(operators(graph), "Reshape");
  EXPECT_EQ(removed_constants(graph),
            (std::vector<std::string>{"shape", "batch", "list", "wanted"}));
  EXPECT_EQ(values_of<std::int64_t>(graph.value(wanted).constant), (Ints{2, -1}));
}

TEST(InferShapes, LeavesDataDependentShapesAbsent) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {4});
  const ValueId where = model.node("NonZero", "where", {x});
  const ValueId y = model.node("Transpose", "turn", {where});
  Graph graph = finish(model, {y});
  infer_shapes(graph);
  EXPECT_EQ(graph.value(where).type, ElementType::s64);
  EXPECT_FALSE(graph.value(y).shape.has_value());
  EXPECT_EQ(graph.nodes.size(), 2u);
}

TEST(InferShapes, LeavesUnknownInputsUnknown) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {});
  const ValueId shape = model.node("Shape", "shape", {x});
  const ValueId y = model.node("Relu", "relu", {x});
  Graph graph = finish(model, {shape, y});
  graph.value(x).shape.reset();
  infer_shapes(graph);
  EXPECT_FALSE(graph.value(y).shape.has_value());
  EXPECT_EQ(graph.value(y).type, ElementType::f32);
  EXPECT_EQ(graph.nodes.size(), 2u);
}

TEST(InferShapes, KeepsLargeResultsAsNodes) {
  ModelBuilder model;
  const ValueId small =
      model.node("ConstantOfShape", "small", {model.vector<std::int64_t>("s", {1 << 10})});
  const ValueId large =
      model.node("ConstantOfShape", "large", {model.vector<std::int64_t>("l", {1 << 21})});
  Graph graph = finish(model, {small, large});
  infer_shapes(graph);
  EXPECT_TRUE(graph.is_constant(small));
  EXPECT_FALSE(graph.is_constant(large));
  EXPECT_EQ(graph.value(large).shape, Shape{1 << 21});
  EXPECT_TRUE(fold_node(graph, graph.nodes[0], 1 << 21));
  EXPECT_TRUE(graph.is_constant(large));
}

TEST(InferShapes, ErrorsNameTheNode) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {2, 3});
  const ValueId y = model.node("Reshape", "flat", {x, model.vector<std::int64_t>("to", {4, 4})});
  Graph graph = finish(model, {y});
  const std::string text = error_of([&] { infer_shapes(graph); });
  EXPECT_EQ(text, "Reshape 'flat' (opset 13): an input of shape [2,3] cannot be reshaped to [4,4]");
}

TEST(InferShapes, RefusesMoreOutputsThanTheOperatorGives) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {2});
  const ValueId y = model.node("Relu", "relu", {x}, {}, "", 2);
  Graph graph = finish(model, {y});
  EXPECT_NE(error_of([&] { infer_shapes(graph); }).find("has 2 outputs"), std::string::npos);
}

TEST(InferShapes, UnknownOperatorsAreNamed) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {2});
  Graph graph = finish(model, {model.node("Unheard", "u", {x})});
  EXPECT_THROW(infer_shapes(graph), Unsupported);
}

// --- grids
// ----------------------------------------------------------------------------------------

Node grid_node(const std::string& op, ValueId from, ValueId to, const Grid& grid) {
  Node node;
  node.op = op;
  node.domain = "intact";
  node.name = op;
  node.version = 1;
  node.inputs = {from};
  node.outputs = {to};
  node.grid = grid;
  node.sources = {op};
  return node;
}

Node moving_node(const std::string& op, std::vector<ValueId> from, ValueId to) {
  Node node;
  node.op = op;
  node.name = op;
  node.version = 13;
  node.inputs = std::move(from);
  node.outputs = {to};
  node.sources = {op};
  return node;
}

TEST(InferShapes, MovingOperatorsKeepTheGrid) {
  const Grid grid{ElementType::u8, {0.5f}, {3}, std::nullopt};
  Graph graph;
  const ValueId x = graph.add_value("x", ElementType::f32);
  graph.value(x).shape = Shape{2, 3};
  graph.inputs = {x};
  const ValueId rounded = graph.add_value("rounded"), turned = graph.add_value("turned"),
                both = graph.add_value("both"), sum = graph.add_value("sum");
  graph.nodes = {grid_node("Round", x, rounded, grid), moving_node("Transpose", {rounded}, turned),
                 moving_node("Concat", {turned, turned}, both), moving_node("Neg", {both}, sum)};
  graph.nodes[2].attributes.set("axis", std::int64_t{0});
  graph.outputs = {sum};
  infer_shapes(graph);
  EXPECT_EQ(graph.value(rounded).grid, grid);
  EXPECT_EQ(graph.value(turned).grid, grid);
  EXPECT_EQ(graph.value(both).grid, grid);
  EXPECT_EQ(graph.value(both).shape, (Shape{6, 2}));
  EXPECT_FALSE(graph.value(sum).grid.has_value());
}

TEST(InferShapes, ConstantsOnAGridFoldOnTheirIntegers) {
  Graph graph;
  const std::vector<std::int8_t> integers = {1, 2, 3, -4, -5, -6};
  const ValueId w = graph.add_constant("w", Tensor::from<std::int8_t>({2, 3}, integers));
  graph.value(w).type = ElementType::f32;
  graph.value(w).grid = Grid{ElementType::s8, {0.5f, 2.0f}, {0, 1}, 0};
  const ValueId turned = graph.add_value("turned"), added = graph.add_value("added"),
                real = graph.add_value("real");
  const ValueId axes = graph.add_constant("axes", list({0}));
  graph.nodes = {moving_node("Transpose", {w}, turned),
                 moving_node("Unsqueeze", {turned, axes}, added), moving_node("Neg", {w}, real)};
  graph.outputs = {added, real};
  infer_shapes(graph);
  EXPECT_TRUE(graph.nodes.empty());
  EXPECT_EQ(values_of<std::int8_t>(graph.value(turned).constant),
            (std::vector<std::int8_t>{1, -4, 2, -5, 3, -6}));
  EXPECT_EQ(graph.value(turned).grid->axis, 1);
  EXPECT_EQ(graph.value(added).grid->axis, 2);
  EXPECT_EQ(graph.value(added).constant.shape(), (Shape{1, 3, 2}));
  EXPECT_EQ(values_of<float>(graph.value(real).constant),
            (std::vector<float>{-0.5f, -1, -1.5f, 10, 12, 14}));
  EXPECT_EQ(values_of<float>(real_constant(graph.value(added))),
            (std::vector<float>{0.5f, -10, 1, -12, 1.5f, -14}));
}

TEST(InferShapes, RoundOfAConstantBecomesIntegers) {
  const Grid grid{ElementType::s8, {0.25f}, {1}, std::nullopt};
  Graph graph;
  const ValueId w = graph.add_constant("w", floats({3}, {0.6f, -100, 0.375f}));
  const ValueId rounded = graph.add_value("rounded"), bytes = graph.add_value("bytes"),
                back = graph.add_value("back");
  graph.nodes = {grid_node("Round", w, rounded, grid), grid_node("Bytes", rounded, bytes, grid),
                 grid_node("FromBytes", bytes, back, grid)};
  graph.outputs = {back};
  infer_shapes(graph);
  const std::vector<std::int8_t> wanted = {3, -128, 3};
  EXPECT_EQ(values_of<std::int8_t>(graph.value(rounded).constant), wanted);
  EXPECT_EQ(values_of<std::int8_t>(graph.value(bytes).constant), wanted);
  EXPECT_EQ(graph.value(bytes).type, ElementType::s8);
  EXPECT_FALSE(graph.value(bytes).grid.has_value());
  EXPECT_EQ(values_of<std::int8_t>(graph.value(back).constant), wanted);
  EXPECT_EQ(graph.value(back).grid, grid);
}

TEST(Reals, RoundToIntegerIsHalfToEvenAndSaturates) {
  EXPECT_EQ(round_to_integer(0.5, 1.0, 0, ElementType::u8), 0);
  EXPECT_EQ(round_to_integer(1.5, 1.0, 0, ElementType::u8), 2);
  EXPECT_EQ(round_to_integer(2.5, 1.0, 10, ElementType::u8), 12);
  EXPECT_EQ(round_to_integer(-1e30, 1.0, 0, ElementType::s8), -128);
  EXPECT_EQ(round_to_integer(INFINITY, 1.0, 0, ElementType::u16), 65535);
  EXPECT_EQ(round_to_integer(0.3, 0.1, 0, ElementType::u4), 3);
  EXPECT_EQ(round_to_integer(99, 1.0, 0, ElementType::s4), 7);
}

}  // namespace
}  // namespace intact
