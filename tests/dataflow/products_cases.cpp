// Matrix products: of two activations (attention), and with constant weights.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

/// A graph input of bytes on a grid.
struct Operand {
  ElementType type;
  Shape shape;
  float scale;
  int zero_point;
};

Tensor integers_of(const Operand& operand, unsigned seed) {
  return operand.type == ElementType::u8 ? random_integers<std::uint8_t>(operand.shape, seed)
                                         : random_integers<std::int8_t>(operand.shape, seed);
}

/// The real numbers that the integers `q` stand for.
ValueId reals(ModelBuilder& b, const std::string& name, ValueId q, const Operand& operand) {
  return operand.type == ElementType::u8
             ? b.dequantize(name, q, operand.scale, static_cast<std::uint8_t>(operand.zero_point))
             : b.dequantize(name, q, operand.scale, static_cast<std::int8_t>(operand.zero_point));
}

ValueId activation(ModelBuilder& b, const std::string& name, const Operand& operand) {
  return reals(b, name + ".dq", b.input(name, operand.type, operand.shape), operand);
}

ValueId constant(ModelBuilder& b, const std::string& name, const Operand& operand, unsigned seed) {
  return reals(b, name + ".dq", b.constant(name, integers_of(operand, seed)), operand);
}

using Following = std::function<ValueId(ModelBuilder&, ValueId)>;

ValueId nothing(ModelBuilder&, ValueId y) {
  return y;
}
Following rounded_to_u8(float scale, std::uint8_t zero_point) {
  return [=](ModelBuilder& b, ValueId y) { return b.round("y", y, scale, zero_point); };
}
Following rounded_to_s8(float scale, std::int8_t zero_point) {
  return [=](ModelBuilder& b, ValueId y) { return b.round("y", y, scale, zero_point); };
}
/// One operator in front of a Round.
Following behind(const std::string& op, const Following& then) {
  return [=](ModelBuilder& b, ValueId y) { return then(b, b.node(op, "f", {y})); };
}

FoldCase product_of(const std::string& name, const Operand& a, const Operand& c,
                    const Following& then) {
  return {name, [=](ModelBuilder& b) -> FoldModel {
            const ValueId x = activation(b, "a", a), y = activation(b, "b", c);
            return {{then(b, b.node("MatMul", "matmul", {x, y}))},
                    {integers_of(a, 3), integers_of(c, 4)}};
          }};
}

constexpr ElementType u8 = ElementType::u8, s8 = ElementType::s8;

std::vector<FoldCase> shapes_and_grids() {
  const auto y = rounded_to_u8(0.31f, 119);
  return {
      product_of("matmul_u8_u8", {u8, {5, 32}, 0.021f, 117}, {u8, {32, 16}, 0.017f, 131}, y),
      product_of("matmul_u8_s8", {u8, {5, 32}, 0.021f, 117}, {s8, {32, 16}, 0.017f, 7}, y),
      product_of("matmul_s8_u8", {s8, {5, 32}, 0.021f, -3}, {u8, {32, 16}, 0.017f, 0}, y),
      product_of("matmul_s8_s8", {s8, {5, 32}, 0.021f, 0}, {s8, {32, 16}, 0.017f, 0}, y),
      product_of("matmul_to_s8", {s8, {5, 32}, 0.021f, 5}, {s8, {32, 16}, 0.017f, -11},
                 rounded_to_s8(0.29f, 13)),
      product_of("matmul_extreme_zero_points", {u8, {4, 24}, 0.021f, 0}, {u8, {24, 20}, 0.01f, 255},
                 rounded_to_u8(0.4f, 255)),
      product_of("matmul_extreme_signed_zero_points", {s8, {4, 24}, 0.02f, 127},
                 {s8, {24, 20}, 0.01f, -128}, rounded_to_s8(0.4f, 127)),
      product_of("matmul_depth_tail", {u8, {7, 33}, 0.021f, 117}, {u8, {33, 16}, 0.017f, 131}, y),
      product_of("matmul_depth_one", {u8, {7, 1}, 0.021f, 117}, {u8, {1, 19}, 0.017f, 131},
                 rounded_to_u8(0.037f, 128)),
      product_of("matmul_column_tail", {u8, {9, 32}, 0.021f, 117}, {s8, {32, 77}, 0.017f, 3}, y),
      product_of("matmul_both_tails", {s8, {13, 51}, 0.021f, 9}, {u8, {51, 67}, 0.017f, 121}, y),
      product_of("matmul_one_column", {u8, {6, 40}, 0.021f, 117}, {u8, {40, 1}, 0.017f, 131}, y),
      product_of("matmul_one_row", {u8, {1, 64}, 0.021f, 117}, {u8, {64, 48}, 0.017f, 131}, y),
      product_of("matmul_many_columns", {u8, {3, 20}, 0.021f, 117}, {u8, {20, 600}, 0.017f, 131},
                 y),
      product_of("matmul_many_rows", {u8, {411, 12}, 0.021f, 117}, {s8, {12, 10}, 0.017f, -5}, y),
  };
}

