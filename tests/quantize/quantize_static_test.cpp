// From file to file: options, metadata, operator sets, errors, real models.
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <numeric>

#include "intact/quantize.hpp"
#include "quantize/calibration/ranges.hpp"
#include "quantized.hpp"
#include "tests/test_data.hpp"

namespace intact::testing {
namespace {

/// Conv, Relu, Conv: nodes "first", "relu", "last".
Graph two_convolutions(int opset = 13) {
  ModelBuilder model(opset);
  const ValueId x = model.input("x", ElementType::f32, {-1, 3, 6, 6});
  const ValueId w = model.constant("w", random_floats({4, 3, 1, 1}, 1));
  const ValueId y = model.node("Relu", "relu", {model.node("Conv", "first", {x, w})});
  return model.build(
      {model.node("Conv", "last", {y, model.constant("v", random_floats({2, 4, 1, 1}, 2))})});
}

Samples three_images() {
  Samples samples;
  for (unsigned i = 0; i < 3; ++i) samples.push_back({random_floats({1, 3, 6, 6}, i)});
  return samples;
}

std::string error_of(const Graph& graph, const Samples& samples,
                     const QuantizeOptions& options = {}) {
  try {
    Pair(graph, samples, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(QuantizeStatic, ReportsWhatItDid) {
  QuantizeOptions options;
  std::map<std::string, std::vector<int>, std::less<>> progress;
  options.progress = [&](std::string_view phase, int done, int total) {
    progress[std::string(phase)].push_back(done);
    EXPECT_TRUE(total == 0 || done <= total) << phase;
  };
  const Pair pair(two_convolutions(), three_images(), options);
  EXPECT_EQ(pair.report.samples, 3);
  for (const char* phase : {"ranges of activations", "float outputs", "rounding of weights"})
    EXPECT_EQ(progress[phase], (std::vector<int>{1, 2, 3})) << phase;
  EXPECT_EQ(pair.report.quantized, (std::vector<std::string>{"first", "relu", "last"}));
  EXPECT_EQ(pair.report.float_bytes, std::filesystem::file_size(pair.float_path()));
  EXPECT_EQ(pair.report.int8_bytes, std::filesystem::file_size(pair.int8_path()));
  const auto metadata = pair.graph().metadata;
  EXPECT_EQ(metadata.at("intact.method"), "static auto");
  EXPECT_EQ(metadata.at("intact.samples"), "3");
  EXPECT_EQ(metadata.at("intact.options"), "per-channel weights, normal effort, u8 activations");
  EXPECT_FALSE(metadata.at("intact.version").empty());
  for (const OperatorReport& entry : pair.report.operators) {
    ASSERT_TRUE(entry.sqnr_db) << entry.name;
    EXPECT_GT(*entry.sqnr_db, 25) << entry.name;
    EXPECT_LT(*entry.sqnr_db, 80) << entry.name;
  }
}

/// The range given for x clips all of it, or one row of many, behind which every row is normalized.
TEST(QuantizeStatic, BiasesMakeUpForClippingOnlyWhereThatHelps) {
  QuantizeOptions options;
  options.preprocess = false;
  options.ranges["x"] = {-1, 1};
  ModelBuilder all(17), one(17);
  const Tensor w = random_floats({8, 8}, 1, 0.2f, 1), b = random_floats({8}, 2);
  const auto dense = [&](ModelBuilder& model) {
    const ValueId x = model.input("x", ElementType::f32, {1, 32, 8});
    return model.node(
        "Add", "bias",
        {model.node("MatMul", "dense", {x, model.constant("w", w)}), model.constant("b", b)});
  };
  Samples wide, rare;
  for (unsigned i = 0; i < 4; ++i) {
    wide.push_back({random_floats({1, 32, 8}, 10 + i, 2, 3)});
    rare.push_back({random_floats({1, 32, 8}, 20 + i)});
    for (float& value : rare.back()[0].data<float>().first(8)) value *= 300;
  }
  EXPECT_GT(*Pair(all.build({dense(all)}), wide, options).report.sqnr_db, 15);
  const ValueId scale = one.constant("scale", random_floats({8}, 3, 0.8f, 1.2f));
  const Graph normalized = one.build({one.node("LayerNormalization", "norm", {dense(one), scale})});
  EXPECT_GT(*Pair(normalized, rare, options).report.sqnr_db, 8);
}

TEST(QuantizeStatic, ReportsTensorsAndOperators) {
  Samples samples = three_images();
  samples[1][0].data<float>()[0] = 1000;
  samples[1][0].data<float>()[1] = -1000;
  const QuantizeReport report = Pair(two_convolutions(), samples).report;
  EXPECT_EQ(report.method, "static auto");
  ASSERT_EQ(report.operators.size(), 3u);
  EXPECT_EQ(report.operators[1].name, "relu");
  EXPECT_EQ(report.operators[1].op, "Relu");
  EXPECT_EQ(report.operators[1].output, "relu.0");
  EXPECT_TRUE(report.operators[1].integer);
  ASSERT_EQ(report.tensors.size(), 2u);
  const TensorReport& x = report.tensors[0];
  const TensorReport& relu = report.tensors[1];
  EXPECT_EQ(x.name, "x");
  EXPECT_EQ(x.values, (ValueRange{-1000, 1000}));
  EXPECT_EQ(x.range, x.values);
  EXPECT_EQ(x.saturated, 0);
  EXPECT_FLOAT_EQ(x.scale, 2000.0f / 255);
  EXPECT_EQ(std::accumulate(x.histogram.begin(), x.histogram.end(), std::uint64_t{0}), 3u * 108);
  EXPECT_EQ(x.histogram.front(), 1u);
  EXPECT_EQ(x.histogram.back(), 1u);
  // The two large values are the signal, the others the noise: below half a step.
  EXPECT_NEAR(x.sqnr_db, 10 * std::log10(2e6 / (322 / 3.0)), 1);
  EXPECT_EQ(relu.name, "relu.0");
  EXPECT_EQ(relu.shares_with, "");
  EXPECT_LE(relu.range.max, relu.values.max);
  EXPECT_FLOAT_EQ(relu.scale, relu.range.max / 255);
  EXPECT_EQ(relu.zero_point, 0);
}

TEST(QuantizeStatic, TakesRangesInPlaceOfSamples) {
  QuantizeOptions options;
  options.effort = Effort::low;  // which needs no samples
  options.preprocess = false;
  const Pair pair(two_convolutions(), three_images(), options);
  options.ranges = pair.report.ranges();
  EXPECT_EQ(options.ranges.size(), 2u);
  const auto output = pair.folder / "given.onnx";
  const QuantizeReport report = quantize_static(pair.float_path(), output, {}, options);
  EXPECT_EQ(report.samples, 0);
  EXPECT_EQ(report.method, "static given ranges");
  EXPECT_EQ(report.ranges(), options.ranges);
  const Session given = Session::load(output), expected = Session::load(pair.int8_path());
  for (const auto& sample : three_images())
    EXPECT_EQ(largest_difference(given.run(sample)[0], expected.run(sample)[0]), 0);
  options.ranges["relu.0"] = {0, 25.5f};
  const auto edited = pair.folder / "edited.onnx";
  EXPECT_FLOAT_EQ(quantize_static(pair.float_path(), edited, {}, options).tensors[1].scale, 0.1f);
}

TEST(QuantizeStatic, RefusesRangesThatDoNotFit) {
  QuantizeOptions options;
  const auto error = [&] { return error_of(two_convolutions(), three_images(), options); };
  options.ranges = {{"x", {-1, 1}}};
  EXPECT_EQ(error(), "no range is given for tensor 'relu.0' nor for any that shares its grid");
  options.ranges["lost"] = {0, 1};
  EXPECT_EQ(error(), "a range is given for 'lost', but the model has no such tensor");
  options.ranges = {{"x", {-1, 1}}, {"relu.0", {2, 1}}};
  EXPECT_EQ(error(),
            "the range given for 'relu.0' is 2 to 1; it has to go from a finite number to one that "
            "is not smaller");
}

TEST(QuantizeStatic, ReportsTheShareOfSaturatedValues) {
  QuantizeOptions options;
  options.method = CalibrationMethod::average;
  Samples samples = three_images();
  for (float& value : samples[1][0].data<float>()) value *= 3;
  const TensorReport relu = Pair(two_convolutions(), samples, options).report.tensors.at(1);
  EXPECT_LT(relu.range.max, relu.values.max);
  EXPECT_GT(relu.saturated, 0.005);
  EXPECT_LT(relu.saturated, 1.0 / 3);
}

TEST(QuantizeStatic, ReportsWhichTensorsShareAGrid) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 4, 6, 6});
  const ValueId pool =
      model.node("MaxPool", "pool", {x}, {{"kernel_shape", std::vector<std::int64_t>{2, 2}}});
  const Graph graph = model.build(
      {model.node("Conv", "last", {pool, model.constant("v", random_floats({2, 4, 1, 1}, 2))})});
  const QuantizeReport report = Pair(graph, {{random_floats({1, 4, 6, 6}, 1)}}).report;
  ASSERT_EQ(report.tensors.size(), 2u);
  EXPECT_EQ(report.tensors[1].shares_with, "x");
  EXPECT_EQ(report.tensors[1].scale, report.tensors[0].scale);
  EXPECT_TRUE(report.tensors[1].histogram.empty());
}

TEST(QuantizeStatic, TwoRunsWriteTheSameBytes) {
  const Pair first(two_convolutions(), three_images());
  const auto expected = file_bytes(first.int8_path());
  quantize_static(first.float_path(), first.folder / "again.onnx", data_of(three_images()));
  EXPECT_EQ(file_bytes(first.folder / "again.onnx"), expected);
}

TEST(QuantizeStatic, ClipsInsideTheModelOnly) {
  Samples samples = three_images();
  samples[1][0].data<float>()[0] = 1000;
  for (const auto method :
       {CalibrationMethod::minmax, CalibrationMethod::percentile, CalibrationMethod::mse}) {
    QuantizeOptions options;
    options.method = method;
    const Graph quantized = Pair(two_convolutions(), samples, options).graph();
    EXPECT_EQ(quantized.metadata.at("intact.method"),
              std::string("static ") + calibration_name(method));
    const Node& input = node_named(quantized, "x/quantize");
    EXPECT_GT(quantized.value(input.inputs[1]).constant.data<float>()[0], 1000.0f / 256);
  }
}

TEST(QuantizeStatic, RaisesOlderOperatorSets) {
  for (const int opset : {9, 12, 13, 18}) {
    const Pair pair(two_convolutions(opset), three_images());
    EXPECT_EQ(pair.graph().opsets.at(""), std::max(opset, 13));
    expect_integer_and_close(pair, three_images(), 0.5);
  }
}

TEST(QuantizeStatic, ExcludedNodesStayFloat) {
  QuantizeOptions options;
  options.exclude = {"last"};
  const Pair pair(two_convolutions(), three_images(), options);
  EXPECT_EQ(kept_reason(pair.report, "last"), "excluded");
  const Graph quantized = pair.graph();
  EXPECT_EQ(count(quantized, "QuantizeLinear"), 1u);
  EXPECT_TRUE(quantized.is_constant(node_named(quantized, "last").inputs[1]));
}

TEST(QuantizeStatic, ExcludedNodesMayHaveBeenFolded) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 3, 4, 4});
  const ValueId y =
      model.node("Conv", "conv", {x, model.constant("w", random_floats({4, 3, 1, 1}, 1))});
  const Tensor ones = random_floats({4}, 2, 1, 1.5f);
  const Graph graph =
      model.build({model.node("BatchNormalization", "norm",
                              {y, model.constant("g", ones), model.constant("b", ones),
                               model.constant("m", ones), model.constant("v", ones)})});
  QuantizeOptions options;
  options.exclude = {"norm"};
  EXPECT_EQ(kept_reason(Pair(graph, {{random_floats({1, 3, 4, 4}, 1)}}, options).report, "conv"),
            "excluded");
}

