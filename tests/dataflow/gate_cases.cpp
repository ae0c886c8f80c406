// Products whose channels are taken apart without a Round in between: gates of two halves, queries,
// keys and values. Each part is a product of its own.
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
  return {b.node("Mul", "scale", {y, b.constant("f", random_floats({32, 1}, 5))}), 1,
          random_integers<std::int8_t>(shape, 3)};
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

}  // namespace

std::vector<FoldCase> gate_cases() {
  std::vector<FoldCase> cases;
  for (const Gate& gate : gates)
    for (const Product& product : products)
      cases.push_back({std::string("gate_") + gate.name + "_" + product.name,
                       [&](ModelBuilder& b) { return gate.build(b, product); }});
  return cases;
}

}  // namespace intact::testing
