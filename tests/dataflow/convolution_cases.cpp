// Convolutions of every kind, and what follows them.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

/// A u8 graph input behind a DequantizeLinear: bytes from the start.
ValueId image(ModelBuilder& b, const Shape& shape) {
  return b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.021f, std::uint8_t{117});
}

FoldModel conv_rounded(ModelBuilder& b) {
  const Shape shape = {1, 8, 7, 9};
  const ValueId w = grid_weights(b, "w", {16, 8, 3, 3});
  const ValueId y = b.node("Conv", "conv", {image(b, shape), w});
  return {{b.round("y", y, 0.153f, std::uint8_t{131})}, {random_integers<std::uint8_t>(shape, 3)}};
}

/// An image of width 1, as converters write one-dimensional nets: convolution, pool, float pool.
FoldModel width_one(ModelBuilder& b, const std::string& pool) {
  using Integers = std::vector<std::int64_t>;
  const Shape shape = {2, 8, 33, 1};
  const ValueId w = grid_weights(b, "w", {16, 8, 5, 1});
  const ValueId c = b.node("Conv", "conv", {image(b, shape), w},
                           {{"pads", Integers{2, 0, 1, 0}}, {"strides", Integers{2, 1}}});
  const ValueId y = b.round("y", c, 0.153f, std::uint8_t{131});
  const ValueId p =
      b.node(pool, "pool", {y}, {{"kernel_shape", Integers{3, 1}}, {"pads", Integers{1, 0, 0, 0}}});
  return {{b.round("p", p, 0.153f, std::uint8_t{131}), b.node("GlobalMaxPool", "global", {c})},
          {random_integers<std::uint8_t>(shape, 3)}};
}

}  // namespace

std::vector<FoldCase> convolution_cases() {
  return {
      {"conv_rounded", conv_rounded},
      {"conv_width_one_average_pool", [](auto& b) { return width_one(b, "AveragePool"); }, 17, 1},
      {"conv_width_one_max_pool", [](auto& b) { return width_one(b, "MaxPool"); }, 17, 1}};
}

}  // namespace intact::testing
