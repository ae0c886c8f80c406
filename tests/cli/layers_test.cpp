// Models side by side, tensor by tensor.
#include "tools/layers.hpp"

#include <gtest/gtest.h>

#include "graph/onnx/onnx.hpp"
#include "run_program.hpp"
#include "tests/graph/model_builder.hpp"

namespace intact::testing {
namespace {

using tools::LayerComparison, tools::TemporaryFolder, tools::TensorNoise;

/// Two products; the first output channel of the first is multiplied by `factor` and the weights
/// that read it divided, the second product's first weight is `off` more.
Graph two_products(float factor, float off) {
  ModelBuilder model(17);
  Tensor first = random_floats({4, 4}, 1), second = random_floats({4, 4}, 2);
  for (std::size_t i = 0; i < 4; ++i) first.data<float>()[i * 4] *= factor;
  for (std::size_t i = 0; i < 4; ++i) second.data<float>()[i] /= factor;
  second.data<float>()[5] += off;
  const ValueId x = model.input("x", ElementType::f32, {3, 4});
  const ValueId y = model.node("MatMul", "first", {x, model.constant("a", first)});
  const ValueId z = model.node("MatMul", "second", {y, model.constant("b", second)});
  return model.build({model.node("Relu", "relu", {z})});
}

std::vector<TensorNoise> compared(const Graph& graph, const Graph& twin) {
  const TemporaryFolder folder;
  save_onnx(graph, folder / "float.onnx");
  save_onnx(twin, folder / "int8.onnx");
  LayerComparison comparison(folder / "float.onnx", folder / "int8.onnx", {});
  for (unsigned i = 0; i < 3; ++i) comparison.add(std::vector{random_floats({3, 4}, 10 + i)});
  return comparison.result();
}

TEST(Layers, TheFirstLargeErrorIsWhereItArises) {
  const auto layers = compared(two_products(1, 0), two_products(1, 3));
  ASSERT_EQ(layers.size(), 3U);
  EXPECT_EQ(layers[0].name, "first.0");
  EXPECT_TRUE(std::isinf(layers[0].sqnr_db));
  const TensorNoise* first = tools::first_large_error(layers);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->node, "second");
  EXPECT_EQ(first->op, "MatMul");
  EXPECT_EQ(tools::first_large_error(std::span(layers).first(1)), nullptr);
}

TEST(Layers, FactorsOfChannelsAreNoErrorWhereTheModelNamesThem) {
  Graph twin = two_products(8, 0);
  EXPECT_LT(compared(two_products(1, 0), twin)[0].sqnr_db, 0);
  twin.metadata["intact.scaled_channels"] = "1 first.0\n";
  const auto layers = compared(two_products(1, 0), twin);
  EXPECT_TRUE(layers[0].scaled);
  EXPECT_GT(layers[0].sqnr_db, 100);
  EXPECT_GT(layers[1].sqnr_db, 100);
}

}  // namespace
}  // namespace intact::testing
