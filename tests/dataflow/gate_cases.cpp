// Gates. Of two halves: products whose channels are taken apart without a Round in between, as are
// queries, keys and values; each part is a product of its own. Of channels: squeeze-and-excite with
// Rounds at some places only; its vectors stay inside of one step.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using Integers = std::vector<std::int64_t>;

ValueId ints(ModelBuilder& b, const std::string& name, const Integers& values) {
  return b.vector<std::int64_t>(name, values);
}

/// A product without a Round: its result, the axis of its 32 channels, and the input.
struct Whole {
  ValueId y;
  std::int64_t axis;
  Tensor input;
};

struct Product {
  const char* name;
  Whole (*make)(ModelBuilder&);
};

Whole convolution(ModelBuilder& b) {
  const Shape shape = {2, 8, 6, 10};
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.0213f, std::uint8_t{117});
  const ValueId y =
      b.node("Conv", "conv",
             {x, grid_weights(b, "w", {32, 8, 3, 3}), b.constant("bias", random_floats({32}, 2))},
             {{"pads", Integers{1, 1, 1, 1}}});
  return {y, 1, random_integers<std::uint8_t>(shape, 3)};
}

Whole scaled_per_channel(ModelBuilder& b) {
  const Shape shape = {2, 8, 20};
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::s8, shape), 0.0213f, std::int8_t{-5});
  const ValueId integers = b.constant("w", random_integers<std::int8_t>({32, 8, 1}, 7));
  const ValueId w = b.node("DequantizeLinear", "w.dq",
                           {integers, b.constant("w.s", random_floats({32}, 4, 0.005f, 0.015f)),
                            b.constant("w.z", Tensor(ElementType::s8, {32}))},
                           {{"axis", std::int64_t{0}}});
  const ValueId y = b.node("Conv", "conv", {x, w});
  return {y, 1, random_integers<std::int8_t>(shape, 3)};
}

Whole matrix(ModelBuilder& b) {
  const Shape shape = {2, 7, 16};
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.0213f, std::uint8_t{117});
  const ValueId y = b.node("MatMul", "product", {x, grid_weights(b, "w", {16, 32})});
  return {b.node("Add", "add", {b.constant("bias", random_floats({32}, 2)), y}), 2,
          random_integers<std::uint8_t>(shape, 3)};
}

Whole gemm(ModelBuilder& b) {
  const Shape shape = {7, 16};
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.0213f, std::uint8_t{117});
  const ValueId y =
      b.node("Gemm", "product",
             {x, grid_weights(b, "w", {32, 16}), b.constant("bias", random_floats({32}, 2))},
             {{"transB", std::int64_t{1}}});
  return {y, -1, random_integers<std::uint8_t>(shape, 3)};
}

constexpr Product products[] = {{"convolution", convolution},
                                {"scaled_per_channel", scaled_per_channel},
                                {"matrix", matrix},
                                {"gemm", gemm}};

/// Two halves, or more parts, of the channels.
std::vector<ValueId> split(ModelBuilder& b, const Whole& whole, const Integers& extents) {
  const auto count = static_cast<int>(extents.size());
  const ValueId first = b.node("Split", "split", {whole.y, ints(b, "extents", extents)},
                               {{"axis", whole.axis}}, "", count);
  std::vector<ValueId> parts;
  for (int i = 0; i < count; ++i) parts.push_back(first + i);
  return parts;
}
ValueId slice(ModelBuilder& b, const std::string& name, const Whole& whole, std::int64_t begin,
              std::int64_t end) {
  return b.node("Slice", name,
                {whole.y, ints(b, name + ".from", {begin}), ints(b, name + ".to", {end}),
                 ints(b, name + ".axis", {whole.axis})});
}