std::vector<FoldCase> batches() {
  const auto y = rounded_to_u8(0.31f, 119);
  const auto a = [](const Shape& shape) { return Operand{u8, shape, 0.021f, 117}; };
  const auto c = [](const Shape& shape) { return Operand{s8, shape, 0.017f, 3}; };
  return {
      product_of("matmul_batch", a({3, 5, 32}), c({3, 32, 16}), y),
      product_of("matmul_heads", a({2, 3, 5, 31}), c({2, 3, 31, 9}), y),
      product_of("matmul_second_shared", a({3, 5, 32}), c({32, 16}), y),
      product_of("matmul_second_shared_one", a({2, 3, 5, 32}), c({1, 1, 32, 16}), y),
      product_of("matmul_first_shared", a({5, 32}), c({3, 32, 16}), y),
      product_of("matmul_grouped_queries", a({2, 4, 5, 16}), c({2, 1, 16, 7}), y),
      product_of("matmul_broadcast_both", a({2, 1, 5, 16}), c({3, 16, 7}), y),
      product_of("matmul_broadcast_crossed", a({1, 3, 5, 16}), c({2, 1, 16, 7}), y),
      product_of("matmul_batch_to_float", a({3, 5, 32}), c({3, 32, 16}), nothing),
      product_of("matmul_one_row_batch", a({7, 1, 24}), c({7, 24, 18}), y),
      product_of("matmul_five_axes", a({2, 1, 2, 3, 8}), c({1, 3, 2, 8, 5}), y),
  };
}

std::vector<FoldCase> followers() {
  const Operand a = {u8, {2, 6, 32}, 0.021f, 117}, c = {u8, {2, 32, 21}, 0.017f, 131};
  const auto y = rounded_to_u8(0.31f, 19);
  return {
      product_of("matmul_float", a, c, nothing),
      product_of("matmul_relu", a, c, behind("Relu", y)),
      product_of("matmul_sigmoid", a, c,
                 [](ModelBuilder& b, ValueId v) {
                   const ValueId bytes = b.round("m", v, 0.3f, std::uint8_t{120});
                   return b.round("y", b.node("Sigmoid", "f", {bytes}), 1 / 256.0f,
                                  std::uint8_t{0});
                 }),
      product_of("matmul_bias_on_columns", a, c,
                 [=](ModelBuilder& b, ValueId v) {
                   const ValueId bias = b.constant("bias", random_floats({21}, 8));
                   return y(b, b.node("Add", "add", {v, bias}));
                 }),
      product_of("matmul_integers_out", a, c,
                 [](ModelBuilder& b, ValueId v) {
                   const ValueId q = b.quantize("q", v, 0.31f, std::uint8_t{128});
                   b.graph().value(q).type = ElementType::u8;
                   return q;
                 }),
  };
}

/// Tokens [batch, tokens, heads * depth] to [batch, heads, ...] in the order of `axes`.
ValueId heads_of(ModelBuilder& b, const std::string& name, ValueId x,
                 const std::vector<std::int64_t>& axes) {
  const ValueId shape = b.vector<std::int64_t>(name + ".shape", {2, 7, 3, 10});
  const ValueId split = b.node("Reshape", name + ".split", {x, shape});
  return b.node("Transpose", name + ".heads", {split}, {{"perm", axes}});
}

