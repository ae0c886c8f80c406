// Tensors on 16-bit grids: products of their high and low bytes, float arithmetic in registers,
// tables, and elements that only move.
#include "words.hpp"

namespace intact::testing {
namespace {

Body conv(const Shape& weights, const Spelled& grid, const AttributeList& attributes,
          bool bias = true) {
  return [=](ModelBuilder& b, ValueId x) {
    std::vector<ValueId> inputs = {x, stored(grid)(b, weights)};
    if (bias) inputs.push_back(b.constant("b", random_floats({weights[0]}, 8)));
    return b.node("Conv", "conv", inputs, attributes);
  };
}
ValueId silu(ModelBuilder& b, ValueId x) {
  return b.node("Mul", "silu", {x, b.node("Sigmoid", "sigmoid", {x})});
}

Spelled per_channel(ElementType type, std::size_t count, int zero_point) {
  Spelled grid{type, spread_scales(count, 0.006f), std::vector<int>(count, zero_point)};
  grid.attributes = {{"axis", std::int64_t{0}}};
  return grid;
}

std::vector<FoldCase> convolutions() {
  const Shape image = {2, 9, 7, 8};
  const AttributeList same = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};
  const AttributeList strided = {{"strides", std::vector<std::int64_t>{2, 2}}};
  const AttributeList depthwise = {{"group", std::int64_t{9}},
                                   {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};
  const AttributeList grouped = {{"group", std::int64_t{3}}};
  const Spelled w{s8, {0.006f}, {0}}, unsigned_w{u8, {0.006f}, {131}};
  const Spelled y{u16, {0.0013f}, {32768}}, signed_y{s16, {0.0013f}, {0}},
      byte_y{u8, {0.3f}, {128}};
  const Body plain = conv({20, 9, 3, 3}, w, same);
  return {
      unary("conv", image, words, y, plain),
      unary("conv_signed", image, signed_words, signed_y, plain),
      unary("conv_zero_point", image, odd_words, y, plain),
      unary("conv_without_bias", image, words, y, conv({20, 9, 3, 3}, w, same, false)),
      unary("conv_per_channel", image, words, y, conv({20, 9, 3, 3}, per_channel(s8, 20, 0), same)),
      unary("conv_u8_weights", image, words, y, conv({20, 9, 3, 3}, unsigned_w, same)),
      unary("conv_u8_weights_per_channel", image, words, y,
            conv({20, 9, 3, 3}, per_channel(u8, 20, 119), same)),
      unary("conv_strided", image, words, y, conv({20, 9, 3, 3}, w, strided)),
      unary("conv_pointwise", image, words, y, conv({20, 9, 1, 1}, w, {})),
      unary("conv_depthwise", image, words, y, conv({9, 1, 3, 3}, w, depthwise)),
      unary("conv_grouped", image, words, y, conv({12, 3, 3, 3}, w, grouped)),
      unary("conv_1d", {2, 9, 31}, words, y, conv({20, 9, 3}, w, {})),
      unary("conv_relu", image, words, y, then(plain, op("Relu"))),
      unary("conv_silu", image, words, y, then(plain, silu)),
      unary("conv_to_bytes", image, words, byte_y, plain),
      unary("conv_relu_to_bytes", image, words, byte_y, then(plain, op("Relu"))),
      unary("conv_of_bytes", image, bytes, y, plain),
      unary("conv_silu_of_bytes", image, bytes, y, then(plain, silu)),
  };
}

Body transposed_conv(const Shape& weights, const Spelled& grid, const AttributeList& attributes) {
  return [=](ModelBuilder& b, ValueId x) {
    const ValueId bias = b.constant("b", random_floats({weights[1]}, 8));
    return b.node("ConvTranspose", "conv", {x, stored(grid)(b, weights), bias}, attributes);
  };
}

std::vector<FoldCase> transposed_convolutions() {
  const Shape image = {2, 9, 5, 6};
  const AttributeList doubling = {{"strides", std::vector<std::int64_t>{2, 2}}};
  const AttributeList padded = {{"strides", std::vector<std::int64_t>{2, 2}},
                                {"pads", std::vector<std::int64_t>{1, 1, 1, 1}},
                                {"output_padding", std::vector<std::int64_t>{1, 1}}};
  const Spelled w{s8, {0.006f}, {0}}, unsigned_w{u8, {0.006f}, {131}};
  const Spelled y{u16, {0.0013f}, {32768}}, byte_y{u8, {0.3f}, {128}};
  const Body doubled = transposed_conv({9, 12, 2, 2}, w, doubling);
  return {
      unary("conv_transpose", image, words, y, doubled),
      unary("conv_transpose_zero_point", image, odd_words, y, doubled),
      unary("conv_transpose_u8_weights", image, words, y,
            transposed_conv({9, 12, 3, 3}, unsigned_w, padded)),
      unary("conv_transpose_unit_stride", image, words, y,
            transposed_conv({9, 12, 3, 3}, w, {})),
      unary("conv_transpose_1d", {2, 9, 11}, words, y,
            transposed_conv({9, 12, 4}, w, {{"strides", std::vector<std::int64_t>{2}}})),
      unary("conv_transpose_relu", image, words, y, then(doubled, op("Relu"))),
      unary("conv_transpose_to_bytes", image, words, byte_y, doubled),
      unary("conv_transpose_of_bytes", image, bytes, y, doubled),
  };
}

std::vector<FoldCase> products_of_activations() {
  const Spelled y{u16, {0.00021f}, {31000}}, byte_y{u8, {0.04f}, {119}};
  const Shape a = {2, 3, 7, 20}, b = {2, 3, 20, 9};
  return {
      binary("matmul_activations", "MatMul", a, words, b, words, y),
      binary("matmul_activations_signed", "MatMul", a, signed_words, b, odd_words, y),
      binary("matmul_activations_to_bytes", "MatMul", a, words, b, words, byte_y),
      binary("matmul_activations_words_and_bytes", "MatMul", a, words, b, bytes, y),
      binary("matmul_activations_bytes_and_words", "MatMul", a, bytes, b, odd_words, byte_y),
      binary("matmul_activations_broadcast", "MatMul", a, words, {20, 9}, words, y),
  };
}

FoldCase residual(const std::string& name, const Spelled& x_grid, const Spelled& r_grid) {
  FoldCase fold{
      "words_" + name, [=](ModelBuilder& b) {
        FoldModel model;
        const Shape shape = {1, 12, 6, 7};
        const ValueId x = integer_input(b, model, "x", shape, x_grid);
        const ValueId r = integer_input(b, model, "r", shape, r_grid, 4);
        const Body product = conv({12, 12, 3, 3}, {s8, {0.006f}, {0}},
                                  {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
        const ValueId sum = b.node("Add", "add", {product(b, x), r});
        model.outputs = {pair(b, "y", b.node("Relu", "relu", {sum}), {u16, {0.0009f}, {4}})};
        return model;
      }};
  fold.opset = 21;
  return fold;
}

/// One tensor of words is read by two convolutions, whose sum is read by a third.
FoldCase two_readers() {
  FoldCase fold{
      "words_two_readers", [](ModelBuilder& b) {
        FoldModel model;
        const ValueId x = integer_input(b, model, "x", {1, 9, 6, 7}, words);
        const auto product = [&](const std::string& name, ValueId from, const Shape& weights) {
          const ValueId q = b.constant(name + ".w", integers(s8, weights, 2));
          const ValueId w = dequantize(b, name + ".w.dq", q, {s8, {0.006f}, {0}});
          return b.node("Conv", name, {from, w});
        };
        const ValueId first =
            pair(b, "p", product("c1", x, {10, 9, 1, 1}), {u16, {0.0012f}, {32768}});
        const ValueId second = pair(b, "q", product("c2", x, {10, 9, 1, 1}), {s16, {0.0014f}, {0}});
        const ValueId sum =
            pair(b, "s", b.node("Add", "add", {first, second}), {s16, {0.002f}, {0}});
        model.outputs = {pair(b, "y", product("c3", sum, {5, 10, 3, 3}), {s16, {0.02f}, {0}})};
        return model;
      }};
  fold.opset = 21;
  return fold;
}

struct GemmForm {
  std::string name;
  bool transpose_a = false, transpose_b = false;
  float alpha = 1, beta = 1;
  std::optional<Shape> c = {};
};

FoldCase gemm(const GemmForm& form) {
  FoldCase fold{"words_gemm_" + form.name, [=](ModelBuilder& b) {
                  constexpr std::int64_t rows = 9, depth = 26, columns = 21;
                  FoldModel model;
                  const ValueId a = integer_input(
                      b, model, "a", form.transpose_a ? Shape{depth, rows} : Shape{rows, depth},
                      words);
                  const Shape w = form.transpose_b ? Shape{columns, depth} : Shape{depth, columns};
                  std::vector<ValueId> inputs = {a, stored({s8, {0.006f}, {0}})(b, w)};
                  if (form.c) inputs.push_back(b.constant("c", random_floats(*form.c, 6)));
                  const ValueId y = b.node("Gemm", "gemm", inputs,
                                           {{"transA", std::int64_t{form.transpose_a}},
                                            {"transB", std::int64_t{form.transpose_b}},
                                            {"alpha", form.alpha},
                                            {"beta", form.beta}});
                  model.outputs = {pair(b, "y", y, {s16, {0.0013f}, {0}})};
                  return model;
                }};
  fold.opset = 21;
  return fold;
}

std::vector<FoldCase> products() {
  const Spelled w{s8, {0.006f}, {0}}, y{s16, {0.0013f}, {0}};
  const auto matmul = [=](const Shape& weights, bool bias) -> Body {
    return [=](ModelBuilder& b, ValueId x) {
      const ValueId product = b.node("MatMul", "matmul", {x, stored(w)(b, weights)});
      return bias ? b.node("Add", "add", {product, b.constant("b", random_floats({weights[1]}, 8))})
                  : product;
    };
  };
  std::vector<FoldCase> cases = {
      residual("residual", words, odd_words),
      residual("residual_of_bytes", words, bytes),
      residual("residual_to_bytes", bytes, words),
      two_readers(),
      unary("matmul", {9, 17}, words, y, matmul({17, 20}, false)),
      unary("matmul_bias", {2, 9, 17}, signed_words, y, matmul({17, 20}, true)),
      unary("matmul_bias_silu", {2, 9, 17}, words, y, then(matmul({17, 20}, true), silu)),
      unary("matmul_one_row", {1, 70}, odd_words, y, matmul({70, 33}, true)),
  };
  for (const GemmForm& form : {GemmForm{"plain"},
                               {"trans_a", true},
                               {"trans_b", false, true},
                               {"trans_both", true, true},
                               {"alpha", false, false, 0.37f},
                               {"alpha_and_bias", false, true, -0.37f, 1, Shape{21}},
                               {"beta_and_bias", false, false, 1, 0.3f, Shape{1, 21}},
                               {"column_c", false, false, 1, 1, Shape{9, 1}},
                               {"matrix_c", true, false, 0.8f, 0.9f, Shape{9, 21}}})
    cases.push_back(gemm(form));
  return cases;
}

std::vector<FoldCase> arithmetic() {
  const Shape rows = {2, 6, 37}, image = {2, 12, 5, 7};
  const Spelled sum{s16, {0.00067f}, {0}}, product{s16, {0.0037f}, {11}};
  std::vector<FoldCase> cases = {
      binary("add", "Add", rows, words, rows, odd_words, sum),
      binary("add_signed", "Add", rows, signed_words, rows, signed_words, sum),
      binary("add_image", "Add", image, words, image, odd_words, sum),
      binary("add_row", "Add", rows, words, {37}, odd_words, sum),
      binary("add_of_bytes", "Add", rows, words, rows, bytes, sum),
      binary("add_to_bytes", "Add", rows, words, rows, odd_words, {u8, {0.1f}, {128}}),
      binary("add_bytes_to_words", "Add", rows, bytes, rows, {s8, {0.017f}, {3}}, sum),
      binary("sub", "Sub", rows, words, rows, odd_words, sum),
      binary("mul", "Mul", rows, words, rows, odd_words, product),
      binary("mul_of_bytes", "Mul", rows, bytes, rows, words, product),
      binary("mul_per_channel", "Mul", image, words, {2, 12, 1, 1}, odd_words, product),
      binary("max", "Max", rows, words, rows, odd_words, sum),
      binary("min", "Min", rows, words, rows, odd_words, sum),
  };
  return cases;
}

std::vector<FoldCase> functions() {
  const Shape shape = {3, 5, 41};
  const Spelled one{u16, {1 / 65536.0f}, {0}}, wide{s16, {0.00041f}, {17}};
  const Body itself = [](ModelBuilder&, ValueId x) { return x; };
  std::vector<FoldCase> cases = {
      unary("sigmoid", shape, words, one, op("Sigmoid")),
      unary("sigmoid_signed", shape, odd_words, one, op("Sigmoid")),
      unary("sigmoid_to_bytes", shape, words, {u8, {1 / 256.0f}, {0}}, op("Sigmoid")),
      unary("sigmoid_of_bytes", shape, bytes, one, op("Sigmoid")),
      unary("tanh", shape, words, {s16, {1 / 32768.0f}, {0}}, op("Tanh")),
      unary("gelu", shape, words, wide, op("Gelu")),
      unary("erf", shape, words, wide, op("Erf")),
      unary("silu", shape, words, wide, silu),
      unary("relu", shape, words, wide, op("Relu")),
      unary("neg", shape, odd_words, wide, op("Neg")),
      unary("abs_sqrt", shape, words, wide, then(op("Abs"), op("Sqrt"))),
      unary("square", shape, words, {u16, {0.0016f}, {0}}, with_number("Pow", 2)),
      unary("scaled", shape, words, wide, with_number("Mul", 0.7f)),
      unary("shifted", shape, words, wide, with_number("Add", -0.31f)),
      unary("requantized", shape, words, wide, itself),
      unary("requantized_to_bytes", shape, words, bytes, itself),
      unary("requantized_of_bytes", shape, bytes, words, itself),
      unary("image_hard_swish", {2, 12, 5, 7}, words, wide, op("HardSwish")),
  };
  const auto per_channel = [](const std::string& name) -> Body {
    return [=](ModelBuilder& b, ValueId x) {
      return b.node(name, name + "_",
                    {x, b.constant(name + ".v", random_floats({12, 1, 1}, 5, 0.5f, 2))});
    };
  };
  const auto batch_norm = [](ModelBuilder& b, ValueId x) {
    const auto vector = [&](const std::string& name, unsigned seed) {
      return b.constant(name, random_floats({12}, seed, 0.5f, 1.5f));
    };
    return b.node("BatchNormalization", "norm",
                  {x, vector("gamma", 5), vector("beta", 6), vector("mean", 7), vector("var", 8)});
  };
  const Shape image = {2, 12, 5, 7};
  cases.push_back(unary("batch_norm", image, words, wide, batch_norm));
  cases.push_back(unary("batch_norm_signed", image, odd_words, wide, batch_norm));
  cases.push_back(unary("batch_norm_to_bytes", image, words, bytes, batch_norm));
  cases.push_back(unary("batch_norm_of_bytes", image, bytes, wide, batch_norm));
  cases.push_back(unary("channels_scaled", image, words, wide, per_channel("Mul")));
  cases.push_back(unary("channels_scaled_and_shifted", image, odd_words, wide,
                        then(per_channel("Mul"), per_channel("Sub"))));
  FoldCase stored{"words_sigmoid_stored", [=](ModelBuilder& b) {
                    FoldModel model;
                    const ValueId x = integer_input(b, model, "x", shape, words);
                    model.outputs = {b.node("Sigmoid", "f", {x})};
                    return model;
                  }};
  stored.opset = 21;
  cases.push_back(stored);
  return cases;
}

/// x on words, moved; the grid behind is the same.
FoldCase moved(const std::string& name, const Shape& shape, const Spelled& grid, const Body& body) {
  return unary(name, shape, grid, grid, body);
}

FoldCase concat(const std::string& name, const Spelled& second, const Spelled& to) {
  FoldCase fold{"words_" + name, [=](ModelBuilder& b) {
                  FoldModel model;
                  const ValueId x = integer_input(b, model, "a", {2, 5, 7}, words);
                  const ValueId z = integer_input(b, model, "b", {2, 3, 7}, second, 4);
                  model.outputs = {pair(
                      b, "y", b.node("Concat", "cat", {x, z}, {{"axis", std::int64_t{1}}}), to)};
                  return model;
                }};
  fold.opset = 21;
  return fold;
}

std::vector<FoldCase> moves() {
  const Shape shape = {2, 12, 6, 8};
  return {
      moved("transposed", shape, words,
            move("Transpose", {{"perm", std::vector<std::int64_t>{0, 2, 3, 1}}})),
      moved("transposed_signed", {5, 33}, odd_words, move("Transpose", {})),
      moved("reshaped", shape, words, move("Reshape", {}, {{4, -1}})),
      moved("sliced", shape, words, move("Slice", {}, {{1, 2}, {9, 8}, {1, 3}, {2, 3}})),
      moved("padded", shape, words, move("Pad", {}, {{0, 0, 1, 2, 0, 0, 3, 0}})),
      moved("padded_signed", shape, odd_words, move("Pad", {}, {{0, 0, 1, 2, 0, 0, 3, 0}})),
      moved("tiled", {3, 5}, words, move("Tile", {}, {{2, 3}})),
      moved("depth_to_space", shape, words, move("DepthToSpace", {{"blocksize", std::int64_t{2}}})),
      moved("reflected", {2, 3, 6, 8}, words,
            move("Pad", {{"mode", std::string("reflect")}}, {{0, 0, 1, 2, 0, 0, 3, 0}})),
      concat("concat", words, words),
      concat("concat_other_grid", odd_words, words),
      concat("concat_of_bytes", bytes, words),
  };
}

std::vector<FoldCase> rows() {
  const Spelled one{u16, {1 / 65536.0f}, {0}}, normal{s16, {0.00013f}, {5}};
  const auto normalized = [](const std::string& name, std::int64_t count) -> Body {
    return [=](ModelBuilder& b, ValueId x) {
      return b.node(name, "norm",
                    {x, b.constant("gamma", random_floats({count}, 5, 0.5f, 1.5f)),
                     b.constant("beta", random_floats({count}, 6))});
    };
  };
  return {
      unary("softmax", {3, 5, 41}, words, one, op("Softmax")),
      unary("softmax_to_bytes", {3, 5, 41}, words, {u8, {1 / 256.0f}, {0}}, op("Softmax")),
      unary("softmax_of_bytes", {3, 5, 41}, bytes, one, op("Softmax")),
      unary("layer_norm", {2, 9, 70}, odd_words, normal, normalized("LayerNormalization", 70)),
      unary("instance_norm", {2, 9, 5, 7}, words, normal, normalized("InstanceNormalization", 9)),
  };
}

/// The integers themselves come in and go out.
FoldCase integers_through(const std::string& name, const Spelled& grid) {
  FoldCase fold{
      "words_" + name, [=](ModelBuilder& b) {
        FoldModel model;
        const ValueId x = integer_input(b, model, "x", {2, 9, 17}, grid);
        const ValueId y = b.node("MatMul", "matmul", {x, stored({s8, {0.006f}, {0}})(b, {17, 20})});
        Spelled to = grid;
        to.scale = {0.0013f};
        model.outputs = {quantize(b, "y", y, to)};
        return model;
      }};
  fold.opset = 21;
  return fold;
}

/// Float in, float out; 16 bits in between.
FoldCase floats_around() {
  FoldCase fold{
      "words_between_floats", [](ModelBuilder& b) -> FoldModel {
        const Shape shape = {1, 9, 7, 8};
        const ValueId x = pair(b, "x", b.input("f", f32, shape), {u16, {0.00004f}, {32768}});
        const ValueId y = conv({20, 9, 3, 3}, {s8, {0.006f}, {0}}, {})(b, x);
        return {{pair(b, "y", y, {u16, {0.0003f}, {32768}})}, {random_floats(shape, 3)}};
      }};
  fold.opset = 21;
  return fold;
}

}  // namespace

std::vector<FoldCase> word_cases() {
  std::vector<FoldCase> all;
  for (const auto list : {convolutions, transposed_convolutions, products, products_of_activations,
                          arithmetic, functions, moves, rows})
    for (FoldCase& fold : list()) all.push_back(std::move(fold));
  all.push_back(integers_through("integers_through", words));
  all.push_back(integers_through("signed_integers_through", odd_words));
  all.push_back(floats_around());
  return all;
}

}  // namespace intact::testing