TEST(QuantizeStatic, RefusesUnknownExcludedNames) {
  QuantizeOptions options;
  options.exclude = {"lost"};
  EXPECT_EQ(error_of(two_convolutions(), three_images(), options),
            "no node of the model matches 'lost'; nearly alike: 'last'");
}

TEST(QuantizeStatic, RefusesToWorkWithoutSamples) {
  EXPECT_EQ(error_of(two_convolutions(), {}),
            "no calibration sample was given; quantization needs at least one");
}

TEST(QuantizeStatic, RefusesSamplesThatDoNotFit) {
  const Samples wrong = {{random_floats({1, 3, 5, 6}, 1)}};
  EXPECT_EQ(
      error_of(two_convolutions(), wrong),
      "input 'x' of a calibration sample is f32 [1,3,5,6], but the model wants f32 [-1,3,6,6]");
  Samples later = three_images();
  later[1] = wrong[0];
  EXPECT_NE(error_of(two_convolutions(), later).find("input 'x' is f32 [1,3,5,6]"),
            std::string::npos);
  EXPECT_EQ(error_of(two_convolutions(), {{}}),
            "a calibration sample has 0 tensors, but the model has 1 inputs");
}

TEST(QuantizeStatic, NamesTensorsThatAreNotFinite) {
  Samples samples = three_images();
  samples[2][0].data<float>()[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(error_of(two_convolutions(), samples),
            "tensor 'x' has the value NaN at element 7 in calibration sample 3; all numbers must "
            "be finite");
  samples = three_images();
  for (float& value : samples[1][0].data<float>()) value *= 3e38f;
  const std::string text = error_of(two_convolutions(), samples);
  EXPECT_NE(text.find("tensor 'relu.0' has the value infinity"), std::string::npos) << text;
  EXPECT_NE(text.find("sample 2"), std::string::npos) << text;
}

TEST(QuantizeStatic, RefusesQuantizedModels) {
  const Pair pair(two_convolutions(), three_images());
  try {
    quantize_static(pair.int8_path(), pair.folder / "twice.onnx", data_of(three_images()));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(
        std::string(error.what())
            .find("contains QuantizeLinear 'x/quantize'; a model to be quantized has to be float"),
        std::string::npos)
        << error.what();
  }
}

TEST(QuantizeStatic, ReportsUnwritableOutputsAndLeavesNothing) {
  const Pair pair(two_convolutions(), three_images());
  const auto target = pair.folder / "missing" / "int8.onnx";
  EXPECT_THROW(quantize_static(pair.float_path(), target, data_of(three_images())), Error);
  EXPECT_FALSE(std::filesystem::exists(target));
}

/// Image i of a CIFAR-10 file (label, then channels) as the models want it, and its label.
std::pair<Tensor, int> cifar_image(const std::vector<char>& file, std::size_t i) {
  constexpr float mean[] = {0.485f, 0.456f, 0.406f}, deviation[] = {0.229f, 0.224f, 0.225f};
  Tensor image(ElementType::f32, {1, 3, 32, 32});
  const char* record = file.data() + i * 3073;
  for (std::size_t k = 0; k < 3072; ++k)
    image.data<float>()[k] =
        (static_cast<float>(static_cast<unsigned char>(record[1 + k])) / 255 - mean[k / 1024]) /
        deviation[k / 1024];
  return {image, record[0]};
}

int top_class(const std::vector<Tensor>& outputs) {
  const auto scores = outputs[0].data<float>();
  return static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

TEST(QuantizeStatic, ResNet20KeepsItsAccuracy) {
  const std::filesystem::path data = INTACT_TEST_DATA;
  const auto model = data / "models/resnet20_cifar10.onnx";
  if (const auto why = testing::why_missing(model); !why.empty()) GTEST_SKIP() << why;
  const auto file = file_bytes(data / "images/cifar10_test_2000.bin");
  Samples samples;
  for (std::size_t i = 0; i < 50; ++i) samples.push_back({cifar_image(file, i).first});
  const TemporaryFolder folder;
  const auto output = folder / "resnet20.onnx";
  const QuantizeReport report = quantize_static(model, output, data_of(samples));
  EXPECT_TRUE(report.kept_float.empty());
  EXPECT_LT(report.int8_bytes, 0.35 * static_cast<double>(report.float_bytes));
  const Session real = Session::load(model), integer = Session::load(output);
  const Flow flow = integer.flow();
  EXPECT_EQ(flow.float_round_trips, 0);
  EXPECT_EQ(flow.int8_macs, flow.total_macs);
  int right = 0, right_integer = 0;
  constexpr int images = 300;
  for (std::size_t i = 50; i < 50 + images; ++i) {
    const auto [image, label] = cifar_image(file, i);
    const std::vector<Tensor> input = {image};
    right += top_class(real.run(input)) == label;
    right_integer += top_class(integer.run(input)) == label;
  }
  EXPECT_GE(right_integer, right - images / 100);
}

}  // namespace
}  // namespace intact::testing
