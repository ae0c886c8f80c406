// Float models of the tests, quantized through files as users do it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "graph/onnx/onnx.hpp"
#include "intact/quantize.hpp"
#include "intact/session.hpp"
#include "tests/graph/model_builder.hpp"

namespace intact::testing {

using Samples = std::vector<std::vector<Tensor>>;

inline CalibrationData data_of(Samples samples) {
  return [samples = std::move(samples)]() -> CalibrationSource {
    return [&samples, next = std::size_t{0}]() mutable -> std::optional<std::vector<Tensor>> {
      return next < samples.size() ? std::optional(samples[next++]) : std::nullopt;
    };
  };
}

/// A folder of the running test that disappears with it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::temp_directory_path() /
            (std::string("intact-") + test->test_suite_name() + "-" + test->name() + "-" +
             std::to_string(::getpid()));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline std::vector<char> file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What is asked for where a test is not about accuracy.
constexpr double any_sqnr_db = -1000;

/// A float model and its quantized twin, in files. Without a goal of the options any accuracy will
/// do, so that nothing stays float for its sake.
struct Pair {
  TemporaryFolder folder;
  QuantizeReport report;

  Pair(const Graph& model, const Samples& samples, QuantizeOptions options = {}) {
    if (!options.target_sqnr_db && !options.max_drop) options.target_sqnr_db = any_sqnr_db;
    save_onnx(model, float_path());
    report = quantize_static(float_path(), int8_path(), data_of(samples), options);
  }
  std::filesystem::path float_path() const { return folder / "float.onnx"; }
  std::filesystem::path int8_path() const { return folder / "int8.onnx"; }
  Graph graph() const { return load_onnx(int8_path()); }
};

inline std::size_t count(const Graph& graph, const std::string& op) {
  return static_cast<std::size_t>(std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                                [&](const Node& node) { return node.op == op; }));
}

inline const Node& node_named(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes)
    if (node.name == name) return node;
  throw Error("the test's graph has no node " + name);
}

/// The node that writes an input; null for graph inputs and initializers.
inline const Node* writer(const Graph& graph, ValueId id) {
  for (const Node& node : graph.nodes)
    for (const ValueId output : node.outputs)
      if (output == id) return &node;
  return nullptr;
}

inline std::string kept_reason(const QuantizeReport& report, const std::string& name) {
  for (const auto& [node, reason] : report.kept_float)
    if (node == name) return reason;
  return "";
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.data<float>().size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a.data<float>()[i]) -
                                         static_cast<double>(b.data<float>()[i])));
  return largest;
}

/// Runs both on the samples; the quantized one has to stay within `bound`.
inline void expect_close(const Pair& pair, const Samples& samples, double bound) {
  const Session real = Session::load(pair.float_path()), integer = Session::load(pair.int8_path());
  for (const auto& sample : samples) {
    const auto expected = real.run(sample), given = integer.run(sample);
    ASSERT_EQ(expected.size(), given.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(expected[i].shape(), given[i].shape());
      EXPECT_LE(largest_difference(expected[i], given[i]), bound);
    }
  }
}

/// The same, and the quantized one has to stay in integers throughout.
inline void expect_integer_and_close(const Pair& pair, const Samples& samples, double bound) {
  const Session integer = Session::load(pair.int8_path());
  std::vector<Shape> shapes;
  for (const Tensor& input : samples.at(0)) shapes.push_back(input.shape());
  const Flow flow = integer.flow(shapes);
  EXPECT_EQ(flow.float_round_trips, 0);
  // A float graph output may still have to change its memory order.
  for (const FlowNode& node : flow.nodes)
    EXPECT_TRUE(node.precision != "float" || node.op == "Layout")
        << node.name << " (" << node.op << "): " << node.reason;
  expect_close(pair, samples, bound);
}

/// A float model and its dynamically quantized twin, in files.
struct DynamicPair {
  TemporaryFolder folder;
  QuantizeReport report;

  explicit DynamicPair(const Graph& model, const QuantizeOptions& options = {},
                       const CalibrationData& samples = {}) {
    save_onnx(model, float_path());
    report = quantize_dynamic(float_path(), int8_path(), options, samples);
  }
  std::filesystem::path float_path() const { return folder / "float.onnx"; }
  std::filesystem::path int8_path() const { return folder / "int8.onnx"; }
  Graph graph() const { return load_onnx(int8_path()); }

  /// The largest difference of the outputs, as a share of the largest number.
  double difference(const std::vector<Tensor>& inputs) const {
    const auto expected = Session::load(float_path()).run(inputs);
    const auto given = Session::load(int8_path()).run(inputs);
    double largest = 0, magnitude = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(expected[i].shape(), given[i].shape());
      largest = std::max(largest, largest_difference(expected[i], given[i]));
      for (const float x : expected[i].data<float>())
        magnitude = std::max(magnitude, static_cast<double>(std::abs(x)));
    }
    return largest / magnitude;
  }
};

}  // namespace intact::testing
