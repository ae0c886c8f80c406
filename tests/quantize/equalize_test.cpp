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
/// free, behind a Clip to two signs they are not. Channel c of the first is 4^c as large as channel
/// 0.
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
      model.node("Clip", "clip", {narrow, model.scalar("low", -6.0f), model.scalar("high", 6.0f)});
  return model.build(
      {model.node("Conv", "last", {clipped, model.constant("l", random_floats({2, 2, 1, 1}, 5))})});
}

/// Conv, Clip, depthwise Conv, Conv. Channel c of the first is 4^c as large as channel 0; the last
/// reaches the Clip's bound.
Graph chain_of_clip() {
  ModelBuilder model(13);
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 8, 8});
  Tensor first = random_floats({channels, 3, 1, 1}, 1);
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t k = 0; k < 3; ++k)
      first.data<float>()[c * 3 + k] *= std::ldexp(1.0f, 2 * static_cast<int>(c) - 4);
  const ValueId a = model.node("Conv", "first", {x, model.constant("w", first)});
  const ValueId clipped =
      model.node("Clip", "clip", {a, model.scalar("low", 0.0f), model.scalar("high", 2.0f)});
  const ValueId b = model.node(
      "Conv", "depthwise", {clipped, model.constant("d", random_floats({channels, 1, 3, 3}, 3))},
      {{"group", channels}, {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  return model.build({model.node("Conv", "last",
                                 {b, model.constant("l", random_floats({2, channels, 1, 1}, 5))})});
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

/// Per channel, of what node `name` writes.
std::vector<float> largest_values(const Graph& graph, const std::string& name) {
  Graph seen = graph;
  for (const Node& node : graph.nodes)
    if (node.name == name) seen.outputs = {node.outputs[0]};
  const Session session = Session::parse(serialize_onnx(seen));
  std::vector<float> largest(channels);
  for (const auto& sample : images()) {
    const Tensor values = session.run(sample)[0];
    for (std::size_t i = 0; i < values.data<float>().size(); ++i)
      largest[i / 64] = std::max(largest[i / 64], values.data<float>()[i]);
  }
  return largest;
}

float unevenness(const std::vector<float>& largest) {
  return *std::max_element(largest.begin(), largest.end()) /
         *std::min_element(largest.begin(), largest.end());
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
  EXPECT_LT(unevenness(largest_values(after, "relu")),
            unevenness(largest_values(before, "relu")) / 4);
}

TEST(Equalize, ScalesNoChannelBeyondAClip) {
  const Graph before = completed(chain_of_clip());
  ASSERT_EQ(find_streams(before).at(0).ceilings.size(), 1U);
  Graph after = before;
  EXPECT_EQ(equalize(after, data_of(images()), 1), 2);
  const Session original = Session::parse(serialize_onnx(before)),
                equalized = Session::parse(serialize_onnx(after));
  for (const auto& sample : images())
    EXPECT_LT(largest_difference(original.run(sample)[0], equalized.run(sample)[0]), 1e-4);
  const std::vector<float> small = largest_values(before, "clip"),
                           even = largest_values(after, "clip");
  EXPECT_EQ(small[channels - 1], 2.0f);
  EXPECT_EQ(even[channels - 1], 2.0f);
  EXPECT_LT(unevenness(even), unevenness(small) / 4);
}

TEST(Equalize, LeavesChannelsThatAreEven) {
  ModelBuilder model(13);
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 8, 8});
  Tensor equal(ElementType::f32, {3, 3, 1, 1});
  for (std::size_t c = 0; c < 3; ++c) equal.data<float>()[4 * c] = 1;
  const ValueId y = model.node("Conv", "first", {x, model.constant("a", equal)});
  Graph graph =
      completed(model.build({model.node("Conv", "last", {y, model.constant("b", equal)})}));
  ASSERT_EQ(find_streams(graph).size(), 1U);
  Tensor ones(ElementType::f32, {1, 3, 8, 8});
  std::fill(ones.data<float>().begin(), ones.data<float>().end(), 1.0f);
  EXPECT_EQ(equalize(graph, data_of({{ones}}), 1), 0);
}

}  // namespace
}  // namespace intact::testing
