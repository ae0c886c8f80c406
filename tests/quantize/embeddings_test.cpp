// Embeddings: tables of bytes in the file, on the grid of what reads their rows, or with scales of
// their own.
#include <gtest/gtest.h>

#include "quantized.hpp"

namespace intact::testing {
namespace {

constexpr std::int64_t rows = 60, width = 16;

Tensor positions(std::int64_t offset) {
  Tensor result(ElementType::s64, {2, 9});
  for (std::int64_t i = 0; i < result.size(); ++i)
    result.data<std::int64_t>()[static_cast<std::size_t>(i)] = (offset + i * 7) % rows;
  return result;
}

Samples look_ups() {
  Samples samples;
  for (std::int64_t i = 0; i < 4; ++i) samples.push_back({positions(i)});
  return samples;
}

/// Columns of different sizes.
Tensor words() {
  Tensor table = random_floats({rows, width}, 1);
  for (std::size_t i = 0; i < table.data<float>().size(); ++i)
    table.data<float>()[i] *= i % 16 == 3 ? 8.0f : 0.5f;
  return table;
}

/// Normalized words in front of a product.
Graph normalized(ModelBuilder& b) {
  const ValueId x = b.input("x", ElementType::s64, {-1, 9});
  const ValueId rows_of = b.node("Gather", "words", {b.constant("table", words()), x});
  const ValueId y = b.node("LayerNormalization", "norm",
                           {rows_of, b.constant("gamma", random_floats({width}, 2, 0.5f, 1.5f)),
                            b.constant("beta", random_floats({width}, 3))});
  return b.build({b.node("MatMul", "product",
                         {y, b.constant("w", random_floats({width, 8}, 4, -0.3f, 0.3f))})});
}

/// Gather of bytes, then DequantizeLinear with one scale per column.
void expect_bytes_of_columns(const Graph& quantized) {
  const Node& gather = node_named(quantized, "words");
  const Value& table = quantized.value(gather.inputs[0]);
  EXPECT_EQ(table.constant.type(), ElementType::s8);
  EXPECT_EQ(table.constant.shape(), (Shape{rows, width}));
  const Node& dequantize = node_named(quantized, "words/dequantize");
  EXPECT_EQ(dequantize.op, "DequantizeLinear");
  EXPECT_EQ(dequantize.inputs[0], gather.outputs[0]);
  EXPECT_EQ(dequantize.attributes.integer("axis", 1), 2);
  EXPECT_EQ(quantized.value(dequantize.inputs[1]).constant.shape(), Shape{width});
}

std::string precision_of(const std::filesystem::path& path, const std::string& name) {
  const Flow flow = Session::load(path).flow(std::vector<Shape>{{2, 9}});
  for (const FlowNode& node : flow.nodes)
    if (node.name == name) return node.precision;
  return "absent";
}

TEST(QuantizeEmbeddings, StaticWithScalesOfColumns) {
  ModelBuilder b(17);
  const Pair pair(normalized(b), look_ups());
  expect_bytes_of_columns(pair.graph());
  EXPECT_EQ(pair.report.quantized, (std::vector<std::string>{"words", "norm", "product"}));
  EXPECT_EQ(precision_of(pair.int8_path(), "words"), "int8");
  expect_close(pair, look_ups(), 0.1);
}

TEST(QuantizeEmbeddings, DynamicWithScalesOfColumns) {
  ModelBuilder b(17);
  const DynamicPair pair(normalized(b));
  expect_bytes_of_columns(pair.graph());
  EXPECT_EQ(pair.report.quantized, (std::vector<std::string>{"words", "product"}));
  EXPECT_EQ(precision_of(pair.int8_path(), "words"), "int8");
  EXPECT_LT(pair.difference({positions(5)}), 0.05);
}

TEST(QuantizeEmbeddings, DynamicWithSamples) {
  ModelBuilder b(17);
  const DynamicPair pair(normalized(b), {}, data_of(look_ups()));
  expect_bytes_of_columns(pair.graph());
  EXPECT_LT(pair.difference({positions(5)}), 0.05);
}

TEST(QuantizeEmbeddings, OneScale) {
  ModelBuilder b(17);
  QuantizeOptions options;
  options.per_channel = false;
  const DynamicPair pair(normalized(b), options);
  const Graph quantized = pair.graph();
  const Node& dequantize = node_named(quantized, "words/dequantize");
  EXPECT_EQ(quantized.value(dequantize.inputs[1]).constant.size(), 1);
  EXPECT_EQ(precision_of(pair.int8_path(), "words"), "int8");
}

TEST(QuantizeEmbeddings, ExcludedStaysFloat) {
  ModelBuilder b(17);
  QuantizeOptions options;
  options.exclude = {"op:Gather"};
  const DynamicPair pair(normalized(b), options);
  EXPECT_EQ(kept_reason(pair.report, "words"), "excluded");
  const Graph quantized = pair.graph();
  EXPECT_EQ(quantized.value(node_named(quantized, "words").inputs[0]).constant.type(),
            ElementType::f32);
}

/// A product, and a Transpose in front of one, have grids for the rows that they read.
TEST(QuantizeEmbeddings, RowsLieOnTheGridOfTheirReaders) {
  ModelBuilder b;
  const ValueId x = b.input("x", ElementType::s64, {-1, 9});
  const ValueId rows_of =
      b.node("Gather", "words", {b.constant("table", random_floats({rows, width}, 1)), x});
  const ValueId moved =
      b.node("Transpose", "channels", {rows_of}, {{"perm", std::vector<std::int64_t>{0, 2, 1}}});
  const ValueId conv = b.node(
      "Conv", "conv", {moved, b.constant("k", random_floats({4, width, 3}, 2, -0.1f, 0.1f))});
  const ValueId product = b.node(
      "MatMul", "product", {rows_of, b.constant("w", random_floats({width, 8}, 4, -0.2f, 0.2f))});
  const Pair pair(b.build({conv, product}), look_ups());
  const Graph quantized = pair.graph();
  const Node& table = *writer(quantized, node_named(quantized, "words").inputs[0]);
  EXPECT_EQ(quantized.value(table.inputs[0]).constant.type(), ElementType::u8);
  EXPECT_TRUE(pair.report.kept_float.empty());
  expect_integer_and_close(pair, look_ups(), 0.1);
}

/// One sum of floats, which nothing else reads, gains nothing from a grid of the rows.
TEST(QuantizeEmbeddings, TwoReadersHaveOneTable) {
  ModelBuilder b(17);
  const ValueId x = b.input("x", ElementType::s64, {-1, 9});
  const ValueId y = b.input("y", ElementType::s64, {-1, 9});
  const ValueId table = b.constant("table", words());
  const ValueId sum = b.node(
      "Add", "sum", {b.node("Gather", "left", {table, x}), b.node("Gather", "right", {table, y})});
  const DynamicPair pair(b.build({sum}));
  const Graph quantized = pair.graph();
  EXPECT_EQ(node_named(quantized, "left").inputs[0], node_named(quantized, "right").inputs[0]);
  EXPECT_LT(pair.difference({positions(1), positions(4)}), 0.01);
}

TEST(QuantizeEmbeddings, SmallTablesStayFloat) {
  ModelBuilder b;
  const ValueId x = b.input("x", ElementType::s64, {-1, 9});
  const ValueId rows_of =
      b.node("Gather", "words", {b.constant("table", random_floats({4, width}, 1)), x});
  const ValueId wide =
      b.node("MatMul", "wide", {rows_of, b.constant("w", random_floats({width, 1000}, 4))});
  const DynamicPair pair(b.build({wide}));
  const Graph quantized = pair.graph();
  EXPECT_EQ(quantized.value(node_named(quantized, "words").inputs[0]).constant.type(),
            ElementType::f32);
}

}  // namespace
}  // namespace intact::testing
