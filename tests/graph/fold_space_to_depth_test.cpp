// Blocks of pixels as channels in front of a convolution.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

#include "canonical.hpp"
#include "graph/passes/passes.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

/// The Focus layer of YOLO nets: four Slices by 2 along height and width, their Concat, a Conv.
struct Focus {
  ModelBuilder model;
  ValueId x = model.input("x", ElementType::f32, {1, 3, 8, 6});
  std::int64_t end = std::numeric_limits<std::int64_t>::max();
  int count = 0;

  ValueId slice(const std::string& name, ValueId from, std::int64_t start, std::int64_t axis) {
    return model.node("Slice", name,
                      {from, model.vector<std::int64_t>(name + " starts", {start}),
                       model.vector<std::int64_t>(name + " ends", {end}),
                       model.vector<std::int64_t>(name + " axes", {axis}),
                       model.vector<std::int64_t>(name + " steps", {2})});
  }
  ValueId phase(std::int64_t y, std::int64_t x_phase) {
    const std::string name = fmt::format("{}{} {}", y, x_phase, count++);
    return slice("columns" + name, slice("rows" + name, x, y, 2), x_phase, -1);
  }
  ValueId channels(std::int64_t last_row = 1) {
    return model.node("Concat", "join", {phase(0, 0), phase(1, 0), phase(0, 1), phase(last_row, 1)},
                      {{"axis", std::int64_t{1}}});
  }
  ValueId conv(ValueId from) {
    return model.node("Conv", "conv", {from, model.constant("w", random_floats({5, 12, 3, 3}, 1))},
                      {{"pads", std::vector<std::int64_t>{1, 0, 1, 2}},
                       {"strides", std::vector<std::int64_t>{1, 2}}});
  }
};

TEST(FoldSpaceToDepth, FocusIntoConvolution) {
  Focus focus;
  const Graph raw = focus.model.build({focus.conv(focus.channels())});
  const Graph graph = canonical(raw);
  ASSERT_EQ(operators(graph), "Conv");
  const Attributes& attributes = graph.nodes[0].attributes;
  EXPECT_EQ(attributes.integers("kernel_shape"), (std::vector<std::int64_t>{6, 6}));
  EXPECT_EQ(attributes.integers("strides"), (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(attributes.integers("pads"), (std::vector<std::int64_t>{2, 0, 2, 4}));
  EXPECT_EQ(graph.nodes[0].sources.size(), 10u);
  expect_same_meaning(raw, graph, {random_floats({1, 3, 8, 6}, 7)}, 1e-5);
}

TEST(FoldSpaceToDepth, OperatorIntoConvolution) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {2, 2, 6, 9});
  const ValueId deep = model.node("SpaceToDepth", "deep", {x}, {{"blocksize", std::int64_t{3}}});
  const ValueId w = model.constant("w", random_floats({4, 18, 2, 1}, 1));
  const Graph raw = model.build({model.node("Conv", "conv", {deep, w})});
  const Graph graph = canonical(raw);
  ASSERT_EQ(operators(graph), "Conv");
  EXPECT_EQ(graph.nodes[0].attributes.integers("strides"), (std::vector<std::int64_t>{3, 3}));
  expect_same_meaning(raw, graph, {random_floats({2, 2, 6, 9}, 7)}, 1e-5);
}

TEST(FoldSpaceToDepth, KeepsWhatOthersRead) {
  Focus focus;
  const ValueId shared = focus.slice("shared", focus.x, 1, 2);
  const ValueId join = focus.model.node("Concat", "join",
                                        {focus.phase(0, 0), focus.slice("a", shared, 0, 3),
                                         focus.phase(0, 1), focus.slice("b", shared, 1, 3)},
                                        {{"axis", std::int64_t{1}}});
  const ValueId relu = focus.model.node("Relu", "relu", {shared});
  const Graph raw = focus.model.build({focus.conv(join), relu});
  const Graph graph = canonical(raw);
  EXPECT_EQ(operators(graph), "Slice Relu Conv");
  expect_same_meaning(raw, graph, {random_floats({1, 3, 8, 6}, 7)}, 1e-5);
}

TEST(FoldSpaceToDepth, NotWithARepeatedPhaseAnEarlyEndOrSeveralReaders) {
  const auto after = [](auto&& build) {
    Focus focus;
    return operators(canonical(focus.model.build(build(focus))));
  };
  const std::string slices = "Slice Slice Slice Slice Slice Slice Slice Slice Concat ";
  EXPECT_EQ(after([](Focus& f) { return std::vector{f.conv(f.channels(0))}; }), slices + "Conv");
  EXPECT_EQ(after([](Focus& f) {
              f.end = 6;
              return std::vector{f.conv(f.channels())};
            }),
            slices + "Conv");
  EXPECT_EQ(after([](Focus& f) {
              const ValueId channels = f.channels();
              return std::vector{f.conv(channels), channels};
            }),
            slices + "Conv");
}

TEST(FoldSpaceToDepth, NotForWeightsWithScalesPerBlock) {
  Focus focus;
  ModelBuilder& model = focus.model;
  const ValueId w = model.node(
      "DequantizeLinear", "w",
      {model.constant("w.q",
                      Tensor::from<std::int8_t>({5, 12, 3, 3}, std::vector<std::int8_t>(540, 3))),
       model.constant("w.s", random_floats({1, 12, 3, 3}, 1, 0.01f, 0.1f))},
      {{"axis", std::int64_t{0}}, {"block_size", std::int64_t{5}}});
  const Graph raw = model.build({model.node("Conv", "conv", {focus.channels(), w})});
  const Graph graph = canonical(raw);
  EXPECT_NE(operators(graph), "Conv");
  expect_same_meaning(raw, graph, {random_floats({1, 3, 8, 6}, 7)}, 1e-5);
}

}  // namespace
}  // namespace intact::testing
