// Concats of tensors whose ranges differ: when they share a grid, and what becomes of the small
// ones.
#include <gtest/gtest.h>

#include "quantized.hpp"

namespace intact::testing {
namespace {

Samples images() {
  Samples samples;
  for (unsigned i = 0; i < 4; ++i) samples.push_back({random_floats({1, 4, 6, 6}, 10 + i)});
  return samples;
}

/// 1x1, four channels to four, results of about `size`.
ValueId conv(ModelBuilder& model, const std::string& name, ValueId x, float size = 1) {
  const auto seed = static_cast<unsigned>(name[0]);
  const ValueId w = model.constant(name + ".w", random_floats({4, 4, 1, 1}, seed, -size, size));
  return model.node("Conv", name, {x, w});
}

ValueId join(ModelBuilder& model, ValueId a, ValueId b) {
  return model.node("Concat", "join", {a, b}, {{"axis", std::int64_t{1}}});
}

/// Boxes from 0 to 640 and scores from 0 to 1, joined.
ValueId heads(ModelBuilder& model) {
  const ValueId features = model.node(
      "Relu", "relu", {conv(model, "stem", model.input("x", ElementType::f32, {1, 4, 6, 6}))});
  const ValueId low = model.scalar("low", 0.0f), high = model.scalar("high", 640.0f);
  const ValueId boxes = model.node("Clip", "boxes", {conv(model, "b", features, 640), low, high});
  const ValueId scores = model.node("Sigmoid", "scores", {conv(model, "s", features)});
  return join(model, boxes, scores);
}

/// Largest differences of the first and of the other four channels of output `index`.
std::pair<double, double> differences(const Pair& pair, const Samples& samples, std::size_t index) {
  const Session real = Session::load(pair.float_path()), integer = Session::load(pair.int8_path());
  std::pair<double, double> largest;
  for (const auto& sample : samples) {
    const Tensor a = real.run(sample)[index], b = integer.run(sample)[index];
    for (std::size_t i = 0; i < a.data<float>().size(); ++i) {
      double& half = i < 4 * 36 ? largest.first : largest.second;
      half = std::max(half, std::abs(static_cast<double>(a.data<float>()[i]) -
                                     static_cast<double>(b.data<float>()[i])));
    }
  }
  return largest;
}

std::string reason_apart(const QuantizeReport& report) {
  return report.kept_apart.size() == 1 && report.kept_apart[0].first == "join"
             ? report.kept_apart[0].second
             : "";
}

float scale_of(const Graph& graph, ValueId dequantized) {
  return graph.value(writer(graph, dequantized)->inputs[1]).constant.data<float>()[0];
}

TEST(QuantizeConcat, JoinedHeadsAreNotRounded) {
  ModelBuilder model;
  const Samples samples = images();
  const Pair pair(model.build({heads(model)}), samples);
  EXPECT_EQ(kept_reason(pair.report, "join"), "no integer operator reads its result");
  EXPECT_EQ(pair.graph().value(node_named(pair.graph(), "join").inputs[1]).name, "scores.0");
  EXPECT_LT(differences(pair, samples, 0).second, 0.02);
}

/// Behind the joined heads their boxes are decoded, which alone would be done on bytes.
TEST(QuantizeConcat, JoinedHeadsThatAreReadAreNotRounded) {
  ModelBuilder model;
  const ValueId factors = model.constant(
      "factors", Tensor::from<float>({1, 8, 1, 1}, std::vector<float>{2, 2, 4, 4, 1, 1, 1, 1}));
  const ValueId decoded = model.node("Mul", "decode", {heads(model), factors});
  const Samples samples = images();
  const Pair pair(model.build({decoded}), samples);
  EXPECT_NE(reason_apart(pair.report).find("one grid for all would leave 'scores.0' 0."),
            std::string::npos)
      << reason_apart(pair.report);
  EXPECT_NE(kept_reason(pair.report, "join").find(", and no product reads its result"),
            std::string::npos);
  EXPECT_EQ(kept_reason(pair.report, "decode"),
            "its operand 'join.0' is written by a float operator");
  const auto [boxes, scores] = differences(pair, samples, 0);
  EXPECT_LT(boxes, 4 * 640 * 0.02);
  EXPECT_LT(scores, 0.02);
  const Graph quantized = pair.graph();
  EXPECT_EQ(count(quantized, "QuantizeLinear"), 2u) << "of x and the features";
}

/// In the middle of a net: the product behind the Concat reads bytes of one grid, but what else
/// reads the small operand, or the joined tensor in float, has it as fine as it was.
TEST(QuantizeConcat, SmallOperandKeepsItsGrid) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 4, 6, 6});
  const ValueId large = model.node("Relu", "large", {conv(model, "a", x, 400)});
  const ValueId small = model.node("Sigmoid", "small", {conv(model, "c", x)});
  const ValueId joined = join(model, large, small);
  const ValueId w = model.constant("w", random_floats({4, 8, 1, 1}, 5, -0.01f, 0.01f));
  const ValueId last = model.node("Conv", "last", {joined, w});
  const Samples samples = images();
  const Pair pair(model.build({last, conv(model, "side", small)}), samples);
  EXPECT_NE(reason_apart(pair.report).find("'small.0'"), std::string::npos);
  EXPECT_TRUE(pair.report.kept_float.empty());
  expect_integer_and_close(pair, samples, 0.2);
  EXPECT_LT(largest_difference(Session::load(pair.float_path()).run(samples[0])[1],
                               Session::load(pair.int8_path()).run(samples[0])[1]),
            0.05);
  const Graph quantized = pair.graph();
  const Node& concat = node_named(quantized, "join");
  EXPECT_LT(scale_of(quantized, concat.inputs[1]), 1.01f / 255);
  EXPECT_GT(scale_of(quantized, concat.inputs[0]), 1.0f);
  EXPECT_EQ(scale_of(quantized, node_named(quantized, "last").inputs[0]),
            scale_of(quantized, concat.inputs[0]));
  for (const TensorReport& tensor : pair.report.tensors)
    EXPECT_EQ(tensor.follows, tensor.name == "join.0") << tensor.name;

  QuantizeOptions edited;
  edited.ranges = pair.report.ranges();
  edited.ranges["join.0"] = {0, 1};
  const QuantizeReport again =
      quantize_static(pair.float_path(), pair.folder / "again.onnx", data_of(samples), edited);
  ASSERT_EQ(again.notes.size(), 1u);
  EXPECT_TRUE(again.notes[0].starts_with("the range given for 'join.0' is not used: a Concat"));

  const Pair seen(model.build({last, joined}), samples);
  EXPECT_LT(differences(seen, samples, 1).second, 0.02);
}