FoldModel scores(ModelBuilder& b) {
  const Operand q = {u8, {2, 7, 30}, 0.021f, 117}, k = {s8, {2, 7, 30}, 0.017f, -9};
  const ValueId x = heads_of(b, "qh", activation(b, "q", q), {0, 2, 1, 3});
  const ValueId y = heads_of(b, "kh", activation(b, "k", k), {0, 2, 3, 1});
  const ValueId product = b.node("MatMul", "qk", {x, y});
  return {{b.round("y", product, 0.23f, std::uint8_t{125})},
          {integers_of(q, 3), integers_of(k, 4)}};
}

FoldModel context(ModelBuilder& b) {
  const Operand p = {u8, {2, 3, 7, 7}, 1 / 255.0f, 0}, v = {s8, {2, 7, 30}, 0.017f, -9};
  const ValueId x = activation(b, "p", p);
  const ValueId y = heads_of(b, "vh", activation(b, "v", v), {0, 2, 1, 3});
  const ValueId product = b.round("pv", b.node("MatMul", "matmul", {x, y}), 0.08f, std::uint8_t{9});
  const ValueId back =
      b.node("Transpose", "back", {product}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
  return {{b.node("Reshape", "join", {back, b.vector<std::int64_t>("joined", {2, 7, 30})})},
          {integers_of(p, 3), integers_of(v, 4)}};
}

FoldModel square_of_itself(ModelBuilder& b) {
  const Operand x = {u8, {2, 9, 9}, 0.021f, 117};
  const ValueId a = activation(b, "x", x);
  return {{b.round("y", b.node("MatMul", "matmul", {a, a}), 0.2f, std::uint8_t{125})},
          {integers_of(x, 3)}};
}

FoldModel chain_of_products(ModelBuilder& b) {
  const Operand x = {u8, {2, 5, 16}, 0.021f, 117}, y = {s8, {2, 16, 12}, 0.017f, 3},
                z = {u8, {2, 12, 8}, 0.013f, 101};
  const ValueId first =
      b.round("m", b.node("MatMul", "first", {activation(b, "x", x), activation(b, "y", y)}), 0.2f,
              std::uint8_t{125});
  const ValueId second = b.node("MatMul", "second", {first, activation(b, "z", z)});
  return {{b.round("r", second, 0.5f, std::uint8_t{120}), first},
          {integers_of(x, 3), integers_of(y, 4), integers_of(z, 5)}};
}

FoldModel joined_products(ModelBuilder& b) {
  const Operand x = {u8, {5, 16}, 0.021f, 117}, y = {s8, {16, 12}, 0.017f, 3};
  const ValueId a = activation(b, "x", x), c = activation(b, "y", y);
  const ValueId first = b.round("m", b.node("MatMul", "first", {a, c}), 0.2f, std::uint8_t{125});
  const ValueId clamped = b.round("c", b.node("Relu", "relu", {c}), 0.013f, std::uint8_t{0});
  const ValueId other =
      b.round("o", b.node("MatMul", "other", {a, clamped}), 0.2f, std::uint8_t{125});
  const ValueId joined = b.node("Concat", "join", {first, other}, {{"axis", std::int64_t{1}}});
  return {{joined}, {integers_of(x, 3), integers_of(y, 4)}};
}

FoldCase gemm_of_activations(const std::string& name, bool transposed, bool biased) {
  return {name, [=](ModelBuilder& b) -> FoldModel {
            const Operand x = {u8, {6, 35}, 0.021f, 117};
            const Operand y = {u8, transposed ? Shape{19, 35} : Shape{35, 19}, 0.017f, 131};
            std::vector<ValueId> inputs = {activation(b, "x", x), activation(b, "y", y)};
            if (biased) inputs.push_back(b.constant("bias", random_floats({19}, 8)));
            const ValueId product =
                b.node("Gemm", "gemm", inputs, {{"transB", std::int64_t{transposed}}});
            return {{b.round("r", product, 0.3f, std::uint8_t{120})},
                    {integers_of(x, 3), integers_of(y, 4)}};
          }};
}

FoldCase constant_matrices(const std::string& name, bool first) {
  return {name, [=](ModelBuilder& b) -> FoldModel {
            const Operand x = {u8, {2, 6, 35}, 0.021f, 117}, y = {s8, {2, 35, 19}, 0.017f, 3};
            const ValueId a = first ? constant(b, "a", x, 3) : activation(b, "a", x);
            const ValueId c = first ? activation(b, "c", y) : constant(b, "c", y, 4);
            return {{b.round("r", b.node("MatMul", "matmul", {a, c}), 0.3f, std::uint8_t{120})},
                    {first ? integers_of(y, 4) : integers_of(x, 3)}};
          }};
}

/// Weights on a grid per output channel, which run along `axis`.
ValueId channel_weights(ModelBuilder& b, const Shape& shape, std::int64_t axis) {
  const auto channels = static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]);
  std::vector<float> scales(channels);
  for (std::size_t c = 0; c < channels; ++c) scales[c] = 0.005f + 0.0007f * static_cast<float>(c);
  const ValueId q = b.constant("w", random_integers<std::int8_t>(shape, 5));
  return b.node("DequantizeLinear", "w.dq",
                {q, b.vector("w.s", scales), b.vector("w.z", std::vector<std::int8_t>(channels))},
                {{"axis", axis}});
}

