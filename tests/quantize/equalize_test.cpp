// Streams that may be scaled, and what scaling leaves and changes.
#include "quantize/equalization/equalize.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "quantize/equalization/streams.hpp"
#include "quantize/prepare.hpp"
#include "quantized.hpp"

namespace intact::testing {
namespace {

constexpr std::int64_t channels = 4;

/// Conv, depthwise Conv, Add of both, Relu, pool, Conv, Clip, Conv: up to the pool the channels are
/// free, behind Clip they are not. Channel c of the first is 4^c as large as channel 0.
Graph chain() {
  ModelBuilder model(13);
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 8, 8});
  Tensor first = random_floats({channels, 3, 1, 1}, 1), bias = random_floats({channels}, 2);
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t k = 0; k < 3; ++k)
      first.data<float>()[c * 3 + k] *= std::ldexp(1.0f, 2 * static_cast<int>(c));
  const ValueId a =
      model.node("Conv", "first", {x, model.constant("w", first), model.constant("b", bias)});
  const AttributeList grouped = {{"group", channels},
                                 {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};
  const ValueId b =
      model.node("Conv", "depthwise",
                 {a, model.constant("d", random_floats({channels, 1, 3, 3}, 3))}, grouped);
  const ValueId sum = model.node("Relu", "relu", {model.node("Add", "add", {a, b})});
  const AttributeList window = {{"kernel_shape", std::vector<std::int64_t>{2, 2}}};
  const ValueId pooled = model.node("MaxPool", "pool", {sum}, window);
  const ValueId narrow = model.node(
      "Conv", "narrow", {pooled, model.constant("n", random_floats({2, channels, 1, 1}, 4))});
  const ValueId clipped =
      model.node("Clip", "clip", {narrow, model.scalar("low", 0.0f), model.scalar("high", 6.0f)});
  return model.build(
      {model.node("Conv", "last", {clipped, model.constant("l", random_floats({2, 2, 1, 1}, 5))})});
}

Samples images() {
  Samples samples;
  for (unsigned i = 0; i < 4; ++i) samples.push_back({random_floats({1, 3, 8, 8}, 10 + i)});
  return samples;
}

Graph completed(Graph graph) {
  complete(graph, images()[0]);
  return graph;
}

std::string names(const Graph& graph, const std::vector<int>& nodes) {
  std::string text;
  for (const int node : nodes) text += graph.nodes[static_cast<std::size_t>(node)].name + " ";
  return text;
}

TEST(Streams, EndAtOperatorsThatScalingDoesNotPass) {
  const Graph graph = completed(chain());
  const std::vector<Stream> streams = find_streams(graph);
  ASSERT_EQ(streams.size(), 1U);
  EXPECT_EQ(streams[0].channels, channels);
  EXPECT_EQ(names(graph, streams[0].writers), "first depthwise ");
  EXPECT_EQ(names(graph, streams[0].readers), "depthwise narrow ");
  EXPECT_EQ(streams[0].tensors.size(), 5U);
}

TEST(Streams, EndAtOutputsAndSharedWeights) {
  Graph with_output = completed(chain());
  for (const Node& node : with_output.nodes)
    if (node.name == "add") with_output.outputs.push_back(node.outputs[0]);
  EXPECT_TRUE(find_streams(with_output).empty());
  ModelBuilder model(13);
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 8, 8});
  const ValueId w = model.constant("w", random_floats({3, 3, 1, 1}, 1));
  const ValueId y = model.node("Conv", "first", {x, w});
  EXPECT_TRUE(find_streams(completed(model.build({model.node("Conv", "last", {y, w})}))).empty());
}

TEST(Equalize, KeepsTheFunctionAndEvensOutTheChannels) {
  const Graph before = completed(chain());
  Graph after = before;
  EXPECT_EQ(equalize(after, data_of(images()), 1), 1);
  const Session original = Session::parse(serialize_onnx(before)),
                equalized = Session::parse(serialize_onnx(after));
  for (const auto& sample : images())
    EXPECT_LT(largest_difference(original.run(sample)[0], equalized.run(sample)[0]), 1e-4);
  const auto unevenness = [](const Graph& graph) {
    Graph seen = graph;
    for (const Node& node : graph.nodes)
      if (node.name == "relu") seen.outputs = {node.outputs[0]};
    const Session session = Session::parse(serialize_onnx(seen));
    std::vector<float> largest(channels);
    for (const auto& sample : images()) {
      const Tensor values = session.run(sample)[0];
      for (std::size_t i = 0; i < values.data<float>().size(); ++i)
        largest[i / 64] = std::max(largest[i / 64], values.data<float>()[i]);
    }
    return *std::max_element(largest.begin(), largest.end()) /
           *std::min_element(largest.begin(), largest.end());
  };
  EXPECT_LT(unevenness(after), unevenness(before) / 4);
}

}  // namespace
}  // namespace intact::testing
