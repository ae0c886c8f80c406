// Published models: the same bytes however they run, bytes throughout, and float models close to
// the reference. Skipped when the test data is not there.
#include <cmath>
#include <filesystem>

#include "compare.hpp"
#include "tests/graph/model_builder.hpp"
#include "tests/test_data.hpp"

namespace intact::testing {
namespace {

std::filesystem::path model_path(const std::string& name) {
  return std::filesystem::path(INTACT_TEST_DATA) / "models" / name;
}

/// `batch` images of seeded numbers, in the shape that the model declares.
Tensor input_of(const Session& session, std::int64_t batch, unsigned seed) {
  Shape shape = session.default_shapes()[0];
  if (session.inputs()[0].shape[0] < 0) shape[0] = batch;
  return random_floats(shape, seed, -2, 2);
}

class QuantizedModel : public ::testing::TestWithParam<const char*> {};

TEST_P(QuantizedModel, AllWaysOfRunningGiveTheSameBytes) {
  const auto path = model_path(GetParam());
  if (const auto why = why_missing(path); !why.empty()) GTEST_SKIP() << why;
  const Session plain = Session::load(path, options_of(1, Isa::scalar, false));
  const std::vector<Tensor> first = {input_of(plain, 2, 17)}, second = {input_of(plain, 2, 18)};
  const Tensors expected[] = {plain.run(first), plain.run(second)};
  for (const Isa isa : supported_isas())
    for (const int threads : {1, 2})
      for (const bool fusion : {true, false}) {
        const SessionOptions options = options_of(threads, isa, fusion);
        const Session session = Session::load(path, options);
        expect_identical(session.run(first), expected[0], describe(options));
        if (isa != Isa::scalar)
          expect_identical(session.run(second), expected[1], describe(options));
      }
}

TEST_P(QuantizedModel, RunsOnIntegersFromEndToEnd) {
  const auto path = model_path(GetParam());
  if (const auto why = why_missing(path); !why.empty()) GTEST_SKIP() << why;
  const Flow flow = Session::load(path).flow();
  EXPECT_EQ(flow.float_round_trips, 0);
  EXPECT_EQ(flow.int8_macs, flow.total_macs);
  EXPECT_GT(flow.total_macs, 290'000'000);
  for (const FlowNode& node : flow.nodes)
    for (const char* op : {"Conv", "Add", "MatMul", "Gemm"})
      if (node.op.find(op) != std::string::npos) {
        EXPECT_EQ(node.precision, "int8") << node.name << ": " << node.reason;
      }
}

INSTANTIATE_TEST_SUITE_P(Models, QuantizedModel,
                         ::testing::Values("mobilenetv2-12-qdq.onnx",
                                           "mobilenetv2-12-qoperator.onnx",
                                           "mobilenetv2-tv-qdq-perchannel.onnx"));

class FloatModel : public ::testing::TestWithParam<const char*> {};

TEST_P(FloatModel, StaysCloseToTheReference) {
  const auto path = model_path(GetParam());
  if (const auto why = why_missing(path); !why.empty()) GTEST_SKIP() << why;
  SessionOptions options;
  options.reference = true;
  const Session reference = Session::load(path, options);
  const Tensor input = input_of(reference, 1, 17);
  const Tensors expected = reference.run(std::vector{input});
  for (const int threads : {1, 2}) {
    const Tensors actual =
        Session::load(path, options_of(threads, best_isa(), threads == 1)).run(std::vector{input});
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const auto a = numbers(actual[i]), e = numbers(expected[i]);
      ASSERT_EQ(a.size(), e.size());
      double largest = 0, error = 0;
      for (std::size_t k = 0; k < a.size(); ++k) {
        largest = std::max(largest, std::abs(e[k]));
        error = std::max(error, std::abs(a[k] - e[k]));
      }
      EXPECT_LE(error, 1e-4 * largest) << threads << " threads, output " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, FloatModel,
                         ::testing::Values("resnet8_cifar10.onnx", "resnet20_cifar10.onnx",
                                           "resnet56_cifar10.onnx", "mobilenetv2-12-float.onnx"));

// --- Voice activity: chunks of sound, each with the state that the one before left

/// 512 samples at 16 kHz behind the 64 before them: bursts of harmonics.
Tensor sound(std::int64_t chunk) {
  Tensor samples(ElementType::f32, {1, 576});
  for (std::int64_t i = 0; i < 576; ++i) {
    const double time = static_cast<double>(chunk * 512 + i) / 16000;
    double value = 0;
    for (int k = 1; k < 12; ++k) value += std::sin(2 * M_PI * 140 * k * time) / k;
    if (std::sin(2 * M_PI * 1.5 * time) < 0) value *= 0.01;
    samples.data<float>()[static_cast<std::size_t>(i)] = static_cast<float>(0.2 * value);
  }
  return samples;
}

/// Output and state of every chunk, one behind the other.
Tensors voice_activity(const Session& session, std::int64_t chunks) {
  Tensors results;
  Tensor state(ElementType::f32, {2, 1, 128});
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    const Tensors inputs = {sound(chunk), state, Tensor::scalar<std::int64_t>(16000)};
    const Tensors outputs = session.run(inputs);
    state = outputs[1];
    results.insert(results.end(), outputs.begin(), outputs.end());
  }
  return results;
}

TEST(RecurrentModel, KeepsItsStateOverChunksHoweverItRuns) {
  const auto path = model_path("silero_vad_16k_op15.onnx");
  if (const auto why = why_missing(path); !why.empty()) GTEST_SKIP() << why;
  constexpr std::int64_t chunks = 50;
  SessionOptions exact;
  exact.reference = true;
  const Tensors expected = voice_activity(Session::load(path, exact), chunks);
  int threads = 1;
  for (const Isa isa : supported_isas())
    for (const bool fusion : {true, false}) {
      const SessionOptions options = options_of(threads, isa, fusion);
      threads = 3 - threads;
      const Tensors actual = voice_activity(Session::load(path, options), chunks);
      ASSERT_EQ(actual.size(), expected.size());
      double largest = 0, error = 0;
      for (std::size_t i = 0; i < actual.size(); i += 2) {
        const auto a = numbers(actual[i]), e = numbers(expected[i]);
        largest = std::max(largest, e[0]);
        error = std::max(error, std::abs(a[0] - e[0]));
      }
      EXPECT_GT(largest, 0.1) << "nothing was heard";
      EXPECT_LE(error, 1e-3 * largest) << describe(options);
    }
}

}  // namespace
}  // namespace intact::testing