TEST(QuantizeConcat, SharesOneGridWhereItsStepsSuffice) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 4, 6, 6});
  const ValueId a = conv(model, "a", x), b = conv(model, "b", x);
  const ValueId w = model.constant("w", random_floats({4, 8, 1, 1}, 5));
  const Graph graph = model.build({model.node("Conv", "last", {join(model, a, b), w})});
  QuantizeOptions options;
  options.preprocess = false;
  options.effort = Effort::low;
  for (const float largest : {10.5f, 10.7f}) {  // 24.3 and 23.8 steps
    options.ranges = {{"x", {-1, 1}}, {"a.0", {-1, largest - 1}}, {"b.0", {0, 1}}};
    const Pair pair(graph, images(), options);
    EXPECT_EQ(reason_apart(pair.report).empty(), largest < 10.6f);
    // What the report says leads to the same file again.
    const auto again = pair.folder / "again.onnx";
    options.ranges = pair.report.ranges();
    EXPECT_EQ(options.ranges.size(), largest < 10.6f ? 2u : 3u);
    EXPECT_EQ(quantize_static(pair.float_path(), again, {}, options).kept_apart,
              pair.report.kept_apart);
    const Session first = Session::load(pair.int8_path()), second = Session::load(again);
    EXPECT_EQ(largest_difference(first.run(images()[0])[0], second.run(images()[0])[0]), 0);
  }
}

}  // namespace
}  // namespace intact::testing
