// Dynamically quantized models: DynamicQuantizeLinear, ConvInteger and MatMulInteger on bytes.
#include <limits>

#include "intact/error.hpp"
#include "model_run.hpp"
#include "tests/graph/evaluate.hpp"

namespace intact::testing {
namespace {

/// DynamicQuantizeLinear "q": the bytes; scale and zero point are the two values behind it.
struct Dynamic {
  ValueId bytes, scale, zero_point;
};
Dynamic dynamic_quantize(ModelBuilder& b, ValueId x) {
  const ValueId bytes = b.node("DynamicQuantizeLinear", "q", {x}, {}, "", 3);
  return {bytes, bytes + 1, bytes + 2};
}

/// The chain that exporters write: integer product, Cast, product of the scales, bias.
ValueId dequantized(ModelBuilder& b, const std::string& op, const Dynamic& x, ValueId weights,
                    ValueId zero_point, ValueId bias, const AttributeList& attributes = {}) {
  std::vector<ValueId> inputs = {x.bytes, weights, x.zero_point};
  if (zero_point != no_value) inputs.push_back(zero_point);
  const ValueId scale = b.node("Mul", "scales", {x.scale, b.scalar("ws", 0.013f)});
  const ValueId sums = b.node(op, "product", inputs, attributes);
  const ValueId cast = b.node("Cast", "cast", {sums}, {{"to", std::int64_t{1}}});
  const ValueId y = b.node("Add", "bias", {b.node("Mul", "scaled", {cast, scale}), bias});
  return b.node("Relu", "relu", {y});
}

/// The product, its scale, the bias and Relu are one step; nothing is left to the reference
/// evaluation.
void expect_one_kernel(const Flow& flow, const std::string& op) {
  EXPECT_EQ(count_of(flow, op + "+Cast+Mul+Add+Relu"), 1);
  EXPECT_EQ(flow.int8_macs, flow.total_macs);
  EXPECT_GT(flow.total_macs, 0);
  for (const FlowNode& node : flow.nodes) EXPECT_NE(node.kernel, "reference") << node.name;
}

template <class T>
void check_matmul(bool per_column_zero_point) {
  ModelBuilder b;
  const Dynamic x = dynamic_quantize(b, b.input("x", ElementType::f32, {2, 5, 37}));
  const ValueId w = b.constant("w", random_integers<T>({37, 19}, 3));
  const ValueId z = per_column_zero_point ? b.constant("wz", random_integers<T>({19}, 4))
                                          : b.scalar<T>("wz", T{7});
  const ValueId bias = b.constant("b", random_floats({19}, 5));
  const Graph graph = b.build({dequantized(b, "MatMulInteger", x, w, z, bias)});
  for (const float low : {-1.5f, 0.25f, -3.0f})  // zero points in the middle and at either end
    expect_one_kernel(expect_consistent(graph, {random_floats({2, 5, 37}, 6, low, low + 2.5f)}, 0),
                      "MatMulInteger");
}

TEST(Dynamic, MatMulOfSignedWeights) {
  check_matmul<std::int8_t>(false);
  check_matmul<std::int8_t>(true);
}
TEST(Dynamic, MatMulOfUnsignedWeights) {
  check_matmul<std::uint8_t>(false);
  check_matmul<std::uint8_t>(true);
}

TEST(Dynamic, Convolutions) {
  struct Kind {
    Shape weights;
    std::int64_t groups, pad;
  };
  for (const Kind& kind : {Kind{{18, 6, 3, 3}, 1, 1}, Kind{{6, 1, 3, 3}, 6, 1},
                           Kind{{12, 6, 1, 1}, 1, 0}, Kind{{12, 2, 3, 3}, 3, 2}}) {
    ModelBuilder b;
    const Dynamic x = dynamic_quantize(b, b.input("x", ElementType::f32, {2, 6, 7, 9}));
    const ValueId w = b.constant("w", random_integers<std::int8_t>(kind.weights, 3));
    const ValueId bias = b.constant("b", random_floats({1, kind.weights[0], 1, 1}, 5));
    const std::vector<std::int64_t> pads(4, kind.pad);
    const Graph graph = b.build({dequantized(b, "ConvInteger", x, w, no_value, bias,
                                             {{"group", kind.groups}, {"pads", pads}})});
    expect_one_kernel(expect_consistent(graph, {random_floats({2, 6, 7, 9}, 6)}, 0), "ConvInteger");
  }
}

TEST(Dynamic, ZerosGetScaleOne) {
  ModelBuilder b;
  const Dynamic x = dynamic_quantize(b, b.input("x", ElementType::f32, {3, 5}));
  b.graph().value(x.bytes).type = ElementType::u8;
  b.graph().value(x.zero_point).type = ElementType::u8;
  const Graph graph = b.build({x.bytes, x.scale, x.zero_point});
  const Tensors outputs = session_of(graph, 2).run(std::vector{random_floats({3, 5}, 1, 0, 0)});
  EXPECT_EQ(values_of<float>(outputs[1])[0], 1.0f);
  EXPECT_EQ(values_of<std::uint8_t>(outputs[2])[0], 0);
  expect_identical(outputs, reference_of(graph).run(std::vector{random_floats({3, 5}, 1, 0, 0)}),
                   "zeros");
}

TEST(Dynamic, InfinitiesAreRefused) {
  ModelBuilder b;
  const Dynamic x = dynamic_quantize(b, b.input("x", ElementType::f32, {3}));
  b.graph().value(x.bytes).type = ElementType::u8;
  const Session session = session_of(b.build({x.bytes}), 2);
  const Tensor bad = floats({3}, {1, -std::numeric_limits<float>::infinity(), 2});
  EXPECT_EQ(
      error_of([&] { session.run(std::vector{bad}); }),
      "'q': the values reach from -inf to 2, which no 8-bit grid covers; they must be finite");
}

}  // namespace
}  // namespace intact::testing