FoldModel gated(ModelBuilder& b, ValueId a, ValueId gate, const Whole& whole) {
  const ValueId y = b.node("Mul", "mul", {a, b.node("Sigmoid", "sigmoid", {gate})});
  return {{b.round("q", y, 0.0119f, std::uint8_t{117})}, {whole.input}};
}
FoldModel glu(ModelBuilder& b, const Product& product) {
  const Whole whole = product.make(b);
  const auto parts = split(b, whole, {16, 16});
  return gated(b, parts[0], parts[1], whole);
}
FoldModel glu_of_slices(ModelBuilder& b, const Product& product) {
  const Whole whole = product.make(b);
  return gated(b, slice(b, "front", whole, 0, 16), slice(b, "back", whole, 16, 1 << 30), whole);
}
FoldModel tanh_times_sigmoid(ModelBuilder& b, const Product& product) {
  const Whole whole = product.make(b);
  const auto parts = split(b, whole, {16, 16});
  return gated(b, b.node("Tanh", "tanh", {parts[0]}), parts[1], whole);
}
FoldModel activated_before(ModelBuilder& b, const Product& product) {
  Whole whole = product.make(b);
  whole.y = b.node("Mul", "silu", {whole.y, b.node("Sigmoid", "inner", {whole.y})});
  const auto parts = split(b, whole, {8, 24});
  return {{b.round("p", parts[0], 0.0231f, std::uint8_t{113}),
           b.round("q", parts[1], 0.0119f, std::int8_t{-7})},
          {whole.input}};
}
FoldModel three_parts(ModelBuilder& b, const Product& product) {
  const Whole whole = product.make(b);
  const auto parts = split(b, whole, {8, 8, 16});
  return {{b.round("p", parts[0], 0.0231f, std::uint8_t{113}),
           b.round("q", parts[1], 0.0231f, std::uint8_t{113}),
           b.round("r", b.node("Relu", "relu", {parts[2]}), 0.0119f, std::uint8_t{0})},
          {whole.input}};
}
/// The whole is a graph output as well: it stays one product.
FoldModel whole_is_read(ModelBuilder& b, const Product& product) {
  const Whole whole = product.make(b);
  const auto parts = split(b, whole, {16, 16});
  return {{whole.y, b.round("p", parts[0], 0.0231f, std::uint8_t{113}),
           b.round("q", parts[1], 0.0231f, std::uint8_t{113})},
          {whole.input}};
}

struct Gate {
  const char* name;
  FoldModel (*build)(ModelBuilder&, const Product&);
};
constexpr Gate gates[] = {{"glu", glu},
                          {"glu_of_slices", glu_of_slices},
                          {"tanh_times_sigmoid", tanh_times_sigmoid},
                          {"activated_before", activated_before},
                          {"three_parts", three_parts},
                          {"whole_is_read", whole_is_read}};

/// Where a squeeze-and-excite has Rounds: bit 0 behind what it scales, then behind the mean, the
/// first product, the second one, and the gate; last, in front of the activation of what it scales.
constexpr int inner_rounds = 1 << 5, round_before_activation = inner_rounds;

struct Squeeze {
  const char* name;
  const char* mean;        ///< the operator
  const char* activation;  ///< behind the first product
  const char* gate;
  bool depthwise = false;
};
constexpr Squeeze squeezes[] = {{"mobile", "ReduceMean", "Relu", "HardSigmoid", true},
                                {"efficient", "GlobalAveragePool", "HardSwish", "Sigmoid"}};

ValueId mean_of(ModelBuilder& b, const char* op, ValueId x) {
  if (std::string(op) == "GlobalAveragePool") return b.node(op, "squeeze", {x});
  return b.node(op, "squeeze", {x}, {{"axes", Integers{2, 3}}});
}

