// Published models in canonical form. Skipped when the test data is not there.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "canonical.hpp"
#include "graph/onnx/onnx.hpp"
#include "intact/error.hpp"
#include "model_builder.hpp"
#include "tests/test_data.hpp"

namespace intact::testing {
namespace {

std::filesystem::path model_path(const std::string& name) {
  return test_data("models/" + name);
}

int count(const Graph& graph, const std::string& op) {
  int result = 0;
  for (const Node& node : graph.nodes) result += node.op == op;
  return result;
}

class QuantizedModel : public ::testing::TestWithParam<const char*> {};

TEST_P(QuantizedModel, EveryConvolutionReadsGrids) {
  const auto path = model_path(GetParam());
  if (const auto why = why_missing(path); !why.empty()) GTEST_SKIP() << why;
  const Graph graph = canonical(load_onnx(path));
  EXPECT_EQ(count(graph, "Conv"), 52);
  EXPECT_EQ(count(graph, "Round"), 65);
  EXPECT_EQ(count(graph, "Bytes") + count(graph, "FromBytes"), 0);
  EXPECT_LT(graph.nodes.size(), 140u);
  for (const Node& node : graph.nodes) {
    if (!node.is("Conv")) continue;
    EXPECT_TRUE(graph.value(node.inputs[0]).grid.has_value()) << node.name;
    EXPECT_TRUE(graph.value(node.inputs[1]).grid.has_value()) << node.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, QuantizedModel,
                         ::testing::Values("mobilenetv2-12-qdq.onnx",
                                           "mobilenetv2-12-qoperator.onnx",
                                           "mobilenetv2-tv-qdq-perchannel.onnx"));

TEST(RealModels, CanonicalFormAccountsForEveryNode) {
  if (const auto why = why_missing(model_path("")); !why.empty()) GTEST_SKIP() << why;
  for (const auto& entry : std::filesystem::directory_iterator(model_path(""))) {
    if (entry.path().extension() != ".onnx") continue;
    SCOPED_TRACE(entry.path().string());
    const Graph raw = load_onnx(entry.path());
    const Graph graph = canonical(raw);
    EXPECT_LE(graph.nodes.size(), raw.nodes.size() + raw.nodes.size() / 2);
    EXPECT_EQ(count(graph, "Constant"), 0);
  }
}

TEST(RealModels, CanonicalFormAndExportKeepTheMeaning) {
  struct Model {
    const char* name;
    Shape input;
    double tolerance;
  };
  for (const Model& model : {Model{"mnist-cntk.onnx", {1, 1, 28, 28}, 1e-3},
                             Model{"resnet8_cifar10.onnx", {1, 3, 32, 32}, 1e-5}}) {
    const auto path = model_path(model.name);
    if (const auto why = why_missing(path); !why.empty()) GTEST_SKIP() << why;
    SCOPED_TRACE(model.name);
    const Graph raw = load_onnx(path);
    const Graph graph = canonical(raw);
    const std::vector<Tensor> inputs = {random_floats(model.input, 1, 0, 255)};
    const std::vector<Tensor> wanted = interpret(raw, inputs);
    expect_close(wanted, interpret(graph, inputs), model.tolerance);
    expect_close(wanted, interpret(parse_onnx(serialize_onnx(graph)), inputs), model.tolerance);
  }
}

TEST(RealModels, ExportedModelsHaveTheSameCanonicalForm) {
  if (const auto why = why_missing(model_path("")); !why.empty()) GTEST_SKIP() << why;
  for (const char* name : {"mobilenetv2-12-qdq.onnx", "mobilenetv2-12-qoperator.onnx",
                           "mobilenetv2-tv-qdq-perchannel.onnx"}) {
    SCOPED_TRACE(name);
    const Graph graph = canonical(load_onnx(model_path(name)));
    const Graph again = canonical(parse_onnx(serialize_onnx(graph)));
    ASSERT_EQ(operators(graph), operators(again));
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      EXPECT_EQ(graph.nodes[i].name, again.nodes[i].name);
      EXPECT_EQ(graph.nodes[i].grid, again.nodes[i].grid);
    }
    EXPECT_EQ(graph.value(graph.outputs[0]).name, again.value(again.outputs[0]).name);
  }
}

}  // namespace
}  // namespace intact::testing
