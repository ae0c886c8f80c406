// Dynamically quantized models: DynamicQuantizeLinear, ConvInteger and MatMulInteger on bytes.
#include <algorithm>
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
Dynamic dynamic_quantize(ModelBuilder& b, ValueId x, const std::string& name = "q") {
  const ValueId bytes = b.node("DynamicQuantizeLinear", name, {x}, {}, "", 3);
  return {bytes, bytes + 1, bytes + 2};
}

/// The chain that exporters write: integer product, Cast, product of the scales, bias, Relu. The
/// names end with `suffix`; without `scale` it is one number for all channels.
ValueId dequantized(ModelBuilder& b, const std::string& op, const Dynamic& x, ValueId weights,
                    ValueId zero_point, ValueId bias, const AttributeList& attributes = {},
                    ValueId weight_scale = no_value, const std::string& suffix = "") {
  std::vector<ValueId> inputs = {x.bytes, weights, x.zero_point};
  if (zero_point != no_value) inputs.push_back(zero_point);
  if (weight_scale == no_value) weight_scale = b.scalar("ws" + suffix, 0.013f);
  const ValueId scale = b.node("Mul", "scales" + suffix, {x.scale, weight_scale});
  const ValueId sums = b.node(op, "product" + suffix, inputs, attributes);
  const ValueId cast = b.node("Cast", "cast" + suffix, {sums}, {{"to", std::int64_t{1}}});
  const ValueId scaled = b.node("Mul", "scaled" + suffix, {cast, scale});
  return b.node("Relu", "relu" + suffix, {b.node("Add", "bias" + suffix, {scaled, bias})});
}

/// Steps other than changes of the memory order.
std::vector<std::string> computing(const Flow& flow) {
  std::vector<std::string> result = operators_of(flow);
  std::erase(result, "Layout");
  return result;
}

/// DynamicQuantizeLinear and one kernel for everything behind it.
void expect_one_kernel(const Flow& flow, const std::string& op) {
  EXPECT_EQ(computing(flow),
            (std::vector<std::string>{"DynamicQuantizeLinear", op + "+Cast+Mul+Add+Relu"}));
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

TEST(Dynamic, ScalesPerChannel) {
  ModelBuilder b;
  const Dynamic x = dynamic_quantize(b, b.input("x", ElementType::f32, {1, 6, 7, 9}));
  const ValueId w = b.constant("w", random_integers<std::int8_t>({18, 6, 3, 3}, 3));
  const ValueId bias = b.constant("b", random_floats({18, 1, 1}, 5));
  const ValueId scales = b.constant("ws", random_floats({18, 1, 1}, 7, 0.01f, 0.02f));
  const Graph graph = b.build({dequantized(b, "ConvInteger", x, w, no_value, bias, {}, scales)});
  expect_one_kernel(expect_consistent(graph, {random_floats({1, 6, 7, 9}, 6)}, 0), "ConvInteger");
  ModelBuilder m;
  const Dynamic y = dynamic_quantize(m, m.input("x", ElementType::f32, {5, 37}));
  const Graph product = m.build({dequantized(
      m, "MatMulInteger", y, m.constant("w", random_integers<std::int8_t>({37, 19}, 3)), no_value,
      m.constant("b", random_floats({1, 19}, 5)), {},
      m.constant("ws", random_floats({19}, 7, 0.01f, 0.02f)))});
  expect_one_kernel(expect_consistent(product, {random_floats({5, 37}, 6)}, 0), "MatMulInteger");
}

/// A product whose result is quantized again: its range is found where it is computed.
struct TwoProducts {
  ModelBuilder b;
  std::int64_t channels;
  ValueId between = no_value;  ///< the floats
  ValueId result = no_value;

  explicit TwoProducts(std::int64_t count, std::int64_t groups = 1) : channels(count) {
    const Dynamic x = dynamic_quantize(b, b.input("x", ElementType::f32, {2, channels, 7, 9}));
    between = product(x, groups, "1");
    result = product(dynamic_quantize(b, between, "q2"), 1, "2");
  }
  ValueId product(const Dynamic& x, std::int64_t groups, const std::string& suffix) {
    const std::int64_t size = groups == 1 ? 1 : 3;
    const Shape shape = {channels, channels / groups, size, size};
    const ValueId w = b.constant("w" + suffix, random_integers<std::int8_t>(shape, 3));
    const ValueId bias = b.constant("b" + suffix, random_floats({1, channels, 1, 1}, 5));
    return dequantized(b, "ConvInteger", x, w, no_value, bias,
                       {{"group", groups}, {"pads", std::vector<std::int64_t>(4, size / 2)}},
                       no_value, suffix);
  }
  Flow check(const std::vector<ValueId>& outputs) {
    return expect_consistent(b.build(outputs), {random_floats({2, channels, 7, 9}, 6)}, 0);
  }
};
const std::string conv_op = "ConvInteger+Cast+Mul+Add+Relu";
const std::string rounded_op = conv_op + "+DynamicQuantizeLinear";

TEST(Dynamic, RangeOfFewProductsIsComputedTwice) {
  for (const std::int64_t groups : {std::int64_t{1}, std::int64_t{20}}) {
    TwoProducts two(20, groups);
    const Flow flow = two.check({two.result});
    EXPECT_EQ(computing(flow),
              (std::vector<std::string>{"DynamicQuantizeLinear", rounded_op, conv_op}));
    EXPECT_EQ(flow.float_round_trips, 0);
    EXPECT_EQ(flow.int8_macs, flow.total_macs);
  }
}

TEST(Dynamic, FloatsOfManyProductsAreStored) {
  TwoProducts two(70);
  const Flow flow = two.check({two.result});
  EXPECT_EQ(count_of(flow, rounded_op), 1);
  EXPECT_EQ(flow.float_round_trips, 1);
}

TEST(Dynamic, FloatsThatOthersReadAreStored) {
  TwoProducts output(20);
  EXPECT_EQ(count_of(output.check({output.between, output.result}), rounded_op), 1);
  TwoProducts added(20);
  const ValueId sum = added.b.node("Add", "sum", {added.between, added.result});
  EXPECT_EQ(count_of(added.check({sum}), rounded_op), 1);
  TwoProducts twice(20);
  const Dynamic again = dynamic_quantize(twice.b, twice.between, "q3");
  const ValueId other = twice.product(again, 1, "3");
  EXPECT_EQ(count_of(twice.check({twice.result, other}), rounded_op), 1);
}

TEST(Dynamic, ErrorsOfFusedRangesNameTheOperator) {
  ModelBuilder b;
  const Dynamic x = dynamic_quantize(b, b.input("x", ElementType::f32, {1, 4}));
  Tensor ones(ElementType::s8, {4, 4});
  std::ranges::fill(ones.data<std::int8_t>(), std::int8_t{1});
  const ValueId w = b.constant("w", ones);
  const ValueId y =
      dequantized(b, "MatMulInteger", x, w, no_value,
                  b.constant("b", floats({4}, {0, 3e38f, 0, 0})), {}, b.scalar("ws", 1e38f));
  const Session session = session_of(b.build({dynamic_quantize(b, y, "second").scale}), 2);
  const std::string error = error_of([&] {
    session.run(std::vector{floats({1, 4}, {1, 2, -1, 1e3f})});
  });
  EXPECT_EQ(error.substr(0, 30), "'second': the values reach fro") << error;
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