FoldModel squeeze_and_excite(ModelBuilder& b, const Squeeze& squeeze, int rounds) {
  const Shape shape = {2, 24, 6, 7};
  const auto rounded = [&](int position, ValueId x, float scale, std::uint8_t zero_point) {
    return (rounds >> position & 1) != 0
               ? b.round("r" + std::to_string(position), x, scale, zero_point)
               : x;
  };
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.0213f, std::uint8_t{117});
  const ValueId conv =
      squeeze.depthwise ? b.node("Conv", "conv", {x, grid_weights(b, "w", {24, 1, 3, 3}, 1, 0.02f)},
                                 {{"pads", Integers{1, 1, 1, 1}}, {"group", std::int64_t{24}}})
                        : b.node("Conv", "conv", {x, grid_weights(b, "w", {24, 24, 1, 1})});
  const ValueId convolved = rounded(5, conv, 0.023f, std::uint8_t{113});
  const ValueId y =
      rounded(0, b.node("HardSwish", "activation", {convolved}), 0.027f, std::uint8_t{14});
  const ValueId mean = rounded(1, mean_of(b, squeeze.mean, y), 0.011f, std::uint8_t{30});
  const ValueId inner = b.node(
      "Conv", "reduce",
      {mean, grid_weights(b, "v", {8, 24, 1, 1}, 4), b.constant("a", random_floats({8}, 5))});
  const ValueId active =
      rounded(2, b.node(squeeze.activation, "inner", {inner}), 0.013f, std::uint8_t{29});
  const ValueId outer = rounded(3,
                                b.node("Conv", "expand",
                                       {active, grid_weights(b, "u", {24, 8, 1, 1}, 6),
                                        b.constant("e", random_floats({24}, 7))}),
                                0.017f, std::uint8_t{119});
  const ValueId gate = rounded(4, b.node(squeeze.gate, "gate", {outer}), 0.0041f, std::uint8_t{0});
  const ValueId scaled = b.round("s", b.node("Mul", "scale", {y, gate}), 0.0207f, std::uint8_t{17});
  const ValueId last = b.node("Conv", "last", {scaled, grid_weights(b, "t", {4, 24, 1, 1}, 8)});
  return {{b.round("q", last, 0.061f, std::uint8_t{117})},
          {random_integers<std::uint8_t>(shape, 3)}};
}

/// A classifier's head: the pool reads what nothing rounded.
FoldModel mean_behind_product(ModelBuilder& b, bool activated) {
  const Shape shape = {2, 24, 6, 7};
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.0213f, std::uint8_t{117});
  const ValueId conv = b.node("Conv", "conv",
                              {x, grid_weights(b, "w", {40, 24, 3, 3}, 1, 0.002f),
                               b.constant("c", random_floats({40}, 2))});
  const ValueId y = activated ? b.node("HardSwish", "activation", {conv}) : conv;
  const ValueId mean =
      b.round("m", b.node("GlobalAveragePool", "pool", {y}), 0.0041f, std::uint8_t{101});
  const ValueId last = b.node("Conv", "last", {mean, grid_weights(b, "t", {10, 40, 1, 1}, 8)});
  return {{b.round("q", last, 0.021f, std::uint8_t{117})},
          {random_integers<std::uint8_t>(shape, 3)}};
}

}  // namespace

std::vector<FoldCase> gate_cases() {
  std::vector<FoldCase> cases;
  for (const Gate& gate : gates)
    for (const Product& product : products) {
      // The caller wants the channels first.
      const bool copied = gate.build == whole_is_read &&
                          (product.make == convolution || product.make == scaled_per_channel);
      cases.push_back({std::string("gate_") + gate.name + "_" + product.name,
                       [&](ModelBuilder& b) { return gate.build(b, product); }, 17,
                       copied ? 1 : 0});
    }
  std::vector<int> placements = {round_before_activation, round_before_activation + 6,
                                 round_before_activation + 30};
  for (int rounds = 0; rounds < inner_rounds; ++rounds) placements.push_back(rounds);
  for (const Squeeze& squeeze : squeezes)
    for (const int rounds : placements)
      cases.push_back(
          {std::string("gate_squeeze_") + squeeze.name + "_rounds_" + std::to_string(rounds),
           [&, rounds](ModelBuilder& b) { return squeeze_and_excite(b, squeeze, rounds); }});
  for (const bool activated : {false, true})
    cases.push_back({std::string("gate_mean_behind_") + (activated ? "activation" : "product"),
                     [activated](ModelBuilder& b) { return mean_behind_product(b, activated); }});
  return cases;
}

}  // namespace intact::testing
