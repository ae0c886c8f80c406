// A factor and an addend per channel between two grids: BatchNormalization that no convolution can
// take, and arithmetic with constant vectors.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

ValueId normalized(ModelBuilder& b, ValueId x, std::int64_t channels) {
  return b.node("BatchNormalization", "bn",
                {x, b.constant("gamma", random_floats({channels}, 5, -1.5f, 1.9f)),
                 b.constant("beta", random_floats({channels}, 6, -1.0f, 1.0f)),
                 b.constant("mean", random_floats({channels}, 7, -0.5f, 0.5f)),
                 b.constant("variance", random_floats({channels}, 8, 0.5f, 2.0f))});
}

template <class T>
ValueId activation(ModelBuilder& b, const Shape& shape, T zero_point) {
  return b.dequantize("x.dq", b.input("x", element_type_of<T>(), shape), 0.023f, zero_point);
}

/// As in dense nets: bytes, BatchNormalization, perhaps Relu, Round.
template <class T>
auto batch_normalization(const Shape& shape, bool relu) {
  return [=](ModelBuilder& b) -> FoldModel {
    const T zero_point = static_cast<T>(std::is_signed_v<T> ? -7 : 131);
    ValueId y = normalized(b, activation<T>(b, shape, zero_point), shape[1]);
    if (relu) y = b.node("Relu", "relu", {y});
    return {{b.round("y", y, 0.0317f, zero_point)}, {random_integers<T>(shape, 3)}};
  };
}

/// The tensor is normalized for one reader and joined with others for the next.
FoldModel dense_block(ModelBuilder& b) {
  const Shape shape = {1, 8, 5, 6};
  const ValueId x = activation<std::uint8_t>(b, shape, std::uint8_t{131});
  const ValueId relu = b.node("Relu", "relu", {normalized(b, x, 8)});
  const ValueId rounded = b.round("r", relu, 0.021f, std::uint8_t{0});
  const ValueId conv = b.node("Conv", "conv", {rounded, grid_weights(b, "w", {4, 8, 1, 1})});
  const ValueId joined =
      b.node("Concat", "concat", {x, b.round("c", conv, 0.023f, std::uint8_t{131})},
             {{"axis", std::int64_t{1}}});
  return {{b.round("y", joined, 0.023f, std::uint8_t{131})},
          {random_integers<std::uint8_t>(shape, 3)}};
}

FoldModel float_output(ModelBuilder& b) {
  const Shape shape = {2, 37, 3, 4};
  return {{normalized(b, activation<std::uint8_t>(b, shape, std::uint8_t{131}), 37)},
          {random_integers<std::uint8_t>(shape, 3)}};
}

FoldModel function_behind(ModelBuilder& b) {
  const Shape shape = {2, 70, 3, 4};
  const ValueId y = normalized(b, activation<std::uint8_t>(b, shape, std::uint8_t{131}), 70);
  const ValueId rounded = b.round("r", y, 0.04f, std::uint8_t{120});
  return {{b.round("y", b.node("Sigmoid", "sigmoid", {rounded}), 1.0f / 256, std::uint8_t{0})},
          {random_integers<std::uint8_t>(shape, 3)}};
}

/// op(x, vector) or op(vector, x); the vector lies along `axis` of the image.
auto by_vector(const std::string& op, std::size_t axis, bool first) {
  return [=](ModelBuilder& b) -> FoldModel {
    const Shape shape = {2, 6, 5, 7};
    const ValueId x = activation<std::uint8_t>(b, shape, std::uint8_t{117});
    Shape vector(shape.size() - axis, 1);
    vector[0] = shape[axis];
    const ValueId v = b.constant("v", random_floats(vector, 4, 0.4f, 1.7f));
    const ValueId y = first ? b.node(op, "z", {v, x}) : b.node(op, "z", {x, v});
    return {{b.round("y", y, 0.037f, std::uint8_t{101})},
            {random_integers<std::uint8_t>(shape, 3)}};
  };
}

/// (x - mean) / deviation * gamma + beta, spelled out.
FoldModel chain(ModelBuilder& b) {
  const Shape shape = {3, 45};
  ValueId y = activation<std::int8_t>(b, shape, std::int8_t{-7});
  y = b.node("Sub", "sub", {y, b.constant("mean", random_floats({45}, 4, -1, 1))});
  y = b.node("Div", "div", {y, b.constant("deviation", random_floats({45}, 5, 0.5f, 2))});
  y = b.node("Mul", "mul", {b.constant("gamma", random_floats({45}, 6, -1, 1)), y});
  y = b.node("Add", "add", {y, b.constant("beta", random_floats({45}, 7, -1, 1))});
  return {{b.round("y", b.node("Relu", "relu", {y}), 0.0211f, std::int8_t{-128})},
          {random_integers<std::int8_t>(shape, 3)}};
}

}  // namespace

std::vector<FoldCase> affine_cases() {
  std::vector<FoldCase> cases = {
      {"affine_batch_normalization_u8", batch_normalization<std::uint8_t>({2, 37, 5, 6}, false)},
      {"affine_batch_normalization_s8", batch_normalization<std::int8_t>({2, 64, 5, 6}, false)},
      {"affine_batch_normalization_relu", batch_normalization<std::uint8_t>({1, 130, 4, 4}, true)},
      {"affine_batch_normalization_rank_2", batch_normalization<std::uint8_t>({5, 37}, true)},
      {"affine_batch_normalization_rank_3", batch_normalization<std::int8_t>({2, 5, 9}, true)},
      {"affine_batch_normalization_rank_5",
       batch_normalization<std::uint8_t>({1, 6, 2, 3, 4}, true)},
      {"affine_dense_block", dense_block},
      // The floats are copied from channels last to the order of the output.
      {.name = "affine_float_output", .build = float_output, .float_nodes = 1},
      {"affine_function_behind", function_behind},
      {"affine_chain", chain},
  };
  for (const std::string op : {"Mul", "Div", "Sub", "Add"}) {
    cases.push_back({"affine_" + op + "_channels", by_vector(op, 1, false)});
    cases.push_back({"affine_" + op + "_columns", by_vector(op, 3, false)});
    if (op != "Div") cases.push_back({"affine_" + op + "_vector_first", by_vector(op, 1, true)});
  }
  return cases;
}

}  // namespace intact::testing
