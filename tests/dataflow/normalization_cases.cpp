// Softmax and LayerNormalization along the last axis: bytes in, bytes out.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

template <class T>
ValueId activation(ModelBuilder& b, const Shape& shape, float scale, T zero_point) {
  return b.dequantize("x.dq", b.input("x", element_type_of<T>(), shape), scale, zero_point);
}

ValueId layer_norm(ModelBuilder& b, ValueId x, std::int64_t length, bool biased) {
  std::vector<ValueId> inputs = {x, b.constant("gamma", random_floats({length}, 5, 0.4f, 1.9f))};
  if (biased) inputs.push_back(b.constant("beta", random_floats({length}, 6, -1.0f, 1.0f)));
  return b.node("LayerNormalization", "norm", inputs);
}

/// Softmax of `shape` between two grids.
template <class T>
auto softmax(const Shape& shape, float scale, T in_zero_point, T out_zero_point,
             std::int64_t axis = -1) {
  return [=](ModelBuilder& b) -> FoldModel {
    const ValueId x = activation<T>(b, shape, scale, in_zero_point);
    const ValueId y = b.node("Softmax", "softmax", {x}, {{"axis", axis}});
    return {{b.round("y", y, 1.0f / 256, out_zero_point)}, {random_integers<T>(shape, 3)}};
  };
}

template <class T>
auto normalized(const Shape& shape, T in_zero_point, T out_zero_point, bool biased) {
  return [=](ModelBuilder& b) -> FoldModel {
    const ValueId x = activation<T>(b, shape, 0.043f, in_zero_point);
    const ValueId y = layer_norm(b, x, shape.back(), biased);
    return {{b.round("y", y, 0.0317f, out_zero_point)}, {random_integers<T>(shape, 4)}};
  };
}

/// The result is a float graph output: nothing behind it needs bytes.
FoldModel softmax_float_output(ModelBuilder& b) {
  const ValueId x = activation<std::uint8_t>(b, {3, 37}, 0.05f, 140);
  return {{b.node("Softmax", "softmax", {x})}, {random_integers<std::uint8_t>({3, 37}, 3)}};
}

FoldModel layer_norm_float_output(ModelBuilder& b) {
  const ValueId x = activation<std::uint8_t>(b, {3, 37}, 0.05f, 140);
  return {{layer_norm(b, x, 37, true)}, {random_integers<std::uint8_t>({3, 37}, 3)}};
}

/// The rounded result has two readers.
FoldModel softmax_two_consumers(ModelBuilder& b) {
  const ValueId x = activation<std::uint8_t>(b, {2, 32}, 0.05f, 133);
  const ValueId p = b.round("p", b.node("Softmax", "softmax", {x}), 1.0f / 255, std::uint8_t{0});
  const ValueId a = b.node("MatMul", "a", {p, grid_weights(b, "wa", {32, 16})});
  const ValueId c = b.node("MatMul", "c", {p, grid_weights(b, "wc", {32, 8})});
  return {{b.round("ya", a, 0.011f, std::uint8_t{125}), b.round("yc", c, 0.013f, std::uint8_t{99})},
          {random_integers<std::uint8_t>({2, 32}, 8)}};
}

/// A residual is read by the normalization and by the addition around it.
FoldModel layer_norm_in_residual(ModelBuilder& b) {
  const ValueId x = activation<std::uint8_t>(b, {1, 5, 48}, 0.05f, 133);
  const ValueId n = b.round("n", layer_norm(b, x, 48, true), 0.031f, std::uint8_t{121});
  const ValueId product = b.node("MatMul", "product", {n, grid_weights(b, "w", {48, 48})});
  const ValueId rounded = b.round("rounded", product, 0.21f, std::uint8_t{127});
  const ValueId sum = b.node("Add", "add", {rounded, x});
  return {{b.round("y", sum, 0.23f, std::uint8_t{129})},
          {random_integers<std::uint8_t>({1, 5, 48}, 8)}};
}

/// Channels-last bytes from a convolution, normalized along the width.
FoldModel softmax_behind_conv(ModelBuilder& b) {
  const Shape shape = {1, 8, 6, 7};
  const ValueId x = activation<std::uint8_t>(b, shape, 0.021f, 117);
  const ValueId conv = b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})});
  const ValueId c = b.round("c", conv, 0.051f, std::uint8_t{131});
  return {{b.round("y", b.node("Softmax", "softmax", {c}), 1.0f / 256, std::uint8_t{0})},
          {random_integers<std::uint8_t>(shape, 3)}};
}

}  // namespace

std::vector<FoldCase> normalization_cases() {
  using U = std::uint8_t;
  using S = std::int8_t;
  return {
      {"softmax_u8", softmax<U>({2, 3, 50}, 0.05f, 128, 0)},
      {"softmax_s8", softmax<S>({2, 3, 50}, 0.05f, 3, -128)},
      {"softmax_odd_zero_points", softmax<U>({4, 17}, 0.031f, 97, 13)},
      {"softmax_last_axis_by_number", softmax<U>({2, 5, 33}, 0.02f, 111, 0, 2)},
      {"softmax_opset_11", softmax<U>({4, 21}, 0.04f, 111, 0, 1), 11},
      {"softmax_one_row", softmax<S>({1000}, 0.08f, -5, -128)},
      {"softmax_float_output", softmax_float_output},
      {"softmax_two_consumers", softmax_two_consumers},
      {"softmax_behind_conv", softmax_behind_conv},
      {"layer_norm_u8", normalized<U>({2, 7, 64}, 119, 130, true)},
      {"layer_norm_s8", normalized<S>({2, 7, 64}, -9, 2, true)},
      {"layer_norm_without_bias", normalized<U>({3, 45}, 128, 128, false)},
      {"layer_norm_s8_without_bias", normalized<S>({1, 197, 24}, 0, 7, false)},
      {"layer_norm_float_output", layer_norm_float_output},
      {"layer_norm_in_residual", layer_norm_in_residual},
  };
}

}  // namespace intact::testing