enum class Weights { signed_tensor, unsigned_tensor, per_channel };

FoldCase weighted(const std::string& name, const std::string& op, Weights kind, bool transposed,
                  bool biased, bool rounded = true) {
  return {name, [=](ModelBuilder& b) -> FoldModel {
            const Operand x = {s8, op == "Gemm" ? Shape{6, 35} : Shape{2, 6, 35}, 0.021f, 17};
            const Shape shape = transposed ? Shape{19, 35} : Shape{35, 19};
            const ValueId a = activation(b, "x", x);
            ValueId w = no_value;
            if (kind == Weights::per_channel) w = channel_weights(b, shape, transposed ? 0 : 1);
            if (kind == Weights::signed_tensor) w = constant(b, "w", {s8, shape, 0.017f, 0}, 5);
            if (kind == Weights::unsigned_tensor) w = constant(b, "w", {u8, shape, 0.017f, 133}, 5);
            const ValueId bias = biased ? b.constant("bias", random_floats({19}, 8)) : no_value;
            std::vector<ValueId> inputs = {a, w};
            if (biased && op == "Gemm") inputs.push_back(bias);
            const AttributeList attributes =
                transposed ? AttributeList{{"transB", std::int64_t{1}}} : AttributeList{};
            ValueId y = b.node(op, "product", inputs, attributes);
            if (biased && op == "MatMul") y = b.node("Add", "add", {y, bias});
            return {{rounded ? b.round("r", y, 0.3f, std::uint8_t{120}) : y}, {integers_of(x, 3)}};
          }};
}

std::vector<FoldCase> weights() {
  using enum Weights;
  return {
      weighted("matmul_weights_s8", "MatMul", signed_tensor, false, false),
      weighted("matmul_weights_u8", "MatMul", unsigned_tensor, false, false),
      weighted("matmul_weights_per_channel", "MatMul", per_channel, false, false),
      weighted("matmul_weights_bias", "MatMul", per_channel, false, true),
      weighted("matmul_weights_float", "MatMul", signed_tensor, false, true, false),
      weighted("gemm_weights_s8", "Gemm", signed_tensor, false, false),
      weighted("gemm_weights_u8_bias", "Gemm", unsigned_tensor, false, true),
      weighted("gemm_weights_per_channel", "Gemm", per_channel, false, true),
      weighted("gemm_weights_transposed", "Gemm", signed_tensor, true, true),
      weighted("gemm_weights_transposed_per_channel", "Gemm", per_channel, true, true),
      weighted("gemm_weights_transposed_u8", "Gemm", unsigned_tensor, true, false),
      weighted("gemm_weights_float", "Gemm", per_channel, true, true, false),
  };
}

}  // namespace

std::vector<FoldCase> products_cases() {
  std::vector<FoldCase> cases = {
      {"attention_scores", scores},
      {"attention_context", context},
      {"matmul_square_of_itself", square_of_itself},
      {"matmul_chain", chain_of_products},
      {"matmul_into_concat", joined_products},
      gemm_of_activations("gemm_activations", false, false),
      gemm_of_activations("gemm_activations_transposed", true, false),
      gemm_of_activations("gemm_activations_bias", false, true),
      gemm_of_activations("gemm_activations_transposed_bias", true, true),
      constant_matrices("matmul_constant_first", true),
      constant_matrices("matmul_constant_matrices", false),
  };
  for (const auto& list : {shapes_and_grids(), batches(), followers(), weights()})
    cases.insert(cases.end(), list.begin(), list.end());
  return cases;
}

}  // namespace intact::testing
