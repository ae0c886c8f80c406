// Channels divided in front of products: where, and what it leaves and changes.
#include "quantize/equalization/smooth.hpp"

#include <gtest/gtest.h>

#include "quantize/prepare.hpp"
#include "quantized.hpp"

namespace intact::testing {
namespace {

constexpr std::int64_t channels = 8;

Samples rows(int number = 6) {
  Samples samples;
  for (int i = 0; i < number; ++i)
    samples.push_back({random_floats({1, 5, channels}, static_cast<unsigned>(50 + i))});
  return samples;
}

/// Weights that make little of the last channel, as those behind a large one do.
ValueId product(ModelBuilder& model, const std::string& name, ValueId x, std::int64_t out) {
  Tensor weights = random_floats({channels, out}, static_cast<unsigned>(name[0]));
  for (float& weight : weights.data<float>().last(static_cast<std::size_t>(out))) weight /= 50;
  return model.node("MatMul", name, {x, model.constant(name + ".w", weights)});
}

/// The last channel is `outlier` times as large as the others.
ValueId normalized(ModelBuilder& model, ValueId x, float outlier) {
  Tensor scale = random_floats({channels}, 9, 0.8f, 1.2f);
  scale.data<float>().back() *= outlier;
  return model.node("LayerNormalization", "norm", {x, model.constant("norm.scale", scale)});
}

/// A normalization, two products, and their sum; `residual`: its result is added as well.
Graph encoder(float outlier, bool residual) {
  ModelBuilder model(17);
  const ValueId n =
      normalized(model, model.input("x", ElementType::f32, {1, 5, channels}), outlier);
  ValueId y = model.node("Add", "sum",
                         {product(model, "a", n, channels), product(model, "b", n, channels)});
  if (residual) y = model.node("Add", "residual", {y, n});
  return model.build({y});
}

Graph smoothed(Graph graph, int expected) {
  complete(graph, rows()[0]);
  EXPECT_EQ(smooth(graph, data_of(rows()), 1), expected);
  graph.check();
  return graph;
}

/// Of the outputs of `graph` and of what smoothing made of it, as a share of the largest output.
double difference(const Graph& graph, const Graph& other) {
  const TemporaryFolder folder;
  save_onnx(graph, folder / "a.onnx");
  save_onnx(other, folder / "b.onnx");
  const Session a = Session::load(folder / "a.onnx"), b = Session::load(folder / "b.onnx");
  double most = 0, largest = 0;
  for (const auto& sample : rows()) {
    const Tensor first = a.run(sample)[0], second = b.run(sample)[0];
    most = std::max(most, largest_difference(first, second));
    for (const float value : first.data<float>())
      largest = std::max(largest, static_cast<double>(std::abs(value)));
  }
  return most / largest;
}

TEST(Smooth, DividesWhatTheNormalizationMultiplies) {
  const Graph before = encoder(50, false), after = smoothed(before, 1);
  EXPECT_EQ(after.nodes.size(), before.nodes.size());
  EXPECT_LT(difference(before, after), 1e-6);
  const auto scale = after.value(node_named(after, "norm").inputs[1]).constant.data<float>();
  EXPECT_LT(scale.back() / scale.front(), 10) << "was about 50";
}

TEST(Smooth, MultipliesInFrontOfProductsWhereOthersReadTheTensorToo) {
  const Graph before = encoder(50, true), after = smoothed(before, 1);
  EXPECT_LT(difference(before, after), 1e-6);
  for (const char* name : {"a", "b"})
    EXPECT_EQ(writer(after, node_named(after, name).inputs[0])->name, "norm.0/smooth");
  EXPECT_EQ(writer(after, node_named(after, "residual").inputs[1])->name, "norm");
}

/// What the normalization's own factors say of the channels is enough.
TEST(Smooth, NeedsNoSamplesBehindNormalizations) {
  for (const bool residual : {false, true}) {
    const Graph before = encoder(50, residual);
    Graph after = before;
    EXPECT_EQ(smooth_normalizations(after), 1);
    EXPECT_LT(difference(before, after), 1e-6);
    const std::string writer_of_a = writer(after, node_named(after, "a").inputs[0])->name;
    EXPECT_EQ(writer_of_a, residual ? "norm.0/smooth" : "norm");
    QuantizeOptions without;
    without.preprocess = false;
    const double plain = DynamicPair(before, without).difference(rows()[0]);
    EXPECT_LT(DynamicPair(before).difference(rows()[0]), 0.7 * plain);
  }
  Graph even = encoder(1, true);
  EXPECT_EQ(smooth_normalizations(even), 0);
}

TEST(Smooth, LeavesEvenChannelsAlone) {
  const Graph before = encoder(1, true), after = smoothed(before, 0);
  EXPECT_EQ(after.nodes.size(), before.nodes.size());
  EXPECT_EQ(difference(before, after), 0);
}

TEST(Smooth, LeavesWeightsAloneThatOthersUse) {
  ModelBuilder model(17);
  const ValueId n = normalized(model, model.input("x", ElementType::f32, {1, 5, channels}), 50);
  const ValueId w = model.constant("w", random_floats({channels, channels}, 3));
  const ValueId y = model.node("MatMul", "a", {n, w});
  smoothed(model.build({model.node("MatMul", "b", {y, w})}), 0);
}

TEST(Smooth, LeavesTensorsOfUnknownShapeAlone) {
  Graph graph = encoder(50, true);  // before any shape is inferred
  EXPECT_EQ(smooth(graph, data_of(rows()), 1), 0);
}

TEST(Smooth, SparesTheOtherChannelsTheirNoise) {
  QuantizeOptions without;
  without.preprocess = false;
  for (const bool residual : {false, true}) {
    const double plain = *Pair(encoder(50, residual), rows(), without).report.sqnr_db;
    EXPECT_GT(*Pair(encoder(50, residual), rows()).report.sqnr_db, plain + 6) << residual;
  }
}

}  // namespace
}  // namespace intact::testing
